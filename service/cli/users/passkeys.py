"""Passkeys of a user on the command line: which there are, and removing one that is lost."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from service.accounts import passkey_admin
from service.cli import confirmation
from service.cli.commands import add_group, database
from service.cli.tables import Listing
from service.cli.users.commands import add_user_command, admin_context, find_user
from service.store import passkeys

if TYPE_CHECKING:
    from service.settings import Settings

_SHOWN = ("id", "name", "created_at", "accessed_at")


def add(words: Any) -> None:
    verbs = add_group(words, "passkeys", "passkeys of a user")
    add_user_command(verbs, "list", _list, "list a user's passkeys", of_user=True)
    text = "remove a passkey, as after the loss of a device"
    removal = add_user_command(verbs, "remove", _remove, text, of_user=True)
    removal.add_argument("passkey", help="its id")
    confirmation.add(removal)


async def _list(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        found = await passkeys.list_all(pool, await find_user(pool, arguments.project, arguments.user))
    rows = [{name: value for name, value in asdict(each).items() if name in _SHOWN} for each in found]
    return Listing(rows, _SHOWN)


async def _remove(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        user = await find_user(pool, arguments.project, arguments.user)
        confirmation.ask(arguments, f"Remove the passkey {arguments.passkey} of {user.email or user.id}?")
        await passkey_admin.remove(admin_context(pool, user.project_id), user.id, passkey_id=arguments.passkey)
    return {"removed": arguments.passkey}
