"""F51 to F54: processes that are killed, stopped or not there, each a real one of the product."""

import asyncio
import time
from pathlib import Path
from typing import Any

from testkit.client import Member
from testkit.cluster import DATABASE, Cluster, ManagedProcess, start_cluster
from testkit.full import full, half_of
from testkit.history import gather
from testkit.invariants import breaches
from testkit.patience import stretched
from testkit.postgres import session
from testkit.waiting import until

# Where an API dies: before its act, which is one statement, with its answer at hand, and around enqueueing.
_API_POINTS = (
    "db.commit.before", "db.mail_token.before", "db.mail_token.after", "db.commit.after", "redis.enqueue.before",
    "redis.enqueue.after",
)  # fmt: skip
_WORKER_POINTS = (
    "worker.claim.before", "worker.claim.after", "smtp.connect.before", "smtp.rcpt.after", "smtp.data.after",
    "smtp.half", "smtp.dot.before", "smtp.dot.after", "worker.record.before", "db.record_mails_sent.after",
    "worker.record.after",
)  # fmt: skip
# Between the last byte of a mail and our note of the relay's yes: there, and nowhere else, a death makes a duplicate.
_WINDOW = frozenset({"smtp.dot.before", "smtp.dot.after"})
_BACKLOG, _MINUTE = 150, 60


async def rows(cluster: Cluster, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    async with session(cluster.postgres.url(DATABASE)) as connection:
        return [tuple(row) for row in await connection.fetch(statement, *values)]


async def recover(cluster: Cluster, member: Member, times: int = 1) -> list[str]:
    client = cluster.client()
    return [await client.recover(member.email, user=member.user) for _ in range(times)]


async def relaunch(process: ManagedProcess) -> int:
    """Restart a process as a supervisor does, as soon as it has ended; return its exit code."""
    code = await process.gone()
    await process.start()
    return code


async def test_f51_killed_at_any_point_of_an_act(tmp_path: Path):
    """Whoever asks again gets what was asked for; nothing is half done, lost, or mailed twice."""
    async with start_cluster(tmp_path) as cluster:
        client, (api,) = cluster.client(), cluster.apis
        ann = await client.sign_up("ann")
        for point in half_of(_API_POINTS, always=("db.commit.after",)):
            await api.kill()
            await api.start(FAILPOINTS=f"{point}:exit:1")
            with cluster.fault():
                ending = asyncio.create_task(relaunch(api))
                token = await client.recover(ann.email, user=ann.user)
                # On a busy machine Redis may be too slow to be waited for: then enqueueing is not reached at once.
                while not ending.done():
                    token = await client.recover(ann.email, user=ann.user)
                assert await ending == 137, point
            await client.secret_of(token)
        await cluster.all_ended()
        assert breaches(await gather(cluster)) == []


async def test_f52_killed_at_any_point_of_a_delivery(tmp_path: Path):
    """Started again the worker brings the mail out; it is doubled only where nobody can know that it was taken."""
    async with start_cluster(tmp_path) as cluster:
        (worker,) = cluster.workers
        ann = await cluster.client().sign_up("ann")
        points = half_of(_WORKER_POINTS, always=_WINDOW)
        for point in points:
            before = len(cluster.sink.mails)
            await worker.kill()
            await worker.launch(FAILPOINTS=f"{point}:exit:1")
            await recover(cluster, ann)
            assert await relaunch(worker) == 137, point
            await cluster.all_ended()
            assert 1 <= len(cluster.sink.mails) - before <= 1 + (point in _WINDOW), point
        history = await gather(cluster)
        assert [row.state for row in history.rows] == ["sent"] * len(points)
        assert breaches(history) == []


@full
async def test_f53_stopped_for_longer_than_its_lease(tmp_path: Path):
    """At RCPT it checks before DATA; between the check and 354 it checks anew: another has sent both by then."""
    async with start_cluster(tmp_path, workers=2) as cluster:
        client, (paused, other) = cluster.client(), cluster.workers
        await other.kill()
        members = [await client.sign_up(name) for name in ("ann", "ben")]
        for stage, member in zip(("rcpt", "data"), members, strict=True):
            reply = "354 go ahead" if stage == "data" else "250 2.1.5 ok"
            cluster.sink.script(stage, reply, action="drip", pause=0.2, recipient=member.email, times=1)
            await client.recover(member.email, user=member.user)
        await until(lambda: all(rule.left == 0 for rule in cluster.sink.rules), what="it has not got both in hand")
        paused.pause()
        await other.start()
        await until(lambda: len(cluster.sink.mails) == 2, what="nobody took them over")
        paused.resume()
        await until(lambda: sum("mail.lease_lost" in line for line in paused.written) == 2, what="it gave up neither")
        await cluster.all_ended()
        assert len(cluster.sink.mails) == 2
        assert breaches(await gather(cluster)) == []


async def test_f54_no_worker_for_ten_minutes(tmp_path: Path):
    """The API takes mails as ever; those of ten minutes are out within one of a worker's start."""
    async with start_cluster(tmp_path, workers=2) as cluster:
        client = cluster.client()
        ann = await client.sign_up("ann")
        for worker in cluster.workers:
            await worker.kill()
        for number in range(_BACKLOG):
            if number % 2:
                await client.recover(f"nobody{number}@example.com")
            else:
                await client.recover(ann.email, user=ann.user)
        aged = "update mails set created_at = created_at - interval '10 min', due_at = due_at - interval '10 min'"
        await rows(cluster, aged)
        started = time.monotonic()
        await asyncio.gather(*(worker.launch() for worker in cluster.workers))
        await cluster.all_ended()
        assert time.monotonic() - started < stretched(_MINUTE)
        assert breaches(await gather(cluster)) == []
