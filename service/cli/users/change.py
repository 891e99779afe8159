"""Users of a project: the same operations as the Users API has, and the fields to print."""

import argparse
import sys
from dataclasses import asdict
from getpass import getpass
from typing import TYPE_CHECKING, Any

import orjson

from service.accounts import user_admin
from service.cli import arguments as kinds
from service.cli import confirmation
from service.cli.command_table import COMMANDS
from service.cli.commands import add_group, boolean, database, find_project
from service.cli.tables import Listing
from service.cli.users import erasure, exports, factors, identities, imports, passkeys, sessions, targets
from service.cli.users.commands import add_user_command, admin_context, find_user
from service.db import Pool
from service.store import user_search
from service.store.projects import Project
from service.store.user_lists import Page, UserFilter
from service.store.users import User

if TYPE_CHECKING:
    from service.settings import Settings


def add(verbs: Any) -> None:
    words = add_group(verbs, "users", COMMANDS["users"].text)
    listed = add_user_command(words, "list", _list, "list users, oldest first")
    listed.add_argument("--search", metavar="TEXT", help="part of an id, an address or a name")
    rows = kinds.whole(1, kinds.ROWS)
    text = f"at most so many, 1 to {kinds.ROWS}; 100 if not given"
    listed.add_argument("--limit", type=rows, default=100, metavar="N", help=text)
    listed.add_argument("--after", metavar="ID", help="those after this user")
    listed.add_argument("--newest", action="store_true", help="newest first")
    create = add_user_command(words, "create", _create, "make a user")
    create.add_argument("--id", help="1 to 36 of a-z A-Z 0-9 . _ -; made up if not given")
    change = add_user_command(words, "set", _set, "change a user; a new password ends all sessions", of_user=True)
    for made in (create, change):
        made.add_argument("--email")
        made.add_argument("--name")
        made.add_argument("--verified", type=boolean, metavar="on|off", help="whether the address is proved")
        made.add_argument("--labels", metavar="A,B", help="comma-separated; they replace earlier ones")
        made.add_argument("--password", action="store_true", help="read a password from standard input")
    for name, act, text in (
        ("show", _show, "show a user"),
        ("block", _block, "block a user at once"),
        ("unblock", _unblock, "let a blocked user in again"),
    ):
        add_user_command(words, name, act, text, of_user=True)
    deletion = add_user_command(
        words, "delete", _delete, "delete a user for good; the address is free again", of_user=True
    )
    confirmation.add(deletion)
    text = "delete a user with every trace of the person; the user may be gone already"
    erasure.add(add_user_command(words, "erase", erasure.run, text, of_user=True))
    sessions.add(words)
    factors.add(words)
    passkeys.add(words)
    targets.add(words)
    identities.add(words)
    exports.add(add_user_command(words, "export", exports.run, "write all users as lines of JSON, also with hashes"))
    imports.add(add_user_command(words, "import", imports.run, "make users whose passwords are known as hashes"))


def shown(user: User) -> dict[str, object]:
    """Return all fields but the hash."""
    facts: dict[str, object] = asdict(user)
    for hidden in ("project_id", "email_version", "password_hash"):
        del facts[hidden]
    return facts | {
        "has_password": user.password_hash is not None,
        "prefs": orjson.loads(user.prefs),
        "targets": orjson.loads(user.targets),
    }


async def _list(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        after = await find_user(pool, arguments.project, arguments.after) if arguments.after else None
        page = Page(descending=arguments.newest, cursor=after, limit=arguments.limit)
        asked = UserFilter(search=arguments.search)
        listing = await user_search.bound(pool, arguments.project, wanted=asked, page=page)
        found = await user_search.find(pool, arguments.project, listing)
    return Listing([shown(user) for user in found], ("id", "email", "name", "status", "email_verified", "created_at"))


async def _show(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        return shown(await find_user(pool, arguments.project, arguments.user))


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


async def _create(arguments: argparse.Namespace, settings: "Settings") -> object:
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


async def _set(arguments: argparse.Namespace, settings: "Settings") -> object:
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


async def _block(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        user = await find_user(pool, arguments.project, arguments.user)
        return shown(await user_admin.change_status(admin_context(pool, user.project_id), user.id, status="blocked"))


async def _unblock(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        user = await find_user(pool, arguments.project, arguments.user)
        return shown(await user_admin.change_status(admin_context(pool, user.project_id), user.id, status="active"))


async def _delete(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        user = await find_user(pool, arguments.project, arguments.user)
        confirmation.ask(arguments, f"Delete {user.email or user.id} with all sessions and open links?")
        await user_admin.delete(admin_context(pool, arguments.project), user.id)
    return {"deleted": user.id}
