"""Dump of Appwrite's users: one JSON object a line, with the names of the database's columns or of the API."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson

from service.cli.appwrite_source import PAGE, SourcePage
from service.cli.commands import UsageError

# Columns of the database that are called otherwise in the API.
_COLUMNS = {"_uid": "$id", "_createdAt": "$createdAt", "_updatedAt": "$updatedAt"}
# Columns of JSON, which a dump has as text.
_JSON = ("labels", "prefs", "hashOptions", "targets")
_HASH = ("password", "hash", "hashOptions", "passwordUpdate")


async def pages(path: str, cursor: str) -> AsyncIterator[SourcePage]:
    """Read all users after a line, which is the cursor. Raises UsageError."""
    found: list[dict[str, Any]] = []
    number = first = int(cursor) if cursor.isascii() and cursor.isdigit() else 0
    for number, user in _users(path, after=first):
        found.append(user)
        if len(found) == PAGE:
            yield SourcePage(found, str(number))
            found = []
    if found:
        yield SourcePage(found, str(number))


def hashes(path: str) -> dict[str, dict[str, Any]]:
    """Read what a dump says of each user's password, by the user's id. Raises UsageError."""
    return {
        str(user.get("$id")): {name: user[name] for name in _HASH if name in user} for _, user in _users(path, after=0)
    }


def _users(path: str, *, after: int) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with Path(path).open("rb") as file:
            for number, line in enumerate(file, 1):
                if number > after and line.strip():
                    yield number, _user(path, number, line)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def _user(path: str, number: int, line: bytes) -> dict[str, Any]:
    try:
        row: dict[str, Any] = dict(orjson.loads(line))
        for name in _JSON:
            if isinstance(row.get(name), str):
                row[name] = orjson.loads(row[name]) if row[name] else None
    except (ValueError, TypeError):
        raise UsageError(f"{path}: line {number} is no user in JSON, or is cut off") from None
    return {_COLUMNS.get(name, name): value for name, value in row.items()}
