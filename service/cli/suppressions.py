"""Addresses that get no mail of a project, because their mailboxes refuse it (docs/bounces.md)."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from service.cli import arguments as kinds
from service.cli.command_table import COMMANDS
from service.cli.commands import NotFound, add_command, add_group, database, find_project
from service.cli.tables import Listing

if TYPE_CHECKING:
    from service.settings import Settings

_COLUMNS = ("recipient", "cause", "since", "until", "mail_id")


def add(verbs: Any) -> None:
    words = add_group(verbs, "suppressions", COMMANDS["suppressions"].text)
    listed = add_command(words, "list", _list, "list suppressed addresses, newest first")
    listed.add_argument("project")
    listed.add_argument("address", nargs="?", type=kinds.recipient, help="this one only")
    listed.add_argument("--limit", type=kinds.whole(1, kinds.ROWS), default=100, metavar="N", help="100 if not given")
    listed.add_argument("--recipients", action="store_true", help="whole addresses instead of masked ones")
    added = add_command(words, "add", _add, "send an address no mail")
    added.add_argument("project")
    added.add_argument("address", type=kinds.recipient)
    added.add_argument(
        "--days", type=kinds.whole(1, kinds.DAYS), metavar="N", help="for so long; SUPPRESSION_DAYS if not given"
    )
    lifted = add_command(words, "lift", _lift, "let an address have mail again")
    lifted.add_argument("project")
    lifted.add_argument("address", type=kinds.recipient)


async def _list(arguments: argparse.Namespace, settings: "Settings") -> object:
    from service.store import outbox_admin, suppressions  # noqa: PLC0415 - --help need not wait for these

    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        found = await suppressions.find_all(
            pool, settings.key_ring, arguments.project, address=arguments.address, most=arguments.limit
        )
    rows = [asdict(each) | {"recipient": each.recipient or arguments.address} for each in found]
    if not arguments.recipients:
        rows = [row | {"recipient": outbox_admin.mask_address(row["recipient"] or "")} for row in rows]
    return Listing(rows, _COLUMNS)


async def _add(arguments: argparse.Namespace, settings: "Settings") -> object:
    from service.store import suppressions  # noqa: PLC0415 - as above

    days = arguments.days or settings.suppression_days
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        await suppressions.suppress(
            pool, settings.key_ring, arguments.project, address=arguments.address, cause="operator", days=days
        )
    return {"project": arguments.project, "suppressed": arguments.address, "days": days}


async def _lift(arguments: argparse.Namespace, settings: "Settings") -> object:
    from service.store import suppressions  # noqa: PLC0415 - as above

    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        if not await suppressions.lift(pool, settings.key_ring, arguments.project, address=arguments.address):
            raise NotFound(f"{arguments.project} has not suppressed {arguments.address}")
    return {"project": arguments.project, "lifted": arguments.address}
