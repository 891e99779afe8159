"""Identities of users on the command line: accounts at other providers that sign them in."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from service.accounts import identity_admin
from service.cli import arguments as kinds
from service.cli import confirmation
from service.cli.commands import NotFound, add_group, database, find_project
from service.cli.tables import Listing
from service.cli.users.commands import add_user_command, admin_context, find_user
from service.store import identities, identity_lists
from service.store.identity_lists import IdentityFilter, IdentityPage

if TYPE_CHECKING:
    from service.settings import Settings

_SHOWN = ("id", "user_id", "provider", "subject", "email", "created_at")


def add(words: Any) -> None:
    verbs = add_group(words, "identities", "accounts at other providers that sign users in")
    listed = add_user_command(verbs, "list", _list, "list identities, oldest first")
    listed.add_argument("--user", metavar="USER", help="only of this one: an id, or an address")
    rows = kinds.whole(1, kinds.ROWS)
    text = f"at most so many, 1 to {kinds.ROWS}; 100 if not given"
    listed.add_argument("--limit", type=rows, default=100, metavar="N", help=text)
    removal = add_user_command(verbs, "remove", _remove, "remove an identity, even the last way in; sessions go on")
    removal.add_argument("identity", help="an id")
    confirmation.add(removal)


async def _list(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        project = await find_project(pool, arguments.project)
        user = await find_user(pool, project.id, arguments.user) if arguments.user else None
        wanted = IdentityFilter(user_id=user.id if user else None)
        found = await identity_lists.page(pool, project.id, wanted=wanted, page=IdentityPage(limit=arguments.limit))
    rows = [asdict(each) for each in found]
    return Listing([{name: row[name] for name in (*_SHOWN, "issuer", "updated_at")} for row in rows], _SHOWN)


async def _remove(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        project = await find_project(pool, arguments.project)
        found = await identities.find_of_project(pool, project.id, identity_id=arguments.identity)
        if found is None:
            raise NotFound(f"{project.id} has no identity {arguments.identity}")
        confirmation.ask(arguments, f"Remove the sign-in of {found.user_id} by {found.provider}?")
        await identity_admin.remove(admin_context(pool, project.id), found.id)
    return {"removed": found.id, "user": found.user_id}
