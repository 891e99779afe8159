"""Second factors of a user on the command line: the way out for a user who has lost one."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from service.accounts import factor_admin
from service.cli import confirmation
from service.cli.commands import add_group, boolean, database, find_project
from service.cli.users.commands import add_user_command, admin_context, find_user

if TYPE_CHECKING:
    from service.settings import Settings


def add(words: Any) -> None:
    verbs = add_group(words, "mfa", "second factors of a user")
    add_user_command(verbs, "show", _show, "show which factors a user can prove", of_user=True)
    switch = add_user_command(verbs, "set", _set, "ask the user for a second factor, or no more", of_user=True)
    switch.add_argument("mfa", type=boolean, metavar="on|off")
    text = "remove the authenticator app, as after the loss of a phone"
    confirmation.add(add_user_command(verbs, "remove-authenticator", _remove, text, of_user=True))
    text = "make recovery codes in the place of earlier ones; they are shown this once"
    confirmation.add(add_user_command(verbs, "recovery-codes", _recovery_codes, text, of_user=True))


async def _show(arguments: argparse.Namespace, settings: "Settings") -> object:
    from service.accounts import factors  # noqa: PLC0415 - the web stack is not loaded to list projects

    async with database(settings) as pool:
        user = await find_user(pool, arguments.project, arguments.user)
        found = await factors.find(pool, await find_project(pool, arguments.project), user, settings=settings)
    return {"mfa": user.mfa} | asdict(found)


async def _set(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        user = await find_user(pool, arguments.project, arguments.user)
        changed = await factor_admin.change_mfa(admin_context(pool, user.project_id), user.id, mfa=arguments.mfa)
    return {"user": changed.id, "mfa": changed.mfa}


async def _remove(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        user = await find_user(pool, arguments.project, arguments.user)
        confirmation.ask(arguments, f"Remove the authenticator app of {user.email or user.id}?")
        await factor_admin.remove_authenticator(admin_context(pool, user.project_id), user.id)
    return {"removed": user.id}


async def _recovery_codes(arguments: argparse.Namespace, settings: "Settings") -> object:
    from service.crypto import recovery_codes  # noqa: PLC0415 - as above
    from service.crypto.password_hashing import PasswordHashPool  # noqa: PLC0415 - as above

    async with database(settings) as pool:
        user = await find_user(pool, arguments.project, arguments.user)
        confirmation.ask(arguments, f"Make new recovery codes for {user.email or user.id}? Earlier ones work no more.")
        made = recovery_codes.generate()
        passwords = PasswordHashPool(threads=1)
        try:
            hashes = await passwords.hash_codes([code.reveal() for code in made])
        finally:
            passwords.close()
        await factor_admin.replace_recovery_codes(admin_context(pool, user.project_id), user.id, hashes=hashes)
    return {"recovery_codes": [recovery_codes.shown(code) for code in made]}
