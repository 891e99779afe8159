"""Lost lines to Postgres: reads are repeated, a COMMIT is found out about, hosts are chosen, and nothing piles up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from devstack.servers import free_port
from service.db import OutcomeUnknown, Pool, transaction
from service.db.connections import hosts
from service.db.pool import WAITING
from service.errors import Overloaded
from testkit.postgres import PostgresServer, postgres_server, session
from testkit.proxy import Proxy
from testkit.waiting import until

INSERT = "insert into projects (id, name) values ('once', '')"


@asynccontextmanager
async def line_to(database: str, *, size: int = 2) -> AsyncIterator[tuple[Proxy, Pool]]:
    """A pool that reaches the tests' Postgres through a proxy."""
    port = urlsplit(database).port
    async with Proxy("127.0.0.1", port) as proxy:
        pool = Pool(database.replace(f":{port}/", f":{proxy.port}/"), size=size, name="test-line")
        yield proxy, pool
        await pool.close()
        assert pool._open == 0, "a connection was lost"
        assert not pool._known
        assert not pool._expired


async def count(pool: Pool) -> int:
    return (await pool.fetchrow("select count(*) from projects"))[0]


@pytest.mark.parametrize("arrives", [True, False])
async def test_f02_a_read_is_run_again_on_a_new_connection(database: str, arrives: bool):
    """Whoever reads does not notice that the connection was cut under way."""
    async with line_to(database) as (proxy, pool):
        proxy.cut_at(b"select 'read'", arrives=arrives)
        assert (await pool.fetchrow("select 'read'"))[0] == "read"
        assert not proxy.cues


async def test_f02_a_read_is_run_again_once(database: str):
    """Somebody who loses two connections in a row is told to come again."""
    async with line_to(database) as (proxy, pool):
        for _ in range(2):
            proxy.cut_at(b"select 'read'", arrives=False)
        with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
            await pool.fetchrow("select 'read'")


@pytest.mark.parametrize("arrives", [True, False])
async def test_f02_a_write_of_its_own_is_not_run_again(database: str, pool: Pool, arrives: bool):
    """It commits itself: nobody knows whether it was done, and it is never done twice."""
    async with line_to(database) as (proxy, far):
        proxy.cut_at(b"insert into projects", arrives=arrives)
        with pytest.raises(OutcomeUnknown):
            await far.execute("insert into projects (id, name) values (gen_random_uuid()::text, '')")
    assert await count(pool) in ((0, 1) if arrives else (0,))


@pytest.mark.parametrize(
    ("way", "arrives", "counts"), [("up", True, True), ("up", False, False), ("down", False, True)]
)
async def test_f03_the_truth_about_a_commit_is_found_out(database: str, pool: Pool, way, arrives: bool, counts: bool):
    """The connection is cut exactly during COMMIT: what counted is reported as done, what did not as undone."""
    async with line_to(database, size=1) as (proxy, far):
        proxy.cut_at(b"COMMIT", way=way, arrives=arrives)
        try:
            async with transaction(far) as tx:
                await tx.execute(INSERT)
            done = True
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            done = False
        assert not proxy.cues
        assert done is counts
        assert await count(pool) == counts


async def test_f03_a_commit_that_nobody_can_tell_of_is_unknown(database: str, pool: Pool):
    """If Postgres can't be asked for seconds, the error says so, and nothing is done twice."""
    async with line_to(database) as (proxy, far):
        proxy.cut_at(b"COMMIT", way="down", arrives=False)
        for _ in range(500):
            proxy.cut_at(b"undone", arrives=False)
        with pytest.raises(OutcomeUnknown):
            async with transaction(far) as tx:
                await tx.execute(INSERT)
    assert await count(pool) == 1


async def test_f03_it_is_asked_until_there_is_an_answer(database: str, pool: Pool):
    """A Postgres that is away for a moment more is waited for."""
    async with line_to(database) as (proxy, far):
        proxy.cut_at(b"COMMIT", way="down", arrives=False)
        for _ in range(5):
            proxy.cut_at(b"undone", arrives=False)
        async with transaction(far) as tx:
            await tx.execute(INSERT)
        assert not proxy.cues
    assert await count(pool) == 1


async def test_f03_what_only_read_is_never_in_doubt(database: str):
    """Nothing was written: losing its COMMIT means that it was undone, and that it may be run again."""
    async with line_to(database) as (proxy, far):
        proxy.cut_at(b"COMMIT", arrives=False)
        with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
            async with transaction(far) as tx:
                await tx.execute("select 1")


async def test_f06_a_hung_connection_is_cut_off_and_not_waited_for(database: str):
    """A rollback over a line that swallows everything would take for ever."""
    async with line_to(database, size=1) as (proxy, far), asyncio.timeout(8):
        with pytest.raises(TimeoutError):  # noqa: PT012 - the block is what hangs
            async with transaction(far) as tx:
                proxy.change(black_hole=True)
                await tx.execute("select 1")
        await proxy.up()
        assert (await far.fetchrow("select 1"))[0] == 1


async def test_f07_a_new_connection_has_as_long_as_a_statement(database: str):
    """On a busy machine it may take seconds: whoever asked is served, and the log is told of no outage."""
    async with line_to(database, size=1) as (proxy, far):
        proxy.change(black_hole=True)
        asked = asyncio.create_task(far.fetchrow("select 1"))
        too_early, _ = await asyncio.wait({asked}, timeout=2.2)
        assert not too_early
        proxy.change(black_hole=False)
        assert (await asked)[0] == 1
        assert not far._outage.ongoing


async def test_f07_the_queue_for_connections_is_bounded(database: str):
    """A caller that finds the queue full is refused at once; one that gave up leaves no trace in it."""
    pool = Pool(database, size=1, patience=0.5)
    held = await pool.acquire()
    waiting = [asyncio.create_task(pool.acquire()) for _ in range(WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await pool.fetchrow("select 1")
    given_up = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(error) for error in given_up} == {Overloaded}
    asked = asyncio.create_task(pool.fetchrow("select 5"))
    await asyncio.sleep(0)
    assert len(pool._waiting) == 1
    pool.release(held)
    assert (await asked)[0] == 5
    await pool.close()


async def test_f04_a_pool_expires_when_its_server_is_demoted(database: str, pool: Pool):
    """One write that was refused is enough: idle connections are closed, busy ones are not used again."""
    two = Pool(database, size=3)
    busy, idle = await two.acquire(), await two.acquire()
    two.release(idle)
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):  # noqa: PT012 - the block is what is refused
        async with transaction(two) as tx:
            await tx.execute("set local transaction_read_only = on")
            await tx.execute(INSERT)
    assert idle.is_closed()
    assert not busy.is_closed()
    fresh = await two.acquire()
    two.release(busy)
    assert busy.is_closed()
    two.release(fresh)
    assert not fresh.is_closed(), "what was opened since is not expired"
    await two.close()
    assert (two._open, two._expired) == (0, set())


async def test_f04_of_several_hosts_the_primary_is_used(tmp_path: Path):
    """A host that is read-only, dead or silent costs nobody anything."""
    async with (
        postgres_server(tmp_path / "a") as old,
        postgres_server(tmp_path / "b") as new,
        Proxy("127.0.0.1", old.port) as silent,
    ):
        new.password = old.password = await _same_password(old, new)
        await old.turn_read_only()
        silent.change(black_hole=True)
        places = ",".join(f"127.0.0.1:{port}" for port in (silent.port, free_port(), old.port, new.port))
        pool = Pool(new.url().replace(f"127.0.0.1:{new.port}", places), size=2)
        assert (await pool.fetchrow("select inet_server_port()"))[0] == new.port
        await new.turn_read_only()
        await until(lambda: _refuses(pool))
        await old.configure(default_transaction_read_only=None)
        await until(lambda: _leads_to(pool, old.port))
        await pool.close()


async def _same_password(one: PostgresServer, other: PostgresServer) -> str:
    await other.run(f"alter role accounts password '{one.password}'")
    return one.password


async def _refuses(pool: Pool) -> bool:
    try:
        await pool.execute("create table t ()")
    except (asyncpg.ReadOnlySQLTransactionError, asyncpg.DuplicateTableError) as error:
        return isinstance(error, asyncpg.ReadOnlySQLTransactionError)
    return False


async def _leads_to(pool: Pool, port: int) -> bool:
    try:
        return (await pool.fetchrow("select inet_server_port()"))[0] == port
    except asyncpg.exceptions.TargetServerAttributeNotMatched:
        return False


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("postgres://u:p@one/d", ["postgres://u:p@one/d"]),
        ("postgres://one:1,two:2", ["postgres://one:1", "postgres://two:2"]),
        ("postgres://u:p%40,q@one:1,two/d?a=b,c", ["postgres://u:p%40,q@one:1/d?a=b,c", "postgres://u:p%40,q@two/d?a=b,c"]),
        ("postgresql://u@[::1]:5,[::2]/d", ["postgresql://u@[::1]:5/d", "postgresql://u@[::2]/d"]),
    ],
)  # fmt: skip
def test_hosts_are_told_apart(url: str, found: list[str]):
    """Each with all the rest of the address; a comma elsewhere separates nothing."""
    assert hosts(url) == found


async def test_f08_no_connection_left_is_told_in_time(tmp_path: Path):
    """A pool without connections waits as long as for a free one; a pool with some makes do with those."""
    async with postgres_server(tmp_path, max_connections="5", superuser_reserved_connections="0") as server:
        one, two = Pool(server.url(), size=4), Pool(server.url(), size=4)
        held = await one.acquire()
        async with session(server.url()), session(server.url()), session(server.url()), session(server.url()):
            with pytest.raises(asyncpg.TooManyConnectionsError):
                await two.fetchrow("select 1")
            asked = asyncio.create_task(one.fetchrow("select 1"))
            await until(lambda: one._waiting)
            one.release(held)
            assert (await asked)[0] == 1
        await until(lambda: _is_well(two))
        await one.close()
        await two.close()


async def _is_well(pool: Pool) -> bool:
    try:
        return (await pool.fetchrow("select 1"))[0] == 1
    except asyncpg.TooManyConnectionsError:
        return False


async def test_a_pool_takes_leave_of_a_hung_server(database: str):
    """Closing waits a second at most for all connections together, and raises nothing."""
    async with line_to(database, size=2) as (proxy, far):
        await asyncio.gather(far.fetchrow("select pg_sleep(0.05)"), far.fetchrow("select pg_sleep(0.05)"))
        proxy.change(black_hole=True)
        await far.close()
