"""A migration is applied while the release before works (F12): its statements, kept in data/queries-0.2.0, go on.

They are sql/queries of release 0.2.0, unchanged. What a newer migration takes from them shows here.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from service.db import SQL, Pool, Statement
from service.db.error_mapping import DatabaseFault, classify
from service.db.statements import _read
from service.store import migrations
from testkit.waiting import until
from tests.conftest import Shared

_OLD = Path(__file__).parent / "data" / "queries-0.2.0"
# The migrations that 0.2.0 knew.
_KNOWN = 19
# What the migrations ask is not of the service at work.
_NOUNS = [path.stem for path in sorted(_OLD.glob("*.sql")) if path.stem != "migrations"]
OLD = {(noun, one.name): one for noun in _NOUNS for one in _read(_OLD / f"{noun}.sql")}
_MAIL, _EVENT, _LATER = UUID(int=1), UUID(int=2), datetime(2100, 1, 1, tzinfo=UTC)
# What a parameter means in the rows of `furnish`; null narrows a list by nothing; the rest is made up by its type.
_IDS = {
    "users": "ann", "sessions": "one", "tokens": "one", "projects": "shop",
    "events": _EVENT, "outbox": _MAIL, "outbox_admin": _MAIL,
}  # fmt: skip
_WORDS = {
    "project_id": "shop", "user_id": "ann", "session_id": "one", "token_id": "one", "mail_id": _MAIL,
    "email": "ann@example.com", "kind": "recovery", "state": "sent", "status": "active", "by": "created_at",
    "cause": "server", "changes": {"name": "Shop"}, "rows": [], "device": ["x"] * 12, "months": 120,
    "hostname": "b.test", "number": "1",
} | dict.fromkeys(["search", "emails", "statuses", "verified", "since", "cursor", "created_from"])  # fmt: skip
_BY_TYPE = {
    "text": "a", "int4": 1, "int8": 1, "float8": 1.0, "bool": True, "bytea": b"a", "jsonb": {}, "text[]": ["a"],
    "uuid[]": [_MAIL], "timestamptz": _LATER, "uuid": _MAIL, "varchar": "a", "int4[]": [1], "timestamptz[]": [_LATER],
}  # fmt: skip


@pytest.fixture
async def old(tmp_path: Path, shared_postgres: Shared) -> AsyncIterator[str]:
    """The address of a database with the schema of the release before."""
    for path in sorted((SQL / "migrations").glob("*.sql"))[:_KNOWN]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    async with shared_postgres.new_database() as url:
        await migrations.migrate(url, tmp_path)
        yield url


async def ask(conn: Any, noun: str, name: str, /, **facts: Any) -> list[Any]:
    """Run a statement of the release before; what it isn't given is made up."""
    statement = OLD[noun, name]
    return await conn.fetch(statement.sql, *await _values(conn, noun, statement, facts))


async def _values(conn: Any, noun: str, statement: Statement, facts: dict[str, Any]) -> list[Any]:
    known = {"id": _IDS.get(noun, "one")} | _WORDS | facts
    if all(name in known for name in statement.params):
        return [known[name] for name in statement.params]
    types = [parameter.name for parameter in (await conn.prepare(statement.sql)).get_parameters()]
    return [known.get(name, _BY_TYPE[kind]) for name, kind in zip(statement.params, types, strict=True)]


async def furnish(conn: Any) -> None:
    """A project, a user with a session, and a letter under way with its link and its event."""
    await ask(conn, "projects", "create_project")
    await ask(conn, "users", "make_user", ids=["ann"])
    await ask(conn, "sessions", "open_session")
    await ask(conn, "tokens", "issue_token", seconds=600)
    await ask(conn, "outbox", "post_mail")
    await ask(conn, "outbox", "claim_mail", lease=30)
    await ask(conn, "events", "record_event")


@pytest.mark.parametrize("noun", _NOUNS)
async def test_f12_the_release_before_runs_on_todays_schema(pool: Pool, noun: str):
    """Each of its statements: no column is gone, no new one has to be filled, no check is too strict for it."""
    async with pool.connection() as tx, _undone(tx):
        await furnish(tx)
        faults = {name: await _fault(tx, noun, name) for of, name in OLD if of == noun}
    assert faults
    assert faults == dict.fromkeys(faults)


async def _fault(conn: Any, noun: str, name: str) -> str | None:
    """Return why Postgres refuses a statement, if it does; a row that is there already is no reason."""
    try:
        async with _undone(conn):
            await ask(conn, noun, name)
    except asyncpg.UniqueViolationError:
        return None
    except asyncpg.PostgresError as error:
        return f"{type(error).__name__}: {error}"
    return None


@asynccontextmanager
async def _undone(conn: Any) -> AsyncIterator[None]:
    """A transaction, or a part of one, that leaves nothing."""
    act = conn.transaction()
    await act.start()
    try:
        yield
    finally:
        await act.rollback()


@dataclass
class Before:
    """An API and a worker of the release before, as far as sign-ins and the outbox go."""

    pool: Pool
    going: bool = True
    posted: list[UUID] = field(default_factory=list)
    sent: int = 0
    signed_in: int = 0
    faults: list[Exception] = field(default_factory=list)

    async def run(self) -> None:
        await asyncio.gather(*(self._again(act) for act in (self._post, self._post, self._send, self._sign_in)))

    async def _again(self, act: Any) -> None:
        while self.going:
            try:
                await act()
            except Exception as error:
                if classify(error) not in (DatabaseFault.CLASH, DatabaseFault.LATE):
                    raise
                self.faults.append(error)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Any]:
        """Open a transaction as that release did: it asked for its number, and knew no rows of acts."""
        async with self.pool.connection() as conn, conn.transaction():
            yield conn
            await ask(conn, "transactions", "stamp_transaction")

    async def _post(self) -> None:
        mail, token = uuid4(), uuid4().hex
        async with self._transaction() as tx:
            await ask(tx, "tokens", "issue_token", id=token, seconds=600)
            await ask(tx, "outbox", "post_mail", id=mail, token_id=token)
            await ask(tx, "events", "record_event", event_id=mail, token_id=token)
        self.posted.append(mail)

    async def _send(self) -> None:
        for mail in list(self.posted[self.sent :]):
            async with self._transaction() as tx:
                (claim,) = await ask(tx, "outbox", "claim_mail", id=mail, lease=30)
                await ask(tx, "outbox", "confirm_mail", id=mail, attempt=claim["attempts"])
            self.sent += 1
        async with self.pool.connection() as conn:
            await ask(conn, "events", "take_events")

    async def _sign_in(self) -> None:
        session, secret = uuid4().hex, uuid4().bytes
        async with self._transaction() as tx:
            await ask(tx, "users", "lock_user")
            await ask(tx, "users", "touch_user")
            await ask(tx, "sessions", "open_session", id=session, secret_hash=secret, seconds=600)
        async with self.pool.connection() as conn:
            assert await ask(conn, "users", "find_member_by_secret", secret_hash=secret)
            await ask(conn, "sessions", "close_session", id=session)
        self.signed_in += 1


async def test_f12_a_migration_under_the_release_before(old: str):
    """Migrated to today's schema while it works: it waits or tries again at most, and then goes on as ever."""
    pool = Pool(old, size=5, name="before")
    async with pool.connection() as conn:
        await furnish(conn)
    before = Before(pool)
    running = asyncio.create_task(before.run())
    try:
        await until(lambda: before.sent > 20 or running.done())
        applied = await migrations.migrate(old)
        assert len(applied) == len(migrations.load()) - _KNOWN > 0
        seen, signed_in = before.sent, before.signed_in
        await until(
            lambda: (before.sent > seen + 20 and before.signed_in > signed_in) or running.done(),
            what="it does not go on",
        )
    finally:
        before.going = False
        await running
    assert await pool.fetchrow("select count(*) from mails where state = 'sent'") == (before.sent,)
    await pool.close()
