"""`webhooks deliveries|replay`: what a webhook was posted and is owed, and events owed to it once more."""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from service.cli import arguments as kinds
from service.cli.commands import NotFound, UsageError, database, find_project
from service.cli.tables import Listing
from service.cli.webhooks import values
from service.db import Executor
from service.store import webhooks
from service.store.webhooks import Endpoint

if TYPE_CHECKING:
    from service.settings import Settings

_COLUMNS = ("number", "event_id", "type", "user_id", "at", "state", "attempts", "last_status", "last_fault")
_REPLAY = "post events once more, under the same ids; also those that it was never owed"


def add(words: Any, add_verb: Callable[..., argparse.ArgumentParser]) -> None:
    listed = add_verb(words, "deliveries", _list, "list what a webhook was posted or is owed, the newest first")
    listed.add_argument(
        "--state", dest="states", action="append", choices=webhooks.STATES, help="may be given several times"
    )
    listed.add_argument(
        "--limit", type=kinds.whole(1, 1000), default=50, metavar="N", help="at most so many; 50 if not given"
    )
    listed.add_argument("--before", type=kinds.whole(1, 2**36), metavar="NUMBER", help="older ones than this")
    replay = add_verb(words, "replay", _replay, _REPLAY)
    replay.add_argument("--event", dest="events", type=UUID, action="append", metavar="ID", help="this one; repeatable")
    replay.add_argument("--since", type=values.moment, metavar="TIME", help="all from then on, such as 3h")
    replay.add_argument("--until", type=values.moment, metavar="TIME", help="with --since: those before")


async def _list(arguments: argparse.Namespace, settings: "Settings") -> object:
    place = (arguments.project, arguments.webhook)
    async with database(settings) as pool:
        await get(pool, *place)
        found = await webhooks.page_deliveries(
            pool, *place, states=arguments.states, before=arguments.before, most=arguments.limit
        )
    return Listing([asdict(each) | {"event_id": str(each.event_id)} for each in found], _COLUMNS)


async def _replay(arguments: argparse.Namespace, settings: "Settings") -> object:
    if bool(arguments.events) == bool(arguments.since) or (arguments.until and not arguments.since):
        raise UsageError("either --event, or --since with or without --until")
    place = (arguments.project, arguments.webhook)
    async with database(settings) as pool:
        await get(pool, *place)
        if arguments.events:
            owed = await webhooks.replay(pool, *place, arguments.events)
        else:
            until = arguments.until or datetime.now(UTC)
            owed = await webhooks.replay_since(pool, *place, since=arguments.since, until=until)
    return {"owed": owed}


async def get(conn: Executor, project_id: str, endpoint_id: str) -> Endpoint:
    """Find a webhook. Raises NotFound."""
    await find_project(conn, project_id)
    found = await webhooks.find(conn, project_id, endpoint_id)
    if found is None:
        raise NotFound(f"{project_id} has no webhook {endpoint_id}")
    return found
