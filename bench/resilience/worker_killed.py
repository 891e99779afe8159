"""G1: a worker is killed with a mail in its hands; how long until that mail goes out all the same."""

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bench.resilience.result import Row
from service.db import Pool
from service.queue import SEND_MAIL, connect
from service.store import users
from testkit.cluster import DATABASE, Cluster, ManagedProcess, start_cluster
from testkit.outbox import request_mail
from testkit.waiting import until
from worker.leases import RENEWAL

COUNT = 200
# Workers that are killed at the same time: more would measure how they start beside each other.
_LANES, _STARTING = 4, 2
# Where in the dialogue their relay hangs.
_STAGES: tuple[Literal["rcpt", "data", "dot"], ...] = ("rcpt", "data", "dot")
_GOAL_OF_OTHERS, _GOAL_OF_ITSELF = 45.0, 10.0
_HISTORY = """select e.at, e.name, e.attempt, e.worker, e.stage, e.code, e.fault
    from mail_events e join mails m on m.id = e.mail_id where m.recipient = $1 order by e.id"""


@dataclass
class Run:
    """`seconds` lie between each kill and the relay's yes; `void` kills were none, for another had the mail."""

    cluster: Cluster
    pool: Pool
    chance: random.Random
    wanted: int
    begun: int = 0
    void: int = 0
    seconds: list[float] = field(default_factory=list)
    bringing: list["asyncio.Task[None]"] = field(default_factory=list)

    def another(self) -> bool:
        self.begun += 1
        return self.begun <= self.wanted


async def measure(count: int, seed: int) -> list[Row]:
    """`count` kills of workers that never return beside one that lives, and as many of such as start again at once."""
    chance = random.Random(seed)
    others = await _run(chance, count, survivors=1)
    itself = await _run(chance, count, survivors=0)
    return [
        *_rows("another worker", others, _GOAL_OF_OTHERS),
        *_rows("the same one, started again at once", itself, _GOAL_OF_ITSELF),
    ]


async def _run(chance: random.Random, count: int, *, survivors: int) -> Run:
    with tempfile.TemporaryDirectory(prefix="accounts-g01-") as folder:
        async with start_cluster(Path(folder), apis=0, workers=survivors) as cluster, _pool(cluster) as pool:
            run = Run(cluster, pool, chance, count)
            lane, lanes = (_kill_for_good, _LANES) if survivors else (_kill_and_start, _STARTING)
            telling = asyncio.create_task(_tell(run))
            await asyncio.gather(*(lane(run, number + 1) for number in range(min(lanes, count))))
            await asyncio.gather(*run.bringing)
            await cluster.all_ended()
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            return run


@asynccontextmanager
async def _pool(cluster: Cluster) -> AsyncIterator[Pool]:
    pool = Pool(cluster.postgres.url(DATABASE), size=_LANES, name="figure")
    try:
        yield pool
    finally:
        await pool.close()


async def _kill_for_good(run: Run, lane: int) -> None:
    """Each victim has a name that never comes back; its mail waits for the lease."""
    while run.another():
        victim = _victim(run, lane, f"victim-{run.begun}")
        await victim.start()
        address = await _in_hand(run, victim, lane)
        # Anywhere between two renewals: no lease is older than that.
        await asyncio.sleep(run.chance.uniform(0, RENEWAL))
        await victim.kill()
        run.bringing.append(asyncio.create_task(_time(run, address, time.monotonic())))


async def _kill_and_start(run: Run, lane: int) -> None:
    """One name a lane, which each process takes over from the one before it."""
    victim = _victim(run, lane, f"worker-{lane}")
    await victim.start()
    while run.another():
        address = await _in_hand(run, victim, lane)
        await asyncio.sleep(run.chance.uniform(0, 1))
        await victim.kill()
        killed = time.monotonic()
        await victim.launch()
        await _time(run, address, killed)


def _victim(run: Run, lane: int, name: str) -> ManagedProcess:
    """Start a worker with a queue of its own, so that a mail can be given to it."""
    return run.cluster.add_worker(
        name,
        DATABASE_URL=run.cluster.postgres.url(DATABASE),
        REDIS_URL=_redis(run, lane),
        SMTP_URL=f"smtp://127.0.0.1:{run.cluster.sink.port}?tls=none",
        # Whoever hangs is given up by its killer, never by the pool.
        SMTP_CONNECTIONS="20",
    )


def _redis(run: Run, lane: int) -> str:
    return run.cluster.valkey.url().rpartition("/")[0] + f"/{lane}"


async def _in_hand(run: Run, victim: ManagedProcess, lane: int) -> str:
    """Return the recipient of the mail that the victim now holds, while the relay keeps it waiting."""
    redis = connect(_redis(run, lane), timeout=20)
    try:
        while True:
            name = f"g1-{run.chance.getrandbits(64):016x}"
            address = f"{name}@example.com"
            run.cluster.sink.script(run.chance.choice(_STAGES), action="hang", recipient=address, times=1)
            rule = run.cluster.sink.rules[-1]
            await users.create(run.pool, "shop", user_id=name, email=address, name="", password_hash=None)
            mail = await request_mail(run.pool, address)
            # Enqueued with a longer timeout than JobQueue has: this job must arrive.
            await redis.enqueue_job(SEND_MAIL, str(mail), _job_id=str(mail))
            await until(lambda rule=rule: rule.left == 0, seconds=60, what="nobody took the mail")
            row = await run.pool.fetchrow("select lease_by from mails where id = $1", mail)
            if row and row[0] == victim.environment["WORKER_ID"]:
                return address
            # On a busy machine another worker may have been sooner; it must not wait for the relay's answer now.
            run.void += 1
            for session in run.cluster.sink.sessions:
                if address in session.recipients:
                    session.end(politely=False)
    finally:
        await redis.aclose(close_connection_pool=True)


async def _time(run: Run, address: str, killed: float) -> None:
    def arrived() -> float | None:
        return next((mail.at for mail in run.cluster.sink.mails if mail.recipients == (address,)), None)

    seconds = await until(arrived, seconds=120, what="a mail is lost") - killed
    run.seconds.append(seconds)
    if seconds > _GOAL_OF_OTHERS:
        steps = await run.pool.fetch(_HISTORY, address)
        print(f"{address} came out after {seconds:.1f} s: {[tuple(step) for step in steps]}", file=sys.stderr)
        lines = [
            line
            for process in run.cluster.workers
            for line in process.written
            if '"warning"' in line or '"error"' in line
        ]
        print(*lines, sep="\n", file=sys.stderr)


async def _tell(run: Run) -> None:
    while True:
        print(
            f"{len(run.seconds)} of {run.wanted} came out, the last to do so after {max(run.seconds, default=0):.1f} s",
            file=sys.stderr,
        )
        await asyncio.sleep(15)


def _rows(who: str, run: Run, goal: float) -> list[Row]:
    times, copies = sorted(run.seconds), len(run.cluster.sink.mails)
    worst, median = times[-1], times[len(times) // 2]
    p95 = times[int(len(times) * 0.95)]
    return [
        Row(f"brought out by {who}: kills", str(len(times)), str(run.wanted), len(times) == run.wanted),
        Row("seconds from kill to the relay's yes, worst", f"{worst:.1f}", f"{goal:g} at most", worst <= goal),
        Row("median, 95 %", f"{median:.1f}, {p95:.1f}"),
        Row("mails taken by the relay", str(copies), f"{len(times) + run.void}", copies == len(times) + run.void),
    ]
