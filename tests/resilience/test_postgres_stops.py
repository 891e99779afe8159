"""Postgres goes away and comes back (F01-F03): nobody starts anything again, nothing accepted is lost."""

import time
from pathlib import Path

import aiohttp
import pytest

from testkit.cluster import Cluster, ManagedProcess, start_cluster
from testkit.full import rarely
from testkit.history import gather
from testkit.invariants import breaches
from testkit.load import load
from testkit.patience import stretched
from testkit.proxy import Way
from testkit.waiting import until

# Seconds. The promise is 3 after a restart and 5 otherwise; tests do three times as long on a busy machine.
BACK, ANSWER = 9.0, 6.5


async def is_right(cluster: Cluster) -> None:
    """Everything ends, and the history of the run breaks no invariant."""
    await cluster.all_ended()
    assert breaches(await gather(cluster)) == []


async def ready(process: ManagedProcess) -> int:
    """The status of its health port, 0 while nobody listens there."""
    try:
        async with aiohttp.ClientSession() as client, client.get(f"{process.health}/ready") as answer:
            return answer.status
    except aiohttp.ClientError:
        return 0


async def test_f01_api_and_worker_start_before_postgres(tmp_path: Path):
    """Both wait: the API answers 503 and says that it is not ready; when Postgres is there both work, unaided."""
    async with start_cluster(tmp_path) as cluster:
        client = cluster.client()
        ann = await client.sign_up("ann")
        api, worker = cluster.apis[0], cluster.workers[0]
        with cluster.fault():
            await api.stop()
            await worker.stop()
            await cluster.postgres.stop("fast")
            await api.launch()
            await worker.launch()
            await until(lambda: _is(api, 503), what="the health port does not answer")
            act, _, _ = await client.call("recovery", "POST", "/v1/account/recovery", {"email": ann.email})
            assert (act.status, act.seconds < stretched(ANSWER)) == (503, True)
            await cluster.postgres.start()
            await until(lambda: _is(api, 200), seconds=stretched(BACK))
            token = await client.recover(ann.email, user=ann.user)
        assert await client.use_recovery(ann, token)
        assert api.running, "nobody had to start it again"
        assert worker.running, "nobody had to start it again"
        await is_right(cluster)


async def _is(process: ManagedProcess, status: int) -> bool:
    return await ready(process) == status


@pytest.mark.parametrize("how", ["immediate", rarely("fast"), rarely("kill")])
async def test_f02_postgres_restarts_under_load(tmp_path: Path, how: str):
    """Each request gets its answer within 5 s, the first success comes within 3 s, what was accepted arrives."""
    async with start_cluster(tmp_path, apis=2, workers=2) as cluster, load(cluster) as run:
        await run.goes_on()
        for _ in range(2):
            with cluster.fault():
                await cluster.postgres.restart(how)
                await run.succeeds(time.monotonic(), seconds=stretched(BACK))
            await run.goes_on()
        run.going = False
        await is_right(cluster)
        assert run.worst < stretched(ANSWER)


@pytest.mark.parametrize("cut", [("down", False), rarely(("up", True)), rarely(("up", False))], ids=str)
async def test_f03_commits_are_cut_off_under_load(tmp_path: Path, cut: tuple[Way, bool]):
    """A connection after the other ends during COMMIT, the API's and the worker's: the history is as if none had."""
    async with start_cluster(tmp_path) as cluster, load(cluster, clients=3) as run:
        with cluster.fault():
            for _ in range(20):
                cluster.db.cut_at(b"COMMIT", way=cut[0], arrives=cut[1])
                await until(lambda: not cluster.db.cues, what="nobody commits")
            await run.goes_on()
        run.going = False
        await is_right(cluster)
        assert run.worst < stretched(ANSWER)
