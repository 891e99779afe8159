"""Dump of an Appwrite database: what MariaDB's own program has dumped, or one JSON object a line for each user.

It is read and checked as a whole before the first user is taken; until the end its rows are in a temporary database,
a file without a name that SQLite writes once they don't fit into its memory.
"""

import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any, Self

import orjson

from service.cli.appwrite import dump_tables, sql_dump
from service.cli.appwrite.dump_tables import PROJECTS, USERS, Entry
from service.cli.appwrite.server_api import PAGE, SourcePage
from service.cli.commands import UsageError
from service.crypto import appwrite_hashes
from service.crypto.appwrite_hashes import UnfitHash, WrongKey
from service.crypto.secret import Secret
from service.db.statements import SQL

_FILE = SQL / "sqlite" / "appwrite_dump.sql"
_STATEMENTS = dict(part.split("\n", 1) for part in _FILE.read_text().split("-- name: ")[1:])
# What the API doesn't tell, or not whole.
_UNTOLD = ("password", "hash", "hashOptions", "passwordUpdate", "mfaRecoveryCodes", "identities", "authenticators")
_OTHERS = (
    (b"PGDMP", "a dump of Postgres"),
    (b"-- PostgreSQL", "a dump of Postgres"),
    (b"--\n-- PostgreSQL", "a dump of Postgres"),
    (b"<?xml", "XML, which can't hold every name"),
)
# So many encrypted values are tried: a key that opens none of them is another one.
_SAMPLE = 20
_KEY_PLACES = "APPWRITE_OPENSSL_KEY, or in the file of --dump-key-file"


@dataclass(slots=True)
class Dump:
    """Users of one project, each with the rows of other tables that are the user's."""

    path: str
    project: str = ""
    total: int = 0
    _database: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(""), repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _: object, _trace: TracebackType | None) -> None:
        self._database.close()

    def _rows(self, statement: str, **facts: str | int) -> list[Any]:
        return self._database.execute(_STATEMENTS[statement], facts).fetchall()

    async def pages(self, cursor: str) -> AsyncIterator[SourcePage]:
        """Read all users after one, whose number in the dump is the cursor."""
        last = int(cursor) if cursor.isascii() and cursor.isdigit() else 0
        while found := self._rows("list_users", project=self.project, kind=USERS, last=last, most=PAGE):
            users = [orjson.loads(body) | self._more(user) for _, user, body in found]
            last = found[-1][0]
            yield SourcePage(users, str(last), self.total)

    def untold(self, user_id: str) -> dict[str, Any]:
        """Return what the API doesn't tell of a user."""
        rows = self._rows("find_user", project=self.project, kind=USERS, user=user_id)
        found = (orjson.loads(rows[0][0]) if rows else {}) | self._more(user_id)
        return {name: found[name] for name in _UNTOLD if name in found}

    def _more(self, user_id: str) -> dict[str, Any]:
        """Return the user's rows of other tables, by table."""
        found: dict[str, Any] = {}
        for kind, body in self._rows("list_rows_of_user", project=self.project, user=user_id, users=USERS):
            found.setdefault(kind, []).append(orjson.loads(body))
        return found

    def check_key(self, key: Secret | None, *, passwords: bool, factors: bool) -> None:
        """Raise UsageError if there is something encrypted, and the key opens none of it."""
        fault = ""
        kinds = [USERS] * passwords + ["authenticators"] * factors
        for row in [
            each for kind in kinds for each in self._rows("list_sealed", project=self.project, kind=kind, most=_SAMPLE)
        ]:
            try:
                appwrite_hashes.decrypt(row[0], key)
            except WrongKey as found:
                fault = f"{found}: give Appwrite's _APP_OPENSSL_KEY_V1 in {_KEY_PLACES}"
                continue
            except UnfitHash:
                continue
            return
        if fault:
            raise UsageError(f"{self.path} {fault}")

    def read(self, source_project: str | None) -> None:
        """Read and check it all, and choose the project. Raises UsageError."""
        with sql_dump.opened(self.path) as file:
            head = file.read(200)
        for beginning, what in _OTHERS:
            if head.startswith(beginning):
                raise UsageError(f"{self.path} is {what}: only dumps of MariaDB and MySQL are read, and JSON lines")
        is_sql = sql_dump.is_one(head)
        try:
            self._fill(dump_tables.entries(self.path) if is_sql else _json_lines(self.path))
        except sqlite3.OperationalError as error:
            raise UsageError(f"a temporary file in TMPDIR, or else in /var/tmp, can't be written: {error}") from None
        counts = dict(self._rows("count_users", kind=USERS))
        if is_sql:
            named = dict(self._rows("list_projects", kind=PROJECTS))
            self.project = dump_tables.choose(self.path, source_project, [*counts], named)
        elif not counts:
            raise UsageError(f"{self.path} is empty")
        self.total = counts[self.project]

    def _fill(self, entries: Iterable[Entry]) -> None:
        self._rows("create_entries")
        self._database.executemany(_STATEMENTS["add_entry"], (asdict(each) for each in entries))
        self._rows("create_index_by_number")
        self._rows("create_index_by_user")


def _json_lines(path: str) -> Iterator[Entry]:
    with sql_dump.opened(path) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _entry(path, number, line)


def _entry(path: str, number: int, line: bytes) -> Entry:
    try:
        return dump_tables.entry("", USERS, number, dict(orjson.loads(line)))
    except (ValueError, TypeError):
        raise UsageError(f"{path}: line {number} is no user in JSON, or is cut off") from None
