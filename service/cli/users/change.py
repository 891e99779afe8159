"""Make, change, block and delete users: the same operations as the Users API has."""

import argparse
import sys
from getpass import getpass
from typing import TYPE_CHECKING, Any

from service.accounts import user_admin
from service.cli import confirmation
from service.cli.commands import database, find_project
from service.cli.users.commands import admin_context, find_user
from service.cli.users.show import shown
from service.db import Pool
from service.store.projects import Project
from service.store.users import User

if TYPE_CHECKING:
    from service.settings import Settings


def _checked(project: Project, arguments: argparse.Namespace) -> dict[str, Any]:
    """Check the given fields by the API's own rules; raises ArgumentInvalid."""
    from service.cli.users import fields  # noqa: PLC0415 - the web stack is not loaded to list projects

    given = {"id": getattr(arguments, "id", None), "email": arguments.email, "name": arguments.name}
    if arguments.labels is not None:
        given["labels"] = [label.strip() for label in arguments.labels.split(",") if label.strip()]
    if arguments.password:
        given["password"] = getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    return fields.check(project, given)


async def _hash(
    settings: "Settings", project: Project, given: dict[str, Any], pool: Pool, user: User | None
) -> str | None:
    """Hash a given password, judged as the API does; None without one. Raises AccountError."""
    from service.accounts import password_policy  # noqa: PLC0415 - the web stack is not loaded to list projects
    from service.cli.users import fields  # noqa: PLC0415 - nor here
    from service.crypto.password_hashing import PasswordHashPool  # noqa: PLC0415 - nor here

    if given["password"] is None:
        return None
    command = fields.Command(project)
    about = (given["id"], given["email"], given["name"], *(password_policy.personal_words(user) if user else ()))
    earlier = await password_policy.previous_hashes(command, pool, user) if user else ()
    passwords = PasswordHashPool(threads=1, breached=password_policy.breached(settings))
    try:
        return await password_policy.hash_new_password(
            command, passwords, given["password"].reveal(), about=about, earlier=earlier
        )
    finally:
        passwords.close()


async def create(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        project = await find_project(pool, arguments.project)
        given = _checked(project, arguments)
        operator = admin_context(pool, arguments.project)
        user = await user_admin.create(
            operator,
            user_id=given["id"],
            email=given["email"],
            name=given["name"],
            password_hash=await _hash(settings, project, given, pool, None),
            email_verified=bool(arguments.verified),
        )
        if given["labels"]:
            user = await user_admin.change_labels(operator, user.id, labels=given["labels"])
    return shown(user)


async def change(arguments: argparse.Namespace, settings: "Settings") -> object:
    """Set fields. The password is judged before any change; the address comes first, for it may be refused."""
    async with database(settings) as pool:
        user = await find_user(pool, arguments.project, arguments.user)
        project = await find_project(pool, arguments.project)
        given = _checked(project, arguments)
        password_hash = await _hash(settings, project, given, pool, user)
        operator = admin_context(pool, arguments.project)
        if given["email"] is not None:
            await user_admin.change_email(operator, user.id, email=given["email"])
        if given["name"] is not None:
            await user_admin.change_name(operator, user.id, name=given["name"])
        if arguments.verified is not None:
            await user_admin.change_verification(operator, user.id, email_verified=arguments.verified)
        if given["labels"] is not None:
            await user_admin.change_labels(operator, user.id, labels=given["labels"])
        if password_hash:
            kept = project.password_history
            await user_admin.change_password(operator, user.id, password_hash=password_hash, kept=kept)
        return shown(await find_user(pool, arguments.project, user.id))


async def block(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        user = await find_user(pool, arguments.project, arguments.user)
        return shown(await user_admin.change_status(admin_context(pool, user.project_id), user.id, status="blocked"))


async def unblock(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        user = await find_user(pool, arguments.project, arguments.user)
        return shown(await user_admin.change_status(admin_context(pool, user.project_id), user.id, status="active"))


async def delete(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        user = await find_user(pool, arguments.project, arguments.user)
        confirmation.ask(arguments, f"Delete {user.email or user.id} with all sessions and open links?")
        await user_admin.delete(admin_context(pool, arguments.project), user.id)
    return {"deleted": user.id}
