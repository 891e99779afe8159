"""Make projects, and change their settings; those that depend on each other are checked together."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from service.cli.commands import NotFound, UsageError, database, find_project
from service.cli.projects import options, own_smtp
from service.cli.projects.show import FACE, shown
from service.db import Connection, Executor, transaction
from service.links import redirect_policy
from service.store import branding, passkeys, project_relays, projects, user_emails, user_phones

if TYPE_CHECKING:
    from service.settings import Settings

_MOST_SHARED = 20
_SENDER_NOTE = "note: letters come from MAIL_FROM, which the project's own server may refuse; set --sender-address.\n"
_SVG_NOTE = "note: Gmail and Outlook don't show SVG. Their readers see the project's name; a PNG is shown by all.\n"


async def create(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        await projects.create(pool, arguments.id, name=arguments.name or arguments.id)
        return await shown(pool, arguments.id)


async def change_settings(arguments: argparse.Namespace, settings: "Settings") -> object:
    changes = options.given(arguments)
    if not changes:
        raise UsageError("nothing to change; `projects set --help` lists the settings")
    async with database(settings) as pool:
        _check_together(await shown(pool, arguments.id) | changes, changes)
        if changes.get("smtp_url"):
            changes["smtp_url"] = own_smtp.read(arguments)
        async with transaction(pool, arguments.id) as tx:
            await change(tx, settings, arguments.id, changes)
        answer = await shown(pool, arguments.id)
    if changes.get("logo") and answer["logo"] == "image/svg+xml":
        sys.stderr.write(_SVG_NOTE)
    if answer["smtp_url"] and not answer["sender_address"]:
        sys.stderr.write(_SENDER_NOTE)
    return answer


async def change(tx: Connection, settings: "Settings", project_id: str, changes: dict[str, Any]) -> None:
    """Change everything at once. Raises NotFound, and UsageError for settings that don't go together."""
    face = {name: value for name, value in changes.items() if name in FACE}
    rules = {name: value for name, value in changes.items() if name not in (*FACE, "logo", "smtp_url")}
    if "rp_id" in changes:
        await _check_passkeys(tx, project_id, changes["rp_id"])
    await _check_mocks(tx, project_id, rules.get("mock_phones", {}))
    if rules.get("one_per_mailbox"):
        await _check_mailboxes(tx, project_id)
    if not await projects.change(tx, project_id, **rules):
        raise NotFound(f"no project {project_id}")
    if face:
        await branding.change(tx, project_id, **face)
    if "logo" in changes:
        await branding.set_logo(tx, project_id, logo=changes["logo"])
    if server := changes.get("smtp_url"):
        await project_relays.save(tx, settings.key_ring, project_id, server=server.name, url=server.url)
    elif "smtp_url" in changes:
        await project_relays.remove(tx, project_id)
    # Once more, for another operator may have changed the others meanwhile; the next one waits for this to end.
    _check_together(await shown(tx, project_id), changes)


async def _check_passkeys(tx: Executor, project_id: str, rp_id: str) -> None:
    """Raise UsageError where passkeys are made for another host: they would be of no use."""
    project = await find_project(tx, project_id)
    if project.rp_id != rp_id and await passkeys.any_of_project(tx, project_id):
        raise UsageError(f"there are passkeys made for {project.rp_id}, or for localhost; --rp-id can't change")


async def _check_mocks(tx: Executor, project_id: str, wanted: dict[str, str]) -> None:
    """Refuse a new number for tests that a user has proved: its code would open that account. Raises UsageError."""
    former = (await find_project(tx, project_id)).mock_phones if wanted else {}
    for number in wanted.keys() - former.keys():
        if await user_phones.is_verified(tx, project_id, phone=number):
            raise UsageError(f"{number} is the number of a user, who has proved it; take another one for tests")


async def _check_mailboxes(tx: Executor, project_id: str) -> None:
    """Refuse to want one account for each mailbox while some have more. Raises UsageError."""
    if (await find_project(tx, project_id)).one_per_mailbox:
        return
    if shared := await user_emails.list_shared_mailboxes(tx, project_id, most=_MOST_SHARED):
        named = "; ".join(", ".join(each.user_ids) for each in shared)
        raise UsageError(f"--one-per-mailbox: change or delete all but one of the users who share a mailbox: {named}")


def _check_together(rules: dict[str, Any], changes: dict[str, Any]) -> None:
    """Check settings that depend on each other. Raises UsageError."""
    if rules["password_min"] > rules["password_max"]:
        raise UsageError("no password could be as long as --password-min and as short as --password-max")
    if rules["passkeys"] and not rules["rp_id"]:
        raise UsageError("--passkeys on needs --rp-id, the host that passkeys are made for")
    if changes.get("end_warning_days") and not rules["unverified_days"]:
        raise UsageError("--end-warning-days needs --unverified-days: without it no account ends")
    if rules["plain_http"]:
        return
    for name in ("verification_url", "app_url"):
        # The secret of a mail's link travels to such a page, or its reader does right after.
        if changes.keys() & {name, "plain_http"} and redirect_policy.is_open(rules[name]):
            raise UsageError(f"--{name.replace('_', '-')} is https, unless the project has --plain-http on")
