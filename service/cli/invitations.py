"""Invitations to sign up (docs/accounts.md#sign-up-by-invitation)."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from service.cli import arguments as kinds
from service.cli.command_table import COMMANDS
from service.cli.commands import NotFound, UsageError, add_command, add_group, database, find_project
from service.cli.tables import Listing

if TYPE_CHECKING:
    from service.accounts.invitation_admin import LetterTerms
    from service.settings import Settings
    from service.store.projects import Project

_DAYS, _USES = 365, 10_000
_COLUMNS = ("id", "email", "note", "uses", "most_uses", "created_at", "expires_at", "used_at", "expired")


def add(verbs: Any) -> None:
    words = add_group(verbs, "invitations", COMMANDS["invitations"].text)
    create = add_command(words, "create", _create, "make a code, shown this once; or mail an invitation")
    create.add_argument("project")
    create.add_argument(
        "address", nargs="?", type=kinds.recipient, help="whom to mail an invitation; without one a code is made"
    )
    create.add_argument(
        "--uses", type=kinds.whole(1, _USES), metavar="N", help=f"accounts that a code makes, 1 to {_USES}; 1 usually"
    )
    create.add_argument(
        "--days", type=kinds.whole(1, _DAYS), default=7, metavar="N", help=f"until it expires, 1 to {_DAYS}; 7 usually"
    )
    create.add_argument("--note", type=kinds.name, metavar="TEXT", help="for the list")
    create.add_argument("--name", type=kinds.name, metavar="TEXT", help="of the account that the address gets")
    create.add_argument("--locale", type=kinds.locale, help="of the letter; the project's usually")
    create.add_argument("--url", help="the page of yours that the letter's link leads to")
    listed = add_command(words, "list", _list, "list invitations, newest first, those too that expired in 30 days")
    listed.add_argument("project")
    listed.add_argument("--limit", type=kinds.whole(1, kinds.ROWS), default=100, metavar="N", help="100 if not given")
    revoke = add_command(words, "revoke", _revoke, "make an invitation useless at once; accounts made by it stay")
    revoke.add_argument("project")
    revoke.add_argument("invitation", help="the id that `list` shows")


async def _create(arguments: argparse.Namespace, settings: "Settings") -> object:
    from service.accounts import invitation_admin  # noqa: PLC0415 - --help need not wait for these
    from service.cli.users.commands import admin_context  # noqa: PLC0415 - as above
    from service.crypto import invitation_codes  # noqa: PLC0415 - as above

    if arguments.address and arguments.uses not in (None, 1):
        raise UsageError("an address is invited once; --uses is for codes")
    if not arguments.address and (arguments.name or arguments.locale or arguments.url):
        raise UsageError("--name, --locale and --url are for an address")
    async with database(settings) as pool:
        project = await find_project(pool, arguments.project)
        operator = admin_context(pool, project.id)
        facts = {"seconds": arguments.days * 86_400, "note": arguments.note or ""}
        if arguments.address:
            terms = _letter_terms(arguments, settings, project)
            made = await invitation_admin.invite_address(operator, email=arguments.address, letter=terms, **facts)
            shown: dict[str, object] = {"email": made.email}
        else:
            made, code = await invitation_admin.create_code(operator, most_uses=arguments.uses or 1, **facts)
            shown = {"code": invitation_codes.shown(code), "uses": made.most_uses}
    answer: dict[str, object] = {"project": project.id, "id": made.id, **shown, "expires_at": made.expires_at}
    if project.sign_up != "invitation":
        answer["warning"] = "nobody needs it: --sign-up of the project is not invitation"
    return answer


def _letter_terms(arguments: argparse.Namespace, settings: "Settings", project: "Project") -> "LetterTerms":
    from service.accounts.invitation_admin import LetterTerms  # noqa: PLC0415 - as above
    from service.crypto import key_derivation  # noqa: PLC0415 - as above
    from service.links import redirect_policy  # noqa: PLC0415 - as above

    url = arguments.url
    if url:
        try:
            url = redirect_policy.check(url, project.hostnames, plain_http=project.plain_http)
        except ValueError as fault:
            raise UsageError(f"--url: {fault}") from None
    return LetterTerms(
        name=arguments.name or "",
        locale=arguments.locale or project.locale,
        url=url,
        kid=key_derivation.current(settings.key_ring),
        sender=settings.mail_from,
    )


async def _list(arguments: argparse.Namespace, settings: "Settings") -> object:
    from service.store import invitations  # noqa: PLC0415 - as above

    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        found = await invitations.list_page(pool, arguments.project, after=None, most=arguments.limit)
    return Listing([asdict(each) for each in found], _COLUMNS)


async def _revoke(arguments: argparse.Namespace, settings: "Settings") -> object:
    from service.accounts import invitation_admin  # noqa: PLC0415 - as above
    from service.cli.users.commands import admin_context  # noqa: PLC0415 - as above

    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        operator = admin_context(pool, arguments.project)
        if not await invitation_admin.revoke(operator, invitation_id=arguments.invitation):
            raise NotFound(f"{arguments.project} has no invitation {arguments.invitation}")
    return {"project": arguments.project, "revoked": arguments.invitation}
