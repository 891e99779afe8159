"""Import of users, one JSON object a line; existing ones are left alone, so that it can run again."""

import argparse
import os
import stat
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from service.accounts import user_admin
from service.accounts.imported_users import Imported
from service.accounts.user_admin import AdminContext
from service.cli.commands import PartialFailure, UsageError, database, find_project
from service.cli.progress import Progress
from service.cli.users.commands import admin_context
from service.errors import ArgumentInvalid, UserExists
from service.store.projects import Project

if TYPE_CHECKING:
    from service.settings import Settings

_EPILOG = """\
A line: {"email": "ann@example.com", "id": "ann", "name": "Ann", "verified": true, "hash": "$2b$12$..."}
Also phone, phone_verified, labels, prefs and blocked, as `users export` writes them. Only email or phone is needed.
A hash is Argon2's ($argon2id$...), bcrypt's ($2b$...) or scrypt's
($scrypt$ln=15,r=8,p=1$SALT$HASH, both in base64 without padding); the next login replaces it.
"""


def add(made: argparse.ArgumentParser) -> None:
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.epilog = _EPILOG
    made.add_argument("file", nargs="?", default="-", help="- or nothing for standard input")


async def run(arguments: argparse.Namespace, settings: "Settings") -> object:
    """Import each line in a transaction of its own; raises PartialFailure if one could not be taken.

    People see each refused line when it is refused, programs all of them at the end.
    """
    imported, refused, existing, read = 0, [], 0, 0
    async with database(settings) as pool:
        project = await find_project(pool, arguments.project)
        operator = admin_context(pool, project.id)
        with _open(arguments.file) as file:
            progress = Progress(_size(file))
            for number, text in enumerate(file, 1):
                read += len(text)
                if not text.strip():
                    continue
                try:
                    await _take(operator, project, text)
                    imported += 1
                except (ArgumentInvalid, UserExists) as fault:
                    existing += isinstance(fault, UserExists)
                    refused.append(f"line {number}: {fault.render(legacy=False)[1]}")
                    if not arguments.json:
                        progress.line(refused[-1])
                progress.advance(read, f"{imported} imported, {len(refused)} refused")
            progress.clear()
    answer = {"imported": imported, "refused": refused if arguments.json else len(refused)}
    if refused:
        raise PartialFailure(answer, kind="exists" if existing == len(refused) else "wrong")
    return answer


def _open(path: str) -> BinaryIO:
    """Open a file, or standard input for `-`. Raises UsageError where it can't be read."""
    try:
        return sys.stdin.buffer if path == "-" else open(path, "rb")  # noqa: PTH123 - the caller closes it
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def _size(file: BinaryIO) -> int | None:
    """Return the bytes of a file; None for a pipe or a terminal."""
    try:
        found = os.fstat(file.fileno())
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


async def _take(operator: AdminContext, project: Project, text: bytes) -> None:
    from service.cli.users import fields  # noqa: PLC0415 - the web stack is not loaded to list projects
    from service.crypto.password_hashing import method_of  # noqa: PLC0415 - nor are the hashes

    line = fields.check_line(project, _object(text))
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
        phone=line.phone,
        imported=Imported(line.phone_verified, line.labels or (), fields.prefs_text(line), line.blocked),
    )


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ArgumentInvalid("this is no JSON object")
    return found
