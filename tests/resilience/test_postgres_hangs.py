"""Postgres is there and does not do what it should (F06-F11): hung, slow, full, locked. Real processes, under load."""

import asyncio
import contextlib
import time
from pathlib import Path

import asyncpg
import pytest

from service.db import Pool
from service.db.retries import run_with_retry
from service.db.transactions import transaction
from testkit.client import Act
from testkit.cluster import DATABASE, Cluster, start_cluster
from testkit.full import rarely
from testkit.load import load
from testkit.patience import stretched
from testkit.postgres import session
from testkit.waiting import until
from tests.resilience.test_postgres_stops import ANSWER, BACK, is_right, ready


async def ask(cluster: Cluster, number: int) -> Act:
    """A recovery for a new address, asked for once."""
    email = f"once{number}@example.com"
    body = {"email": email, "url": "http://localhost/reset"}
    act, _, _ = await cluster.clients[0].call("recovery", "POST", "/v1/account/recovery", body, email=email)
    return act


@pytest.mark.parametrize("fault", ["hung", rarely("black hole")])
async def test_f06_postgres_hangs_under_load(tmp_path: Path, fault: str):
    """Everybody is answered within 5 s, the health port too; when it goes on, so do API and worker."""
    async with start_cluster(tmp_path) as cluster, load(cluster, clients=3) as run:
        await run.goes_on()
        with cluster.fault():
            paused = cluster.postgres.pause() if fault == "hung" else cluster.db.change(black_hole=True) or []
            seen = len(run.acts)
            await until(lambda: len(run.acts) > seen + 6, what="nobody is answered")
            assert await ready(cluster.apis[0]) == 503
            cluster.postgres.resume(paused)
            cluster.db.change(black_hole=False)
            await run.succeeds(time.monotonic(), seconds=stretched(BACK))
        await run.goes_on()
        run.going = False
        await is_right(cluster)
        assert run.worst < stretched(ANSWER)


async def test_f07_postgres_is_slow(tmp_path: Path):
    """More than it can do is told to come again, in time; what was taken arrives; afterwards nothing is left over."""
    async with start_cluster(tmp_path) as cluster:
        cluster.client()
        for first in range(500, 550, 5):  # it was well before, and no more was asked of it than any machine can do
            await asyncio.gather(*(ask(cluster, first + number) for number in range(5)))
        with cluster.fault():
            cluster.db.change(latency=0.1)
            found = await asyncio.gather(*(ask(cluster, number) for number in range(200)))
            await until(lambda: _is_taken(cluster), what="who asks alone is not served")
            cluster.db.change(latency=0.0)
        assert 503 in (statuses := {act.status for act in found})
        assert statuses <= {201, 503}
        assert max(act.seconds for act in found) < stretched(ANSWER)
        await until(lambda: _is_taken(cluster), seconds=stretched(BACK))
        await is_right(cluster)


async def _is_taken(cluster: Cluster) -> bool:
    return (await ask(cluster, 1000)).status == 201


async def test_f08_postgres_has_no_connection_left(tmp_path: Path):
    """503 in about a second; the health port goes on; as soon as there is one again, all is well."""
    async with start_cluster(tmp_path, workers=0) as cluster, contextlib.AsyncExitStack() as stack:
        cluster.client()
        with cluster.fault():
            await cluster.postgres.restart("fast", max_connections="8", superuser_reserved_connections="0")
            await until(lambda: _is_ready(cluster), seconds=stretched(BACK))
            with contextlib.suppress(asyncpg.TooManyConnectionsError):
                while True:
                    await stack.enter_async_context(session(cluster.postgres.url()))
            act = await ask(cluster, 1)
            assert (act.status, act.seconds < stretched(3.5)) == (503, True)
            assert await ready(cluster.apis[0]) == 200
            await stack.aclose()
            await until(lambda: _is_taken(cluster), seconds=stretched(BACK))


async def _is_ready(cluster: Cluster) -> bool:
    return await ready(cluster.apis[0]) == 200


async def test_f10_two_acts_that_lock_each_other_out(pool: Pool):
    """Of two acts in a real deadlock one is run again, and both are done."""
    await pool.execute("insert into projects (id, name) values ('a', ''), ('b', '')")
    met, runs = asyncio.Barrier(2), 0

    async def act(*names: str) -> None:
        nonlocal runs
        runs += 1
        first = runs <= 2
        async with transaction(pool) as tx:
            await tx.execute("update projects set name = name || '.' where id = $1", names[0])
            if first:
                await met.wait()
            await tx.execute("update projects set name = name || '.' where id = $1", names[1])

    await asyncio.gather(run_with_retry(lambda: act("a", "b")), run_with_retry(lambda: act("b", "a")))
    assert [row[0] for row in await pool.fetch("select name from projects")] == ["..", ".."]
    assert runs == 3


@pytest.mark.parametrize("table", ["mails", rarely("users")])
async def test_f11_a_table_is_locked_under_load(tmp_path: Path, table: str):
    """A VACUUM FULL or a schema change: 503 in time for who needs the table, and no queue outlives it."""
    async with start_cluster(tmp_path) as cluster, load(cluster, clients=3) as run:
        await run.goes_on()
        with cluster.fault():
            async with session(cluster.postgres.url(DATABASE)) as locker:
                await locker.execute(f"begin; lock table {table} in access exclusive mode")
                await until(lambda: sum(act.status == 503 for act in run.acts) > 5, what="nobody is refused")
                await locker.execute("rollback")
            await run.succeeds(time.monotonic(), seconds=stretched(BACK))
            await cluster.postgres.run(f"vacuum full {table}", database=DATABASE)
        await run.goes_on()
        run.going = False
        await is_right(cluster)
        assert run.worst < stretched(ANSWER)
