"""Redis goes, hangs, forgets or talks nonsense (F21-F28): no request fails, no mail is lost, limits stand.

Nothing here is marked as a time in which answers may be 5xx: without Redis none is. The house is shared, and each test
leaves it with a Redis that is well. Longer than other files: one row of the matrix after the other.
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
from testkit.cluster import House, house
from testkit.crowd import Person, ask, crowd, delays, percentile, stream, tell
from testkit.full import full
from testkit.history import Rule, gather
from testkit.invariants import breaches
from testkit.patience import stretched
from testkit.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOUR, LIMIT = 3600, 10
# What the promise gives a worker to notice that Redis hangs, and a mail without a bell; three times as long here.
NOTICED, SWEPT = 15.0, 30.0
_crowds = itertools.count()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("house"), LIMITS="on") as whole:
        whole.client()
        yield whole


async def people(whole: House, count: int) -> list[Person]:
    return await crowd(whole, count, name=f"crowd{next(_crowds)}-")


async def mailed(whole: House, count: int = 3) -> None:
    """So many letters are asked for and arrive while things are as they are."""
    wanted = await people(whole, count)
    await ask(whole.clients, wanted)
    emails = {person.email for person in wanted}
    await whole.sink.wait_for(
        lambda sink: emails <= {recipient for mail in sink.mails for recipient in mail.recipients},
        timeout=stretched(SWEPT),
    )


async def heard(whole: House) -> None:
    """A worker takes what comes into the queue. What arq had begun when Redis ended may stand there for a while."""
    ring = str(uuid4())
    await whole.valkey.command("ZADD", QUEUE, 1, ring)

    async def taken() -> bool:
        return await whole.valkey.command("ZSCORE", QUEUE, ring) is None

    await until(taken, seconds=stretched(SWEPT), what=f"nobody hears the bell: {whole.workers[0].written[-10:]}")


async def is_right(whole: House, *rules: Rule) -> None:
    """Everything ends, nothing breaks an invariant, and nobody had to start anything again."""
    await whole.all_ended()
    assert breaches(await gather(whole, rules=rules)) == []
    assert all(seat.running for seat in whole.seats)


async def guess(whole: House, email: str, times: int = LIMIT + 2) -> list[int]:
    """The answers to passwords that are wrong."""
    body = {"email": email, "password": "not the password"}
    path, client = "/v1/account/sessions", whole.clients[0]
    calls = [await client.call("guess", "POST", path, body, email=email) for _ in range(times)]
    return [act.status for act, _, _ in calls]


async def degraded(whole: House) -> list[str]:
    """What the health port says of Redis; the API must be ready in any case."""
    async with aiohttp.ClientSession() as client, client.get(f"{whole.apis[0].health}/ready") as answer:
        assert answer.status == 200
        return (await answer.json())["degraded"]


async def test_f21_down_at_the_start(whole: House):
    """API and worker start without Redis and work: ready but degraded, guesses limited, mails swept; then all heals."""
    for seat in whole.seats:
        await seat.stop()
    whole.valkey.stop()
    for seat in whole.seats:
        await seat.start()
    assert await degraded(whole) == ["redis"]
    victim = (await people(whole, 1))[0].email
    assert await guess(whole, victim) == [401] * LIMIT + [429] * 2
    await mailed(whole)
    whole.valkey.start()
    await heard(whole)
    assert await degraded(whole) == []
    await mailed(whole)
    await is_right(whole)


async def test_f21_down_for_a_while(whole: House):
    """Redis ends and comes back under load: every letter arrives, and one account is guessed at N times, not more."""
    victim, crowd_ = (await people(whole, 1))[0].email, await people(whole, 60)
    answers = await guess(whole, victim)
    async with asyncio.TaskGroup() as group:
        group.create_task(stream(whole.clients, crowd_, seconds=4))
        await whole.sink.wait_for(len(whole.sink.mails) + 5, timeout=stretched(SWEPT))
        whole.valkey.stop(signal.SIGKILL)
        answers += await guess(whole, victim)
        await mailed(whole, 1)
        whole.valkey.start()
    answers += await guess(whole, victim)
    assert answers.count(401) == LIMIT
    await heard(whole)
    await is_right(whole, Rule("guess", "email", LIMIT, HOUR))


async def forget(whole: House) -> None:
    """As a Redis without persistence starts again."""
    whole.valkey.stop(signal.SIGKILL)
    shutil.rmtree(whole.valkey.folder / "valkey" / "data")
    whole.valkey.start()


@pytest.mark.parametrize("lose", [lambda whole: whole.valkey.wipe(), forget], ids=["flushed", "started-empty"])
async def test_f22_all_of_its_data_are_lost(whole: House, lose: Callable[[House], Awaitable[None]]):
    """Under load: no mail is lost, and an account is guessed at N times: Postgres has not forgotten."""
    victim, crowd_ = (await people(whole, 1))[0].email, await people(whole, 60)
    answers = await guess(whole, victim)
    async with asyncio.TaskGroup() as group:
        group.create_task(ask(whole.clients, crowd_))
        await whole.sink.wait_for(len(whole.sink.mails) + 10, timeout=stretched(SWEPT))
        await lose(whole)
    answers += await guess(whole, victim)
    assert answers.count(401) == LIMIT
    await heard(whole)
    await is_right(whole)
    keys = await whole.valkey.command("KEYS", "rl:*.email:*")
    assert {await whole.valkey.command("ZCARD", key) for key in keys} <= set(range(1, LIMIT + 1))


def about_redis(whole: House) -> list[str]:
    """The lines of the worker's log about an outage of Redis."""
    return [line for line in whole.workers[0].written if '"redis is ' in line]


async def outage_is_over(whole: House) -> None:
    """Within one outage a fault is logged once: the one of an earlier test has to be over first."""

    async def over() -> bool:
        lines = about_redis(whole)
        return not lines or "redis is available again" in lines[-1]

    await until(over, seconds=stretched(NOTICED), what="the worker takes Redis for gone")


async def test_f23_it_hangs(whole: House):
    """Requests go on, the worker notices by its socket's deadline, mails are swept; then the bell is heard again."""
    await outage_is_over(whole)
    before = len(about_redis(whole))
    whole.valkey.pause()
    try:
        started = time.monotonic()
        await until(
            lambda: len(about_redis(whole)) > before, seconds=stretched(NOTICED), what="the worker has not noticed"
        )
        tell(f"noticed after {time.monotonic() - started:.1f} s")
        await mailed(whole)
        tell(slowest(whole, started))
    finally:
        whole.valkey.resume()
    await heard(whole)
    await is_right(whole)


def slowest(whole: House, since: float) -> str:
    acts = [act for act in whole.clients[0].acts if act.at >= since and act.name == "recovery"]
    return f"slowest answer of {len(acts)}: {max(act.seconds for act in acts) * 1000:.0f} ms"


async def test_f24_it_has_no_memory_left(whole: House):
    """Neither rings nor windows can be written: mails are swept, guesses are counted in the process."""
    victim = (await people(whole, 1))[0].email
    await whole.valkey.fill()
    try:
        assert await guess(whole, victim) == [401] * LIMIT + [429] * 2
        await mailed(whole)
    finally:
        await whole.valkey.fill(full="0")
    await heard(whole)
    await is_right(whole)


@asynccontextmanager
async def read_only(whole: House) -> AsyncIterator[None]:
    """As after a failover, when what was the primary is a replica."""
    await whole.valkey.command("REPLICAOF", "127.0.0.1", "1")
    yield
    await whole.valkey.command("REPLICAOF", "NO", "ONE")


@asynccontextmanager
async def busy(whole: House) -> AsyncIterator[None]:
    """Somebody's script runs and runs."""
    await whole.valkey.command("CONFIG", "SET", "busy-reply-threshold", "50")
    script = asyncio.create_task(whole.valkey.command("EVAL", "while true do end", "0"))
    yield
    await whole.valkey.command("SCRIPT", "KILL")
    with suppress(RedisError):
        await script


def answering(error: str) -> Callable[[House], object]:
    @asynccontextmanager
    async def replaced(whole: House) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            whole.redis.upstream = await stack.enter_async_context(liar(error))
            stack.push_async_callback(whole.redis.cut_all)
            stack.callback(setattr, whole.redis, "upstream", whole.valkey.port)
            await whole.redis.cut_all()
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
async def test_f25_it_answers_that_it_can_not(whole: House, trouble: Callable[[House], object]):
    """Whatever its reason: requests go on, guesses are limited, mails arrive, and then the bell is heard again."""
    victim = (await people(whole, 1))[0].email
    async with trouble(whole):
        assert await guess(whole, victim) == [401] * LIMIT + [429] * 2
        await mailed(whole)
    await heard(whole)
    await is_right(whole)


async def test_f25_it_has_forgotten_our_script(whole: House):
    """NOSCRIPT: the script goes along with the very call that needs it, which counts in Redis as ever."""
    victims = iter(await people(whole, LIMIT))
    before = set(await whole.valkey.command("KEYS", "rl:*"))
    await whole.valkey.command("SCRIPT", "FLUSH")

    async def counted() -> bool:
        # On a busy machine one that comes late rests a second, so another is made.
        await guess(whole, next(victims).email, 1)
        await asyncio.sleep(0.3)
        return set(await whole.valkey.command("KEYS", "rl:*")) > before

    await until(counted, what="nothing is counted in Redis any more")
    await is_right(whole)


async def test_f26_it_is_slow_and_cut_off(whole: House):
    """100 ms away, and one chunk in twenty ends its connection: no 5xx, and every letter arrives."""
    fair, foul = await people(whole, 40), await people(whole, 40)
    started = time.monotonic()
    await stream(whole.clients, fair, seconds=2)
    turned = time.monotonic()
    whole.redis.change(latency=0.05, cut_share=0.05)
    try:
        await stream(whole.clients, foul, seconds=4)
        await whole.all_ended()
    finally:
        await whole.redis.up()
    acts = [act for act in whole.clients[0].acts if act.name == "recovery" and act.at >= started]
    tell(
        f"p99 {p99(act for act in acts if act.at < turned)} ms fair, {p99(act for act in acts if act.at >= turned)} ms"
    )
    await heard(whole)
    await is_right(whole)
    late = [each.seconds for each in delays(whole, await gather(whole)) if each.at > turned]
    tell(f"p99 of the mails' delay: {percentile(late, 0.99):.1f} s")


def p99(acts: Iterable[Act]) -> int:
    return round(percentile([act.seconds for act in acts], 0.99) * 1000)


async def test_f27_somebody_wrote_under_our_keys(whole: House):
    """The queue a string, a window a string: both are thrown away, the worker says so, mails and limits go on."""
    victim = (await people(whole, 1))[0].email
    before = set(await whole.valkey.command("KEYS", "rl:*"))
    assert await guess(whole, victim, 3) == [401] * 3
    for key in set(await whole.valkey.command("KEYS", "rl:*")) - before:
        await whole.valkey.command("SET", key, "garbage")
    assert await guess(whole, victim) == [401] * (LIMIT - 3) + [429] * 5  # Postgres knows of the three
    await whole.valkey.command("SET", QUEUE, "garbage")
    await until(
        lambda: any("the queue was no queue" in line for line in whole.workers[0].written), seconds=stretched(SWEPT)
    )
    await heard(whole)
    await mailed(whole)
    await is_right(whole)


async def test_f28_a_queue_of_ids_that_mean_nothing(whole: House):
    """Each is a no-op, a mail asked for meanwhile does not wait behind them, a thousand and more go in a second."""
    await drain(whole, 2_000)


@full
@pytest.mark.timeout(700)
async def test_f28_a_hundred_thousand_ids_that_mean_nothing(whole: House):
    """The same for as many as the promise names."""
    await drain(whole, 100_000)


async def drain(whole: House, count: int) -> None:
    async with redis_of(whole) as redis:
        standing = await redis.zcard(QUEUE)
        for _ in range(count // 1_000):
            await redis.zadd(QUEUE, {str(uuid4()): 1 for _ in range(1_000)})
        started = time.monotonic()

        async def drained() -> bool:
            return await redis.zcard(QUEUE) <= standing

        await mailed(whole, 1)
        await until(drained, what="the queue is not drained")
        tell(f"{count / (time.monotonic() - started):.0f} stale ids a second")
    await is_right(whole)


@asynccontextmanager
async def redis_of(whole: House) -> AsyncIterator[Redis]:
    redis = Redis.from_url(whole.valkey.url())
    try:
        yield redis
    finally:
        await redis.aclose()
