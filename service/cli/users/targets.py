"""Targets of a user on the command line: where messages go, and removing a device that is lost."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from service.accounts import target_admin
from service.cli import confirmation
from service.cli.commands import add_group, database
from service.cli.tables import Listing
from service.cli.users.commands import add_user_command, admin_context, find_user
from service.store import targets

if TYPE_CHECKING:
    from service.settings import Settings

_SHOWN = ("id", "provider_type", "identifier", "name", "provider_id", "created_at")


def add(words: Any) -> None:
    verbs = add_group(words, "targets", "targets of messages to a user")
    add_user_command(verbs, "list", _list, "list a user's address, number and registered devices", of_user=True)
    removal = add_user_command(verbs, "remove", _remove, "remove a device, as after its loss", of_user=True)
    removal.add_argument("target", help="its id")
    confirmation.add(removal)


async def _list(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        found = targets.list_of(await find_user(pool, arguments.project, arguments.user))
    rows = [{name: value for name, value in asdict(each).items() if name in _SHOWN} for each in found]
    return Listing(rows, _SHOWN)


async def _remove(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        user = await find_user(pool, arguments.project, arguments.user)
        confirmation.ask(arguments, f"Remove the target {arguments.target} of {user.email or user.id}?")
        await target_admin.remove(admin_context(pool, user.project_id), user.id, arguments.target)
    return {"removed": arguments.target}
