"""Import of users, one JSON object a line; existing ones are left alone, so that it can run again."""

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import orjson

from service.accounts import user_admin
from service.accounts.user_admin import AdminContext
from service.cli.commands import PartialFailure, UsageError, database, find_project
from service.cli.user_commands import admin_context
from service.crypto.password_hashing import method_of
from service.errors import ArgumentInvalid, UserExists
from service.settings import Settings
from service.store.projects import Project

_EPILOG = """\
A line: {"email": "ann@example.com", "id": "ann", "name": "Ann", "verified": true, "hash": "$2b$12$..."}
Only email is needed. A hash is Argon2's ($argon2id$...), bcrypt's ($2b$...) or scrypt's
($scrypt$ln=15,r=8,p=1$SALT$HASH, both in base64 without padding); the next login replaces it.
"""


def add(made: argparse.ArgumentParser) -> None:
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.epilog = _EPILOG
    made.add_argument("file", nargs="?", default="-", help="- or nothing for standard input")


async def run(arguments: argparse.Namespace, settings: Settings) -> object:
    """Import each line in a transaction of its own; raises PartialFailure if one could not be taken."""
    imported, refused, existing = 0, [], 0
    async with database(settings) as pool:
        project = await find_project(pool, arguments.project)
        operator = admin_context(pool, project.id)
        for number, text in enumerate(_lines(arguments.file), 1):
            try:
                await _take(operator, project, text)
                imported += 1
            except (ArgumentInvalid, UserExists) as fault:
                existing += isinstance(fault, UserExists)
                refused.append(f"line {number}: {fault.render(legacy=False)[1]}")
    answer = {"imported": imported, "refused": refused}
    if refused:
        raise PartialFailure(answer, exists_only=existing == len(refused))
    return answer


def _lines(path: str) -> Iterator[bytes]:
    """Read the lines that are not empty."""
    try:
        with sys.stdin.buffer if path == "-" else open(path, "rb") as file:  # noqa: PTH123 - or standard input
            yield from (line for line in file if line.strip())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


async def _take(operator: AdminContext, project: Project, text: bytes) -> None:
    from service.cli import user_input  # noqa: PLC0415 - the web stack is not loaded to list projects

    line = user_input.check_line(project, _object(text))
    password_hash = line.hash.reveal() if line.hash else None
    if password_hash is not None and method_of(password_hash) is None:
        raise ArgumentInvalid("the hash is of no kind that is known here, or costs too much to prove")
    await user_admin.create(
        operator,
        user_id=line.id,
        email=line.email,
        name=line.name,
        password_hash=password_hash,
        email_verified=line.verified,
    )


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ArgumentInvalid("this is no JSON object")
    return found
