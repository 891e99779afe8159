"""Test accounts of a project: addresses whose mailed codes may also be a fixed one (docs/accounts.md)."""

import argparse
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from service.cli import arguments as kinds
from service.cli.command_table import COMMANDS
from service.cli.commands import NotFound, UsageError, add_command, add_group, database, find_project
from service.cli.tables import Listing

if TYPE_CHECKING:
    from service.settings import Settings

_LONGEST_DAYS = 365


def add(verbs: Any) -> None:
    words = add_group(verbs, "test-accounts", COMMANDS["test-accounts"].text)
    create = add_command(words, "create", _create, "give an address a fixed code; it is shown this once")
    create.add_argument("project")
    create.add_argument("address", type=kinds.recipient, help="at one of the project's --test-domains")
    create.add_argument(
        "--days",
        type=kinds.whole(1, _LONGEST_DAYS),
        default=30,
        metavar="N",
        help=f"days until it expires, 1 to {_LONGEST_DAYS}; 30 if not given",
    )
    listed = add_command(words, "list", _list, "list test accounts, those too that have expired in the last month")
    listed.add_argument("project")
    listed.add_argument("--limit", type=kinds.whole(1, kinds.ROWS), default=100, metavar="N", help="100 if not given")
    delete = add_command(words, "delete", _delete, "make a fixed code useless at once; the account stays")
    delete.add_argument("project")
    delete.add_argument("address", type=kinds.recipient)


async def _create(arguments: argparse.Namespace, settings: "Settings") -> object:
    from service.crypto import code_secrets  # noqa: PLC0415 - --help need not wait for these
    from service.crypto.secret import Secret  # noqa: PLC0415 - as above
    from service.store import test_accounts  # noqa: PLC0415 - as above

    code = f"{secrets.randbelow(10**code_secrets.DIGITS):0{code_secrets.DIGITS}}"
    async with database(settings) as pool:
        project = await find_project(pool, arguments.project)
        if not test_accounts.may_have_one(project, arguments.address):
            raise UsageError(f"{arguments.address} is at none of {arguments.project}'s --test-domains")
        saved = await test_accounts.save(
            pool, settings.key_ring, project.id, email=arguments.address, code=Secret(code), days=arguments.days
        )
    return {"project": project.id, "email": saved.email, "code": code, "expires_at": saved.expires_at}


async def _list(arguments: argparse.Namespace, settings: "Settings") -> object:
    from service.store import test_accounts  # noqa: PLC0415 - as above

    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        found = await test_accounts.find_all(pool, arguments.project, most=arguments.limit)
    columns = ("email", "created_at", "expires_at", "expired", "uses", "used_at")
    return Listing([asdict(each) for each in found], columns)


async def _delete(arguments: argparse.Namespace, settings: "Settings") -> object:
    from service.store import test_accounts  # noqa: PLC0415 - as above

    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        if not await test_accounts.delete(pool, arguments.project, email=arguments.address):
            raise NotFound(f"{arguments.project} has no test account {arguments.address}")
    return {"project": arguments.project, "deleted": arguments.address}
