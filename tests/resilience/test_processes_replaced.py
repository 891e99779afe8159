"""F56, F57, F58, F64: processes told to stop under load, versions side by side, jobs come again, keys rotated."""

import asyncio
import random
from pathlib import Path
from uuid import uuid4

from arq.connections import ArqRedis

from service import queue
from testkit.client import NEW, OLD, read_log
from testkit.cluster import DATABASE, Cluster, start_cluster
from testkit.front import ROUND, front
from testkit.history import gather
from testkit.invariants import breaches
from testkit.load import load
from testkit.postgres import session
from testkit.waiting import until


async def test_f56_all_are_replaced_under_load(tmp_path: Path):
    """One process after the other is told to stop and started again: each ends with 0, no client meets an error."""
    async with (
        start_cluster(tmp_path, apis=2, workers=2, STOP_DELAY=str(ROUND * 5)) as cluster,
        front(cluster.apis) as before,
    ):
        async with load(cluster, clients=3) as run:
            for client in run.busy:
                client.address = before.address
            for process in cluster.processes:
                assert await process.stop() == 0, process.written
                await process.start()
                await until(lambda: len(before.ready) == 2, what="it is not taken in again")
            await run.goes_on()
        await cluster.all_ended()
        assert [act for act in read_log(cluster.log) if act.unclear] == []
        history = await gather(cluster)
        assert not [step for step in history.steps if step.name == "lost"]
        assert breaches(history) == []


async def _jobs(cluster: Cluster) -> ArqRedis:
    """Past the proxy, with more patience than the product's."""
    return queue.connect(cluster.valkey.url(), timeout=20)


async def _pending(cluster: Cluster) -> list[str]:
    async with session(cluster.postgres.url(DATABASE)) as connection:
        return [str(row[0]) for row in await connection.fetch("select id from mails where state = 'pending'")]


async def test_f57_jobs_of_another_version(tmp_path: Path):
    """A name, an argument or a job id that this version does not know costs a line; the rows are delivered."""
    async with start_cluster(tmp_path) as cluster:
        client, (worker,) = cluster.client(), cluster.workers
        ann = await client.sign_up("ann")
        await worker.stop()
        for _ in range(3):
            await client.recover(ann.email, user=ann.user)
        redis = await _jobs(cluster)
        await redis.flushdb()
        first, second, third = await _pending(cluster)
        await redis.enqueue_job("send_letter", first, _job_id=first)
        await redis.enqueue_job(queue.SEND_MAIL, second, 7, "later", _job_id=second)
        # The release before gave its jobs ids of their own choice as well.
        await redis.enqueue_job(queue.SEND_MAIL, third, _job_id=f"mail:{third}")
        await redis.enqueue_job(queue.SEND_MAIL, str(uuid4()))
        await redis.aclose(close_connection_pool=True)
        await worker.start()
        await cluster.all_ended()
        assert len(cluster.sink.mails) == 3
        assert await worker.stop() == 0
        assert breaches(await gather(cluster)) == []


async def test_f58_every_job_up_to_a_hundred_times(tmp_path: Path):
    """Jobs that come up to a hundred times, in any order, to two workers, send one mail each."""
    async with start_cluster(tmp_path, workers=2) as cluster:
        client, chance = cluster.client(), random.Random(58)
        ann = await client.sign_up("ann")
        for worker in cluster.workers:
            await worker.stop()
        for _ in range(8):
            await client.recover(ann.email, user=ann.user)
        jobs = [mail for mail in await _pending(cluster) for _ in range(chance.randint(1, 100))]
        chance.shuffle(jobs)
        redis = await _jobs(cluster)
        for mail in jobs:
            await redis.enqueue_job(queue.SEND_MAIL, mail, _job_id=uuid4().hex)
        await asyncio.gather(*(worker.start() for worker in cluster.workers))
        await cluster.all_ended()
        await until(lambda: _is_empty(redis), what="jobs are left")
        await redis.aclose(close_connection_pool=True)
        assert len(cluster.sink.mails) == 8
        assert breaches(await gather(cluster)) == []


async def _is_empty(redis: ArqRedis) -> bool:
    return int(await redis.zcard(queue.QUEUE)) == 0


async def test_f64_keys_are_rotated_while_links_are_out(tmp_path: Path):
    """The old link and session work, new ones have the new key; a worker that has no such key yet leaves them be."""
    async with start_cluster(tmp_path) as cluster:
        client, (api,), (worker,) = cluster.client(), cluster.apis, cluster.workers
        ann, ben = await client.sign_up("ann"), await client.sign_up("ben")
        assert await client.sign_in(ann)
        old = await client.verify(ann)
        await client.secret_of(old)
        both = f"{NEW},{OLD}"
        await api.stop()
        await api.start(SECRET_KEYS=both)
        new = await client.recover(ben.email, user=ben.user)
        await until(lambda: any("not among SECRET_KEYS" in line for line in worker.written), what="it was sent")
        assert await worker.stop() == 0
        await worker.start(SECRET_KEYS=both)
        assert (await client.account(ann)).status == 200
        assert await client.use_verification(ann, old)
        assert await client.use_recovery(ben, new)
        await client.recover(ann.email, user=ann.user)
        async with session(cluster.postgres.url(DATABASE)) as connection:
            assert {row[0] for row in await connection.fetch("select kid from tokens")} == {"new"}
        await cluster.all_ended()
        assert breaches(await gather(cluster)) == []
