"""Delete a project with its users, keys, mails and security log."""

import argparse
from typing import TYPE_CHECKING, Any

from service.cli import confirmation
from service.cli.commands import NotFound, add_command, database, find_project
from service.cli.progress import Progress
from service.store import project_deletion

if TYPE_CHECKING:
    from service.settings import Settings

_COUNTED = 100_001
_TEXT = "delete a project with its users, sessions, keys, mails and security log, for good"


def add(words: Any) -> None:
    made = add_command(words, "delete", _delete, _TEXT)
    made.add_argument("id")
    confirmation.add(made)


async def _delete(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        await find_project(pool, arguments.id)
        extent = await project_deletion.extent(pool, arguments.id, most=_COUNTED)
        has = f"{_number(extent.users)} users, {_number(extent.keys)} keys, {_number(extent.owed_mails)} unsent mails"
        confirmation.ask_for(arguments, f"Delete {arguments.id} with {has}?", word=arguments.id)
        progress = Progress(extent.users if extent.users < _COUNTED else None)
        counts = await project_deletion.delete(
            pool, arguments.id, report=lambda counts: progress.advance(counts["users"], f"{counts['users']} users")
        )
        progress.clear()
    if counts is None:
        raise NotFound(f"no project {arguments.id}")
    return {"deleted": arguments.id, **counts}


def _number(count: int) -> str:
    return f"{count:,}" if count < _COUNTED else f"more than {_COUNTED - 1:,}"
