"""The servers of the fault tests can really be broken in the ways that their names say, and come back."""

import asyncio
import signal
from pathlib import Path

import asyncpg
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError

from testkit.postgres import postgres_server, session, standby_of
from testkit.valkey import store
from testkit.waiting import until


async def test_an_immediate_stop_keeps_what_was_committed(tmp_path: Path):
    """A crash cuts every connection; after it the same port has every acknowledged row."""
    async with postgres_server(tmp_path) as server:
        await server.run("create table t as select 1 as a")
        async with session(server.url()) as connection:
            await server.restart("kill")
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
                await connection.fetchval("select 1")
        assert await server.run("select a from t") == 1


async def test_a_paused_server_answers_when_it_goes_on(tmp_path: Path):
    """SIGSTOP of all processes: the connection is there, the answer is not until SIGCONT."""
    async with postgres_server(tmp_path) as server, session(server.url()) as connection:
        paused = server.pause()
        asked = asyncio.create_task(connection.fetchval("select 7"))
        done, _ = await asyncio.wait({asked}, timeout=0.3)
        assert not done
        server.resume(paused)
        assert await asked == 7


async def test_read_only_refuses_writes_in_old_sessions(tmp_path: Path):
    """25006, as after a demotion, and it can be taken back."""
    async with postgres_server(tmp_path) as server, session(server.url()) as connection:
        await server.turn_read_only()
        # A session hears of a reload between two statements.
        await until(lambda: connection.fetchval("select current_setting('transaction_read_only') = 'on'"))
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("create table t ()")
        await server.configure(default_transaction_read_only=None)


async def test_a_standby_takes_over(tmp_path: Path):
    """A promoted standby has the primary's data; the old primary can follow it afterwards."""
    async with postgres_server(tmp_path / "a") as old:
        await old.run("create table t as select 1 as a")
        async with standby_of(old, tmp_path / "b") as new:
            await new.caught_up(old)
            await old.stop()
            await new.promote()
            await new.run("insert into t values (2)")
            await old.follow(new)
            await old.caught_up(new)
            assert await old.run("select count(*) from t") == 2
            assert await old.run("select pg_is_in_recovery()")


async def test_a_stopped_server_refuses(tmp_path: Path):
    """Nobody listens after a stop, and the same port listens after the start."""
    async with postgres_server(tmp_path) as server:
        await server.stop("fast")
        with pytest.raises(ConnectionRefusedError):
            await server.run("select 1")
        await server.start()
        assert await server.run("select 1") == 1


async def test_valkey_is_stopped_wiped_and_filled(tmp_path: Path):
    """Data survive SIGKILL, not a wipe; a full one refuses writes and still reads."""
    async with store(tmp_path) as redis:
        await redis.command("SET", "a", "1")
        redis.stop(signal.SIGKILL)
        with pytest.raises(RedisConnectionError):
            await redis.command("PING")
        redis.start()
        await redis.fill()
        assert await redis.command("GET", "a") == b"1"
        with pytest.raises(OutOfMemoryError):
            await redis.command("SET", "b", "1")
        await redis.fill(full="0")
        await redis.command("SET", "b", "1")
        await redis.wipe()
        assert await redis.command("DBSIZE") == 0


async def test_valkey_hangs(tmp_path: Path):
    """SIGSTOP: an answer comes only when it goes on."""
    async with store(tmp_path) as redis:
        redis.pause()
        asked = asyncio.create_task(redis.command("PING"))
        done, _ = await asyncio.wait({asked}, timeout=0.3)
        assert not done
        redis.resume()
        assert await asked
