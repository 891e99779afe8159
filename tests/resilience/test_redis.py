"""Redis goes, hangs, forgets or talks nonsense (F21-F28): no request fails, no mail is lost, limits stand.

Nothing here is marked as a time in which answers may be 5xx: without Redis none is. The cluster is shared, and each
test leaves it with a Redis that is well. Longer than other files: one row of the matrix after the other.
"""

import asyncio
import itertools
import shutil
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.queue import QUEUE
from testkit.client import Act
from testkit.cluster import Cluster, start_cluster
from testkit.full import full
from testkit.history import Rule, gather
from testkit.invariants import breaches
from testkit.patience import stretched
from testkit.people import Person, ask, create_people, delays, percentile, show, stream
from testkit.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOUR, LIMIT = 3600, 10
# What the promise gives a worker to notice that Redis hangs, and a mail without a job; three times as long here.
NOTICED, SWEPT = 15.0, 30.0
_groups = itertools.count()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with start_cluster(tmp_path_factory.mktemp("cluster"), LIMITS="on") as cluster:
        cluster.client()
        yield cluster


async def people(cluster: Cluster, count: int) -> list[Person]:
    return await create_people(cluster, count, name=f"group{next(_groups)}-")


async def mailed(cluster: Cluster, count: int = 3) -> None:
    """So many letters are asked for and arrive while things are as they are."""
    wanted = await people(cluster, count)
    await ask(cluster.clients, wanted)
    emails = {person.email for person in wanted}
    await cluster.sink.wait_for(
        lambda sink: emails <= {recipient for mail in sink.mails for recipient in mail.recipients},
        timeout=stretched(SWEPT),
    )


async def heard(cluster: Cluster) -> None:
    """A worker takes what comes into the queue. What arq had begun when Redis ended may stand there for a while."""
    job = str(uuid4())
    await cluster.valkey.command("ZADD", QUEUE, 1, job)

    async def taken() -> bool:
        return await cluster.valkey.command("ZSCORE", QUEUE, job) is None

    await until(taken, seconds=stretched(SWEPT), what=f"nobody takes a job: {cluster.workers[0].written[-10:]}")


async def is_right(cluster: Cluster, *rules: Rule) -> None:
    """Everything ends, nothing breaks an invariant, and nobody had to start anything again."""
    await cluster.all_ended()
    assert breaches(await gather(cluster, rules=rules)) == []
    assert all(process.running for process in cluster.processes)


async def guess(cluster: Cluster, email: str, times: int = LIMIT + 2) -> list[int]:
    """The answers to passwords that are wrong."""
    body = {"email": email, "password": "not the password"}
    path, client = "/v1/account/sessions", cluster.clients[0]
    calls = [await client.call("guess", "POST", path, body, email=email) for _ in range(times)]
    return [act.status for act, _, _ in calls]


async def degraded(cluster: Cluster) -> list[str]:
    """Redis's state on the health port; the API must be ready in any case."""
    async with aiohttp.ClientSession() as client, client.get(f"{cluster.apis[0].health}/ready") as answer:
        assert answer.status == 200
        return (await answer.json())["degraded"]


async def test_f21_down_at_the_start(cluster: Cluster):
    """API and worker start without Redis and work: ready but degraded, guesses limited, mails swept; then all heals."""
    for process in cluster.processes:
        await process.stop()
    cluster.valkey.stop()
    for process in cluster.processes:
        await process.start()
    assert await degraded(cluster) == ["redis"]
    victim = (await people(cluster, 1))[0].email
    assert await guess(cluster, victim) == [401] * LIMIT + [429] * 2
    await mailed(cluster)
    cluster.valkey.start()
    await heard(cluster)
    assert await degraded(cluster) == []
    await mailed(cluster)
    await is_right(cluster)


async def test_f21_down_for_a_while(cluster: Cluster):
    """Redis ends and comes back under load: every letter arrives, and one account is guessed at N times, not more."""
    victim, others = (await people(cluster, 1))[0].email, await people(cluster, 60)
    answers = await guess(cluster, victim)
    async with asyncio.TaskGroup() as group:
        group.create_task(stream(cluster.clients, others, seconds=4))
        await cluster.sink.wait_for(len(cluster.sink.mails) + 5, timeout=stretched(SWEPT))
        cluster.valkey.stop(signal.SIGKILL)
        answers += await guess(cluster, victim)
        await mailed(cluster, 1)
        cluster.valkey.start()
    answers += await guess(cluster, victim)
    assert answers.count(401) == LIMIT
    await heard(cluster)
    await is_right(cluster, Rule("guess", "email", LIMIT, HOUR))


async def forget(cluster: Cluster) -> None:
    """As a Redis without persistence starts again."""
    cluster.valkey.stop(signal.SIGKILL)
    shutil.rmtree(cluster.valkey.folder / "valkey" / "data")
    cluster.valkey.start()


@pytest.mark.parametrize("lose", [lambda cluster: cluster.valkey.wipe(), forget], ids=["flushed", "started-empty"])
async def test_f22_all_of_its_data_are_lost(cluster: Cluster, lose: Callable[[Cluster], Awaitable[None]]):
    """Under load: no mail is lost, and an account is guessed at N times: Postgres has not forgotten."""
    victim, others = (await people(cluster, 1))[0].email, await people(cluster, 60)
    answers = await guess(cluster, victim)
    async with asyncio.TaskGroup() as group:
        group.create_task(ask(cluster.clients, others))
        await cluster.sink.wait_for(len(cluster.sink.mails) + 10, timeout=stretched(SWEPT))
        await lose(cluster)
    answers += await guess(cluster, victim)
    assert answers.count(401) == LIMIT
    await heard(cluster)
    await is_right(cluster)
    keys = await cluster.valkey.command("KEYS", "rl:*.email:*")
    assert {await cluster.valkey.command("ZCARD", key) for key in keys} <= set(range(1, LIMIT + 1))


def about_redis(cluster: Cluster) -> list[str]:
    """The lines of the worker's log about an outage of Redis."""
    return [line for line in cluster.workers[0].written if '"event":"redis.' in line]


async def outage_is_over(cluster: Cluster) -> None:
    """Within one outage a fault is logged once: the one of an earlier test has to be over first."""

    async def over() -> bool:
        lines = about_redis(cluster)
        return not lines or "redis.available" in lines[-1]

    await until(over, seconds=stretched(SWEPT), what="the worker takes Redis for gone")


async def test_f23_it_hangs(cluster: Cluster):
    """Requests go on, the worker notices by its socket's deadline, mails are swept; then jobs are taken again."""
    await outage_is_over(cluster)
    before = len(about_redis(cluster))
    cluster.valkey.pause()
    try:
        started = time.monotonic()
        await until(
            lambda: len(about_redis(cluster)) > before, seconds=stretched(NOTICED), what="the worker has not noticed"
        )
        show(f"noticed after {time.monotonic() - started:.1f} s")
        await mailed(cluster)
        show(slowest(cluster, started))
    finally:
        cluster.valkey.resume()
    await heard(cluster)
    await is_right(cluster)


def slowest(cluster: Cluster, since: float) -> str:
    acts = [act for act in cluster.clients[0].acts if act.at >= since and act.name == "recovery"]
    return f"slowest answer of {len(acts)}: {max(act.seconds for act in acts) * 1000:.0f} ms"


async def test_f24_it_has_no_memory_left(cluster: Cluster):
    """Neither jobs nor windows can be written: mails are swept, guesses are counted in the process."""
    victim = (await people(cluster, 1))[0].email
    await cluster.valkey.fill()
    try:
        assert await guess(cluster, victim) == [401] * LIMIT + [429] * 2
        await mailed(cluster)
    finally:
        await cluster.valkey.fill(full="0")
    await heard(cluster)
    await is_right(cluster)


@asynccontextmanager
async def read_only(cluster: Cluster) -> AsyncIterator[None]:
    """As after a failover, when what was the primary is a replica."""
    await cluster.valkey.command("REPLICAOF", "127.0.0.1", "1")
    yield
    await cluster.valkey.command("REPLICAOF", "NO", "ONE")


@asynccontextmanager
async def busy(cluster: Cluster) -> AsyncIterator[None]:
    """Somebody's script runs and runs."""
    await cluster.valkey.command("CONFIG", "SET", "busy-reply-threshold", "50")
    script = asyncio.create_task(cluster.valkey.command("EVAL", "while true do end", "0"))
    yield
    await cluster.valkey.command("SCRIPT", "KILL")
    with suppress(RedisError):
        await script


def answering(error: str) -> Callable[[Cluster], object]:
    @asynccontextmanager
    async def replaced(cluster: Cluster) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            cluster.redis.upstream = await stack.enter_async_context(liar(error))
            stack.push_async_callback(cluster.redis.cut_all)
            stack.callback(setattr, cluster.redis, "upstream", cluster.valkey.port)
            await cluster.redis.cut_all()
            yield

    return replaced


@asynccontextmanager
async def liar(error: str) -> AsyncIterator[int]:
    """A server that lets everybody sign in and then answers each command with this error; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                words = []
                for _ in range(int(line[1:])):
                    size = int((await reader.readline())[1:])
                    words.append((await reader.readexactly(size + 2))[:-2].upper())
                writer.write(b"+OK\r\n" if words[0] in {b"AUTH", b"CLIENT", b"SELECT"} else f"-{error}\r\n".encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.parametrize(
    "trouble",
    [
        read_only,
        busy,
        answering("LOADING Redis is loading the dataset in memory"),
        answering("MOVED 1234 127.0.0.1:1"),
        answering("CLUSTERDOWN The cluster is down"),
    ],
    ids=["READONLY", "BUSY", "LOADING", "MOVED", "CLUSTERDOWN"],
)
async def test_f25_it_answers_that_it_can_not(cluster: Cluster, trouble: Callable[[Cluster], object]):
    """Whatever its reason: requests go on, guesses are limited, mails arrive, and then jobs are taken again."""
    victim = (await people(cluster, 1))[0].email
    async with trouble(cluster):
        assert await guess(cluster, victim) == [401] * LIMIT + [429] * 2
        await mailed(cluster)
    await heard(cluster)
    await is_right(cluster)


async def test_f25_it_has_forgotten_our_script(cluster: Cluster):
    """NOSCRIPT: the script goes along with the very call that needs it, which counts in Redis as ever."""
    victims = iter(await people(cluster, LIMIT))
    before = set(await cluster.valkey.command("KEYS", "rl:*"))
    await cluster.valkey.command("SCRIPT", "FLUSH")

    async def counted() -> bool:
        # On a busy machine one that comes late rests a second, so another is made.
        await guess(cluster, next(victims).email, 1)
        await asyncio.sleep(0.3)
        return set(await cluster.valkey.command("KEYS", "rl:*")) > before

    await until(counted, what="nothing is counted in Redis any more")
    await is_right(cluster)


async def test_f26_it_is_slow_and_cut_off(cluster: Cluster):
    """100 ms away, and one chunk in twenty ends its connection: no 5xx, and every letter arrives."""
    fair, foul = await people(cluster, 40), await people(cluster, 40)
    started = time.monotonic()
    await stream(cluster.clients, fair, seconds=2)
    turned = time.monotonic()
    cluster.redis.change(latency=0.05, cut_share=0.05)
    try:
        await stream(cluster.clients, foul, seconds=4)
        await cluster.all_ended()
    finally:
        await cluster.redis.up()
    acts = [act for act in cluster.clients[0].acts if act.name == "recovery" and act.at >= started]
    show(
        f"p99 {p99(act for act in acts if act.at < turned)} ms fair, {p99(act for act in acts if act.at >= turned)} ms"
    )
    await heard(cluster)
    await is_right(cluster)
    late = [each.seconds for each in delays(cluster, await gather(cluster)) if each.at > turned]
    show(f"p99 of the mails' delay: {percentile(late, 0.99):.1f} s")


def p99(acts: Iterable[Act]) -> int:
    return round(percentile([act.seconds for act in acts], 0.99) * 1000)


async def test_f27_somebody_wrote_under_our_keys(cluster: Cluster):
    """The queue a string, a window a string: both are thrown away, the worker says so, mails and limits go on."""
    victim = (await people(cluster, 1))[0].email
    before = set(await cluster.valkey.command("KEYS", "rl:*"))
    assert await guess(cluster, victim, 3) == [401] * 3
    for key in set(await cluster.valkey.command("KEYS", "rl:*")) - before:
        await cluster.valkey.command("SET", key, "garbage")
    assert await guess(cluster, victim) == [401] * (LIMIT - 3) + [429] * 5  # Postgres knows of the three
    await cluster.valkey.command("SET", QUEUE, "garbage")
    await until(
        lambda: any("queue.key_deleted" in line for line in cluster.workers[0].written), seconds=stretched(SWEPT)
    )
    await heard(cluster)
    await mailed(cluster)
    await is_right(cluster)


async def test_f28_a_queue_of_ids_that_mean_nothing(cluster: Cluster):
    """Each is a no-op, and a mail that is asked for meanwhile is sent all the same."""
    await drain(cluster, 2_000)


@full
@pytest.mark.timeout(700)
async def test_f28_a_hundred_thousand_ids_that_mean_nothing(cluster: Cluster):
    """A hundred thousand ids that mean nothing are no-ops too, and a mail is sent all the same."""
    await drain(cluster, 100_000)


async def drain(cluster: Cluster, count: int) -> None:
    async with redis_of(cluster) as redis:
        standing = await redis.zcard(QUEUE)
        for _ in range(count // 1_000):
            await redis.zadd(QUEUE, {str(uuid4()): 1 for _ in range(1_000)})
        started = time.monotonic()

        async def drained() -> bool:
            return await redis.zcard(QUEUE) <= standing

        await mailed(cluster, 1)
        await until(drained, what="the queue is not drained")
        show(f"{count / (time.monotonic() - started):.0f} stale ids a second")
    await is_right(cluster)


@asynccontextmanager
async def redis_of(cluster: Cluster) -> AsyncIterator[Redis]:
    redis = Redis.from_url(cluster.valkey.url())
    try:
        yield redis
    finally:
        await redis.aclose()
