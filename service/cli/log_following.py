"""Lines of the security log for a SIEM: rows of whole months, or new ones as they come, by the feed's numbers.

The cursor is written after the lines: interrupted in between, some lines come twice, and none is left out.
"""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from service.cli.commands import NotFound, UsageError, database, find_project
from service.cli.log_formats import FORMATS
from service.db import Executor, transaction
from service.store import event_feed, log_chain

if TYPE_CHECKING:
    from service.settings import Settings

# Events of a page, and seconds between two looks at a feed that has nothing new.
_PAGE, _PAUSE = 500, 1.0


async def export(arguments: argparse.Namespace, settings: "Settings") -> object:
    """Print the rows of a project's chains, month by month in their order. Raises NotFound."""
    write = FORMATS[arguments.format]
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        months = [each.month for each in await log_chain.chains(pool, arguments.project)]
        if arguments.month not in (None, *months):
            raise NotFound(f"no chain of {arguments.month}")
        for month in months:
            if arguments.month in (None, month):
                async with transaction(pool, arguments.project) as tx:
                    if chain := await log_chain.look(tx, arguments.project, month):
                        async for row in log_chain.read(tx, arguments.project, chain):
                            _print(write(arguments.project, row))
    return None


async def follow(arguments: argparse.Namespace, settings: "Settings") -> object:
    """Print what comes into the log after the cursor; for ever, or up to what is there. Raises UsageError."""
    after = _read_cursor(arguments.cursor)
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        await event_feed.open_feed(pool, arguments.project)
        while True:
            page = await event_feed.page(pool, arguments.project, after=after, most=_PAGE)
            if after < page.deleted_through and after > 0:
                raise UsageError(f"events up to {page.deleted_through} are deleted, the cursor is {after}: begin anew")
            if after > page.last_number:
                raise UsageError(f"the cursor {after} is beyond the newest event {page.last_number}: begin anew")
            if page.events:
                await _print_page(pool, arguments, page)
                after = page.events[-1].number
                _write_cursor(arguments.cursor, after)
            elif arguments.once:
                return None
            else:
                await asyncio.sleep(_PAUSE)


async def _print_page(conn: Executor, arguments: argparse.Namespace, page: event_feed.FeedPage) -> None:
    """Print the rows of a page's events; not those that were erased or dropped for their age meanwhile."""
    ids = [event.id for event in page.events]
    rows = {row.id: row for row in await log_chain.rows(conn, arguments.project, ids)}
    for event in page.events:
        if row := rows.get(event.id):
            _print(FORMATS[arguments.format](arguments.project, row))
    sys.stdout.buffer.flush()


def _print(line: dict[str, object]) -> None:
    sys.stdout.buffer.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def _read_cursor(path: str | None) -> int:
    """Return the number after which to go on; 0 without a file. Raises UsageError."""
    if path is None or not Path(path).exists():
        return 0
    text = Path(path).read_text(errors="replace").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise UsageError(f"{path} holds no cursor")
    return int(text)


def _write_cursor(path: str | None, number: int) -> None:
    """Replace the file in one step: a crash leaves the old or the new one."""
    if path is not None:
        new = Path(f"{path}.new")
        new.write_text(f"{number}\n")
        new.replace(path)
