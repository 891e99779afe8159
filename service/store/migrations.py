"""Migrations: sql/migrations/NNNN_name.sql, in order, once, and never a changed one."""

import asyncio
import hashlib
import random
import re
import time
from dataclasses import dataclass
from pathlib import Path

from service.db import SQL, Connection, DatabaseFault, Queries, classify, connect
from service.store import user_texts

_sql = Queries("migrations")
_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
# First lines of files that don't run in one transaction.
_NO_TRANSACTION, _CONCURRENTLY = "-- no-transaction", "-- concurrently"
_INDEX = re.compile(r"create (?:unique )?index concurrently if not exists (\w+)")
# Any number that no other program takes a session lock on.
_LOCK = int.from_bytes(hashlib.sha256(b"accounts.migrations").digest()[:8], "big", signed=True)


# Seconds for queries to pass that a migration kept waiting while it waited itself; between two looks at the lock.
_REST, _LOOK = (0.2, 1.0), 0.2


class Busy(Exception):
    """Another migration has been under way all the time; nothing was changed."""


class MigrationDrift(Exception):
    """The database and the files disagree; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str
    checksum: str


@dataclass(frozen=True, slots=True)
class Applied:
    version: int
    checksum: str


def load(folder: Path = SQL / "migrations") -> list[Migration]:
    """Load the files. Raises MigrationDrift for a gap or a file that is not named NNNN_name.sql."""
    found = []
    for path in sorted(folder.iterdir()):
        match = _NAME.fullmatch(path.name)
        if not match:
            raise MigrationDrift(f"{path.name} is not named NNNN_name.sql")
        raw = path.read_bytes().replace(b"\r\n", b"\n")
        found.append(Migration(int(match[1]), match[2], raw.decode(), hashlib.sha256(raw).hexdigest()))
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationDrift("the migrations don't run from 0001 upwards without a gap")
    return found


async def migrate(url: str, folder: Path = SQL / "migrations", *, patience: float = 60) -> list[str]:
    """Apply missing migrations and return their names.

    `patience` in seconds is for another migration under way, and for each one to get its locks.
    """
    migrations = load(folder)
    connection = await connect(url)
    try:
        await _lock(connection, patience)
        await connection.execute(_sql.statements["create_migrations_table"].sql)
        done = {row.version: row.checksum for row in await _sql.all(connection, "applied_migrations", Applied)}
        _check_drift(migrations, done)
        missing = [migration for migration in migrations if migration.version not in done]
        for migration in missing:
            await _apply_with_retry(connection, migration, patience)
        # What depends on the server and not on the release: migrate does it later too, once the server has pg_trgm.
        if folder == SQL / "migrations" and (index := await user_texts.prepare(connection)):
            await _create_indexes(connection, index)
        return [f"{migration.version:04}_{migration.name}" for migration in missing]
    finally:
        await connection.close(timeout=5)


async def _lock(connection: Connection, patience: float) -> None:
    """Take the lock of migrations. Raises Busy.

    It is asked for again and again: a statement that waits for it would hold a snapshot, which `create index
    concurrently` of the other migration waits for.
    """
    until = time.monotonic() + patience
    while not await _sql.value(connection, "try_lock_migrations", number=_LOCK):
        if time.monotonic() > until:
            raise Busy
        await asyncio.sleep(_LOOK)


def _check_drift(migrations: list[Migration], done: dict[int, str]) -> None:
    if ahead := done.keys() - {migration.version for migration in migrations}:
        raise MigrationDrift(f"the schema is ahead of this code ({sorted(ahead)}): migrate with the newer release")
    for migration in migrations:
        if done.get(migration.version, migration.checksum) != migration.checksum:
            raise MigrationDrift(f"{migration.version:04}_{migration.name} was changed after it ran")


async def _apply_with_retry(connection: Connection, migration: Migration, patience: float) -> None:
    """Apply one, again after a lock timeout or a deadlock, which have changed nothing."""
    until = time.monotonic() + patience
    while True:
        try:
            return await _apply(connection, migration)
        except Exception as error:
            if classify(error) not in {DatabaseFault.CLASH, DatabaseFault.LATE} or time.monotonic() > until:
                raise
            await asyncio.sleep(random.uniform(*_REST))  # noqa: S311 - jitter


async def _apply(connection: Connection, migration: Migration) -> None:
    """Apply one in a transaction, unless the file's first line says otherwise.

    Such a file makes indexes concurrently, each in a statement of its own, or has transactions of its own.
    """
    facts = {"version": migration.version, "name": migration.name, "checksum": migration.checksum}
    if migration.sql.startswith(_CONCURRENTLY):
        await _create_indexes(connection, migration.sql)
        await _sql.run(connection, "record_migration", **facts)
        return
    if migration.sql.startswith(_NO_TRANSACTION):
        try:
            await connection.execute(migration.sql)
        except Exception:
            await connection.execute("rollback")  # the file's own transaction; a warning where there is none
            raise
        await _sql.run(connection, "record_migration", **facts)
        return
    async with connection.transaction():
        await connection.execute(_sql.statements["bound_lock_wait"].sql)
        await connection.execute(migration.sql)
        await _sql.run(connection, "record_migration", **facts)


async def _create_indexes(connection: Connection, text: str) -> None:
    """Run a file of `create index concurrently if not exists`, a statement at a time: several are one transaction.

    One that failed has left an invalid index, which is dropped first: the statement would take it for made.
    """
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    for statement in filter(None, (part.strip() for part in code.split(";"))):
        made = _INDEX.match(statement)
        if made and (drop := await _sql.value(connection, "drop_of_invalid_index", name=made[1])):
            await connection.execute(drop)
        await connection.execute(statement)
