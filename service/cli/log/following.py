"""Lines of the security log for a SIEM: rows of whole months, or new ones as they come, by the feeds' numbers.

A cursor is written after the lines: interrupted in between, some lines come twice, and none is left out.
"""

import argparse
import asyncio
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from service.cli.commands import NotFound, UsageError, database, find_project
from service.cli.log import syslog_connection
from service.cli.log.cursors import Cursors
from service.cli.log.formats import FORMATS
from service.cli.log.outputs import Item, Printed, Sent
from service.cli.log.syslog_connection import Lost
from service.db import Pool, transaction
from service.store import event_feed, log_chain, projects

if TYPE_CHECKING:
    from service.settings import Settings

# Events of a page, and seconds between two looks at feeds that have nothing new.
_PAGE, _PAUSE = 500, 1.0
_RESEND = 1000
_NEW = ": begin anew"


def add_options(follow: argparse.ArgumentParser) -> None:
    """Add the options of `log follow` that `log export` lacks."""
    follow.add_argument("project", metavar="ID", nargs="*", help="projects; without one all, also those to come")
    follow.add_argument(
        "--cursor", metavar="PATH", type=Path,
        help="where to keep how far it came: a file; a folder with a file for each unless just one project is named",
    )  # fmt: skip
    follow.add_argument("--once", action="store_true", help="end when all is handed on that is there")
    follow.add_argument("--syslog", metavar="URL", help="send to tls://host:port instead of printing")
    follow.add_argument("--ca", metavar="FILE", help="the authorities that the receiver's certificate is checked by")
    follow.add_argument("--client-cert", metavar="FILE", help="a certificate of our own with its key, in PEM")
    follow.add_argument("--unencrypted", action="store_true", help="allow syslog+tcp:// to other machines")
    follow.add_argument(
        "--resend", type=int, default=_RESEND, metavar="N",
        help=f"events of each project that are sent once more after connecting; {_RESEND} unless given",
    )  # fmt: skip


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
                    if chain := await log_chain.find_in_snapshot(tx, arguments.project, month):
                        async for row in log_chain.read(tx, arguments.project, chain):
                            line = write(arguments.project, row)
                            sys.stdout.buffer.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    return None


async def follow(arguments: argparse.Namespace, settings: "Settings") -> object:
    """Hand on what comes into the log after the cursors, until SIGTERM; or up to what is there. Raises UsageError."""
    output = _output(arguments)
    cursors = Cursors(arguments.cursor, in_folder=len(arguments.project) != 1)
    cursors.check()
    async with database(settings) as pool:
        for name in arguments.project:
            await find_project(pool, name)
        with _ended_by_sigterm():
            try:
                await _Following(pool, output, cursors, arguments.project).run(once=arguments.once)
            finally:
                output.close()
    return None


def _output(arguments: argparse.Namespace) -> Printed | Sent:
    if arguments.syslog is None:
        return Printed(arguments.format)
    if arguments.resend < 0:
        raise UsageError("--resend is 0 or more")
    try:
        to = syslog_connection.receiver(
            arguments.syslog, ca=arguments.ca, client_cert=arguments.client_cert, plain=arguments.unencrypted
        )
    except ValueError as error:
        raise UsageError(f"--syslog: {error}") from None
    return Sent(arguments.format, to, arguments.resend, arguments.once)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """End the block at SIGTERM, as the first process of a container has to by itself."""
    task, stopped = asyncio.current_task(), threading.Event()
    if task is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop() -> None:
        stopped.set()
        task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    try:
        yield
    except asyncio.CancelledError:
        if not stopped.is_set():
            raise
        task.uncancel()


class _Following:
    """All projects' feeds, and an output: how far each is handed on, and the place where it is read."""

    def __init__(self, pool: Pool, output: Printed | Sent, cursors: Cursors, names: list[str]) -> None:
        self._pool, self._output, self._cursors, self._names = pool, output, cursors, names
        self._done: dict[str, int] = {}
        self._places: dict[str, int] = {}

    async def run(self, *, once: bool) -> None:
        """Follow for ever, or once. Raises UsageError for a cursor that is of no use."""
        while True:
            if await self._output.connect():
                self._places.clear()
            more = True
            with suppress(Lost):  # the next round connects anew
                more = await self._hand_on_all()
            if once and not more:
                return
            if not more:
                await asyncio.sleep(_PAUSE)

    async def _hand_on_all(self) -> bool:
        """Hand on a page of each project; return whether there was any. Raises Lost."""
        names = self._names or [each.id for each in await projects.list_all(self._pool)]
        return any([await self._hand_on(name) for name in names])

    async def _hand_on(self, project_id: str) -> bool:
        if project_id not in self._done:
            self._done[project_id] = self._cursors.read(project_id)
            await event_feed.open_feed(self._pool, project_id)
        done = self._done[project_id]
        after = self._places.get(project_id, max(0, done - self._output.resend))
        page = await event_feed.page(self._pool, project_id, after=after, most=_PAGE)
        if 0 < done < page.deleted_through:
            raise UsageError(
                f"{project_id}: events up to {page.deleted_through} are deleted, the cursor is {done}{_NEW}"
            )
        if done > page.last_number:
            raise UsageError(f"{project_id}: the cursor {done} is beyond the newest event {page.last_number}{_NEW}")
        if page.events:
            await self._output.send(project_id, await self._items(project_id, page))
            after = page.events[-1].number
        self._places[project_id] = after
        if after > done:
            self._done[project_id] = after
            self._cursors.write(project_id, after)
        return bool(page.events)

    async def _items(self, project_id: str, page: event_feed.FeedPage) -> list[Item]:
        """Return the rows of a page's events; not those that were erased or dropped for their age meanwhile."""
        ids = [event.id for event in page.events]
        rows = {row.id: row for row in await log_chain.rows(self._pool, project_id, ids)}
        return [Item(event.number, rows[event.id]) for event in page.events if event.id in rows]
