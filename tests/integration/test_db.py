"""The pool: first in first out, bounded waits, and no connection that was cut or cancelled is used again."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from devstack.servers import free_port
from service import db
from service.db import Pool, Queries, describe_refusal, find_fault, transaction
from service.errors import Overloaded
from testkit.patience import PATIENCE


@pytest.fixture
async def two(database: str) -> AsyncIterator[Pool]:
    """A pool of two connections."""
    pool = Pool(database, size=2, name="test-pool", patience=5)
    yield pool
    await pool.close()
    assert pool._open == 0, "a connection was lost"


async def pid(connection) -> int:
    return await connection.fetchval("select pg_backend_pid()")


async def until(condition) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - Postgres and sockets can't be awaited
            await asyncio.sleep(0.01)


async def test_connections_come_in_turn(two: Pool):
    """The one that rested longest is handed out first, so that all stay warm."""
    first, second = await two.acquire(), await two.acquire()
    two.release(first)
    two.release(second)
    for wanted in (first, second, first):
        connection = await two.acquire()
        assert connection is wanted
        two.release(connection)


async def test_who_came_first_is_served_first(two: Pool):
    """Waiters get connections in the order of their coming; nobody who comes later slips in."""
    held = [await two.acquire(), await two.acquire()]
    served: list[int] = []

    async def wait(number: int) -> None:
        async with two.connection():
            served.append(number)

    tasks = []
    for number in range(6):
        tasks.append(asyncio.create_task(wait(number)))
        await asyncio.sleep(0)
    two.release(held.pop())
    tasks.append(asyncio.create_task(wait(6)))
    await asyncio.gather(*tasks)
    two.release(held.pop())
    assert served == [0, 1, 2, 3, 4, 5, 6]


async def test_waits_and_faults_are_counted(two: Pool):
    """For metrics: callers that had to wait and their seconds, connections by state, faults by name."""
    held = [await two.acquire(), await two.acquire()]
    waiting = asyncio.create_task(two.acquire())
    await until(lambda: two.waiting)
    assert (two.opened, two.idle, two.waits) == (2, 0, 1)
    await asyncio.sleep(0.02)
    two.release(held[0])
    assert await waiting is held[0]
    assert 0.02 <= two.waited < PATIENCE
    for connection in held:
        two.release(connection)
    assert two.idle == 2
    with pytest.raises(db.OutcomeUnknown):
        await two.execute("do $$ begin perform pg_terminate_backend(pg_backend_pid()); end $$")
    assert {name: count for name, count in two.faults.items() if count} == {"lost": 1}


async def test_waiting_is_bounded(database: str):
    """No free connection within the patience: Overloaded, with a word on when to come again."""
    assert db.ACQUIRE == 1.0
    pool = Pool(database, size=1, patience=0.05)
    async with pool.connection():
        with pytest.raises(Overloaded) as refused:
            await pool.fetchrow("select 1")
        assert refused.value.retry_after == 1
    assert (await pool.fetchrow("select 1"))[0] == 1
    await pool.close()
    assert pool._open == 0


async def test_a_pool_never_grows_beyond_its_size(two: Pool):
    """Fifty at once share two connections."""
    pids = await asyncio.gather(*(two.fetchrow("select pg_backend_pid() from pg_sleep(0.001)") for _ in range(50)))
    assert len({row[0] for row in pids}) == 2
    assert two._open == 2


async def test_a_connection_that_was_cut_is_replaced(two: Pool, pool: Pool):
    """Idle ones that Postgres ended are thrown away unseen; the pool is whole again."""
    connections = [await two.acquire(), await two.acquire()]
    dead = [await pid(connection) for connection in connections]
    for connection in connections:
        two.release(connection)
    await pool.execute("select pg_terminate_backend(n) from unnest($1::int[]) n", dead)
    await until(lambda: all(connection.is_closed() for connection in connections))
    alive = {(await two.fetchrow("select pg_backend_pid()"))[0] for _ in range(3)}
    assert not alive & set(dead)


async def test_a_connection_cut_in_use_is_replaced(two: Pool, pool: Pool):
    """The user of a connection that is cut gets an error that means "try again", the next caller a new one."""
    with pytest.raises(Exception) as failure:  # noqa: PT011, PT012 - any of Postgres's; the block is what is cut
        async with two.connection() as connection:
            dead = await pid(connection)
            running = asyncio.create_task(connection.execute("select pg_sleep(20)"))
            await asyncio.sleep(0)
            await pool.execute("select pg_terminate_backend($1)", dead)
            await running
    assert isinstance(find_fault(failure.value), Overloaded)
    assert (await two.fetchrow("select pg_backend_pid()"))[0] != dead


async def test_a_cancelled_query_takes_its_connection_along(two: Pool):
    """Its answer may still come: nobody else may ever read it."""
    async with two.connection() as connection:
        old = await pid(connection)

    async def slow() -> None:
        async with two.connection() as connection:
            assert await pid(connection) == old
            started.set()
            await connection.execute("select pg_sleep(20)")

    started = asyncio.Event()
    task = asyncio.create_task(slow())
    await started.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert two._open == 0
    assert (await two.fetchrow("select 7"))[0] == 7


async def test_a_waiter_who_leaves_leaks_nothing(database: str):
    """Cancelled while waiting, or in the very moment of being served: the connection goes to the next."""
    pool = Pool(database, size=1, patience=5)
    for moment in ("waiting", "served"):
        held = await pool.acquire()
        gone = asyncio.create_task(pool.acquire())
        patient = asyncio.create_task(pool.fetchrow("select 1"))
        await asyncio.sleep(0)
        if moment == "waiting":
            gone.cancel()
            await asyncio.sleep(0)
            pool.release(held)
        else:
            pool.release(held)
            gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        assert gone.cancelled()
        assert (await patient)[0] == 1
        assert (pool._open, len(pool._idle)) == (1, 1)
    await pool.close()


async def test_a_broken_connection_makes_room_for_a_waiter(database: str):
    """A caller that waits for a connection that broke opens a new one instead."""
    pool = Pool(database, size=1, patience=5)
    held = await pool.acquire()
    waiting = asyncio.create_task(pool.fetchrow("select 5"))
    await asyncio.sleep(0)
    pool.release(held, broken=True)
    assert (await waiting)[0] == 5
    await pool.close()
    assert pool._open == 0


async def test_a_postgres_that_is_away_leaks_nothing():
    """Failing to connect frees the place again, for everyone who waits too."""
    pool = Pool(f"postgres://u:p@127.0.0.1:{free_port()}/x", size=1, patience=5)
    found = await asyncio.gather(*(pool.fetchrow("select 1") for _ in range(5)), return_exceptions=True)
    assert all(isinstance(error, OSError) for error in found)
    assert pool._open == 0


async def test_a_transaction_is_all_or_nothing(pool: Pool):
    """An error inside undoes everything, and its connection is fit for use."""
    with pytest.raises(LookupError):  # noqa: PT012 - the block is what fails
        async with transaction(pool) as tx:
            await tx.execute("insert into projects (id, name) values ('half', '')")
            raise LookupError
    assert (await pool.fetchrow("select count(*) from projects"))[0] == 0
    assert pool._open == len(pool._idle)


async def test_a_connection_left_in_a_transaction_is_not_reused(two: Pool):
    """Somebody's open transaction must never be the next one's."""
    async with two.connection() as connection:
        old = await pid(connection)
        await connection.execute("begin")
    assert (await two.fetchrow("select pg_backend_pid()"))[0] != old


async def test_every_session_is_bounded(two: Pool):
    """Statement, lock and idle times are limited by the server itself, and times are UTC."""
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "timezone", "application_name")
    row = await two.fetchrow("select " + ", ".join(f"current_setting('{name}')" for name in names))
    assert tuple(row) == ("3s", "1250ms", "5s", "UTC", "test-pool")


async def test_what_postgres_means(pool: Pool):
    """Away, busy, locked or shutting down is "come again"; a fault of ours is none of Postgres's."""
    for code, busy in (("53300", True), ("55P03", True), ("57P01", True), ("40001", True), ("22012", False)):
        with pytest.raises(Exception) as failure:  # noqa: PT011 - any of Postgres's errors; what it means is checked below
            await pool.execute(f"do $$ begin raise exception 'x' using errcode = '{code}'; end $$")
        assert (find_fault(failure.value) is not None) is busy, code
        assert describe_refusal(failure.value) == "x"
    assert find_fault(ValueError()) is None
    assert describe_refusal(ValueError()) is None
    assert find_fault(ConnectionRefusedError()) is None, "of any peer: Postgres's is PostgresGone"


async def test_json_goes_in_and_out(pool: Pool):
    """Postgres takes and gives Python values as jsonb; what JSON has no word for is written as text."""
    given = uuid4()
    row = await pool.fetchrow("select $1::jsonb", {"a": [1, None, "ä"], "id": given})
    assert row[0] == {"a": [1, None, "ä"], "id": str(given)}


async def test_a_statement_wants_its_own_parameters(pool: Pool):
    """Too few or foreign names are told before Postgres is asked."""
    queries = Queries("users")
    with pytest.raises(TypeError, match="find_user takes"):
        await queries.value(pool, "find_user", project_id="shop")
    with pytest.raises(KeyError):
        await queries.value(pool, "find_user", project_id="shop", name="ann")
