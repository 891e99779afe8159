"""Export of users, one JSON object a line, as the import reads them; with their password hashes if asked."""

import argparse
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from service.cli.commands import UsageError, database, find_project
from service.cli.progress import Progress
from service.db import Executor
from service.store import user_lists
from service.store.user_lists import Page, UserFilter
from service.store.users import User

if TYPE_CHECKING:
    from service.settings import Settings

_PAGE = 1000
_NOT_EXPORTED = "sessions, second factors, passkeys, identities and push targets stay here"


def add(made: argparse.ArgumentParser) -> None:
    made.epilog = f"Lines are as `users import` reads them. {_NOT_EXPORTED.capitalize()}."
    made.add_argument("file", nargs="?", default="-", help="a new file, for you alone; - or nothing: standard output")
    made.add_argument("--hashes", action="store_true", help="with password hashes: keep the file as a secret")


async def run(arguments: argparse.Namespace, settings: "Settings") -> object:
    """Export all users, oldest first. Raises UsageError for a file that is there, or hashes to a terminal."""
    exported, skipped = 0, 0
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        with _opened(arguments) as file:
            progress = Progress(None)
            async for user in _all(pool, arguments.project):
                if user.email is None and user.phone is None:
                    skipped += 1
                    continue
                file.write(orjson.dumps(line(user, hashes=arguments.hashes), option=orjson.OPT_APPEND_NEWLINE))
                exported += 1
                progress.advance(exported, f"{exported} exported")
            progress.clear()
            file.flush()
    answer = {"exported": exported, "without_address_or_number": skipped}
    if arguments.file != "-":
        return answer
    sys.stderr.write(f"note: {exported} exported, {skipped} have neither address nor number; {_NOT_EXPORTED}.\n")
    return None


def line(user: User, *, hashes: bool) -> dict[str, Any]:
    """Return a user's facts under the import's names, without those that are empty."""
    found = {
        "id": user.id,
        "email": user.email,
        "verified": user.email_verified,
        "name": user.name,
        "phone": user.phone,
        "phone_verified": user.phone_verified,
        "labels": user.labels,
        "prefs": orjson.Fragment(user.prefs) if user.prefs != "{}" else None,
        "blocked": user.status == "blocked",
        "hash": user.password_hash if hashes else None,
    }
    return {name: value for name, value in found.items() if value}


async def _all(pool: Executor, project_id: str) -> AsyncIterator[User]:
    cursor: User | None = None
    while True:
        found = await user_lists.page(pool, project_id, wanted=UserFilter(), page=Page(cursor=cursor, limit=_PAGE))
        for user in found:
            yield user
        if len(found) < _PAGE:
            return
        cursor = found[-1]


def _opened(arguments: argparse.Namespace) -> AbstractContextManager[BinaryIO]:
    """Open a new file that only its owner reads, or standard output. Raises UsageError."""
    if arguments.file == "-":
        if arguments.hashes and sys.stdout.isatty():
            raise UsageError("hashes are not shown on a terminal: name a file")
        return nullcontext(sys.stdout.buffer)
    try:
        number = os.open(arguments.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageError(f"{arguments.file}: {error.strerror}") from None
    return os.fdopen(number, "wb")
