"""The queue: a job carries an id and no authority, and nothing that comes by Redis can hurt (docs/security.md S86)."""

import asyncio
import pickle
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from arq.worker import Worker, func
from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeout

from devstack.servers import start_valkey
from service import outages, queue
from service.db import Pool
from service.queue import QUEUE, RECORD_LOG, SEND_MAIL, SEND_SMS, JobQueue, connect, deserialize, serialize
from service.settings import Settings
from service.store import projects, users
from testkit.outbox import request_mail
from testkit.patience import PATIENCE
from testkit.sink import Sink
from tests.integration.worker.conftest import staffed
from tests.integration.worker.test_delivery import due_now, poller, state
from worker.delivery import Delivery
from worker.dispatcher import Dispatcher
from worker.queue_consumer import QueueConsumer
from worker.relays import RelayPool, SmtpUrl
from worker.security_log import SecurityLogWriter
from worker.sms.delivery import SmsDelivery
from worker.sms.poller import SmsPoller


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience with Redis: a job's effect is tested here, not the time that a busy machine takes."""
    monkeypatch.setattr(queue, "_PATIENCE", 10.0)


@pytest.fixture
async def ann(pool: Pool, project: projects.Project) -> users.User:
    return await users.create(pool, "shop", user_id="ann", email="ann@example.com", name="", password_hash=None)


class RunningConsumer:
    """A consumer at work, its queue, and the sink that its mails go to."""

    def __init__(
        self, sink: Sink, job_queue: JobQueue, delivery: Delivery, stop: asyncio.Event, listening: asyncio.Task
    ) -> None:
        self.sink, self.job_queue, self.delivery, self.stop, self.listening = sink, job_queue, delivery, stop, listening


@asynccontextmanager
async def listening(pool: Pool, settings: Settings, redis_url: str) -> AsyncIterator[RunningConsumer]:
    redis, stop = connect(redis_url), asyncio.Event()
    async with Sink() as sink:
        relay = RelayPool(SmtpUrl("127.0.0.1", sink.port, tls="none"), connections=2)
        delivery = staffed(pool, relay, JobQueue(redis), settings, "one")
        dispatcher, log_writer = Dispatcher(delivery), SecurityLogWriter(pool)
        sms_delivery = SmsDelivery(pool, None, settings.key_ring, "one", delivery.slots, delivery.recorder.metrics)
        consumer = QueueConsumer(
            redis_url,
            dispatcher,
            SmsPoller(pool, sms_delivery),
            log_writer,
            jobs=10,
            name="test",
            outage=outages.of_redis(redis_url),
        )
        task = asyncio.create_task(consumer.run(stop))
        try:
            yield RunningConsumer(sink, delivery.job_queue, delivery, stop, task)
        finally:
            stop.set()
            await asyncio.wait_for(task, PATIENCE)
            await delivery.slots.drain(seconds=PATIENCE, hurry=asyncio.Event())
            await dispatcher.stop()
            await log_writer.stop()
            await relay.close()
            await redis.aclose(close_connection_pool=True)


@pytest.fixture
async def consumer(pool: Pool, settings: Settings, redis: Redis, redis_url: str, ann) -> AsyncIterator[RunningConsumer]:
    async with listening(pool, settings, redis_url) as consumer:
        yield consumer


async def push(redis: Redis, job_id: str, raw: bytes) -> None:
    """A job that an attacker who has taken over Redis can write."""
    await redis.set(f"arq:job:{job_id}", raw)
    await redis.zadd(QUEUE, {job_id: int(time.time() * 1000)})


async def emptied(redis: Redis) -> None:
    """Wait until the queue has been worked off."""
    async with asyncio.timeout(PATIENCE):
        while await redis.zcard(QUEUE):  # noqa: ASYNC110 - Postgres and sockets can't be awaited
            await asyncio.sleep(0.02)


async def a_job_sends_a_mail(consumer: RunningConsumer, pool: Pool) -> None:
    """A mail that has a job is sent: the worker lives."""
    mail, before = await request_mail(pool), len(consumer.sink.mails)
    consumer.job_queue.enqueue(SEND_MAIL, mail)
    await consumer.sink.wait_for(before + 1)
    assert not consumer.listening.done()


async def test_a_job_sends_a_mail_and_writes_the_log(consumer: RunningConsumer, pool: Pool):
    """A mail with a job is sent, and its event is in the log a moment later."""
    await a_job_sends_a_mail(consumer, pool)
    async with asyncio.timeout(PATIENCE):
        while not await pool.fetchrow("select 1 from logs"):  # noqa: ASYNC110 - Postgres and sockets can't be awaited
            await asyncio.sleep(0.02)


async def test_ringing_often_sends_once(consumer: RunningConsumer, pool: Pool, redis: Redis):
    """A thousand jobs for one id are one mail; for an id that is nobody's nothing at all."""
    mail = await request_mail(pool)
    for _ in range(50):
        consumer.job_queue.enqueue(SEND_MAIL, mail)
    consumer.job_queue.enqueue(SEND_MAIL, *(uuid4() for _ in range(20)))
    consumer.job_queue.enqueue(RECORD_LOG, *(uuid4() for _ in range(20)))
    await emptied(redis)
    await consumer.sink.wait_for(1)
    await a_job_sends_a_mail(consumer, pool)
    assert len(consumer.sink.mails) == 2


class Bomb:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


async def test_a_pickle_does_not_run(consumer: RunningConsumer, pool: Pool, redis: Redis, tmp_path: Path):
    """Whoever can write to Redis runs no code here, and the worker lives on."""
    bomb = {"t": 1, "f": SEND_MAIL, "a": (Bomb(tmp_path / "ran"),), "k": {}, "et": 1}
    await push(redis, "bomb", pickle.dumps(bomb))
    await push(redis, "bomb2", pickle.dumps(Bomb(tmp_path / "ran")))
    await emptied(redis)
    await a_job_sends_a_mail(consumer, pool)
    assert not (tmp_path / "ran").exists()


JUNK = [
    b"", b"x", b"null", b"[]", b"{}", b'{"f":"send_mail"}', b'{"f":"send_mail","a":[],"k":{}}', b"\xff" * 600,
    b'{"f":"send_mail","a":["x"],"k":{}}', b'{"f":"send_mail","a":[5],"k":{}}',
    b'{"f":"send_mail","a":["00000000-0000-0000-0000-000000000000","x"],"k":{}}',
    b'{"f":["send_mail"],"a":["x"],"k":{}}',
    b'{"f":"send_sms","a":["00000000-0000-0000-0000-000000000000"],"k":{},"p":"a b"}',
    b'{"f":"send_sms","a":["00000000-0000-0000-0000-000000000000"],"k":{},"p":5}',
    b'{"f":"os.system","a":["00000000-0000-0000-0000-000000000000"],"k":{}}', b"[" * 5000,
    b'{"f":"send_mail","a":["00000000-0000-0000-0000-000000000000"],"k":{},"pad":"' + b"x" * 600 + b'"}',
]  # fmt: skip


async def test_junk_is_dropped(consumer: RunningConsumer, pool: Pool, redis: Redis):
    """Anything but one of three names, one UUID and one project is thrown away, and the worker lives on."""
    for number, raw in enumerate(JUNK):
        await push(redis, f"junk{number}", raw)
    await emptied(redis)
    await a_job_sends_a_mail(consumer, pool)


@pytest.mark.parametrize("raw", [*JUNK, pickle.dumps({"f": SEND_MAIL})])
def test_only_our_jobs_are_read(raw: bytes):
    """The reader refuses what the writer would not write."""
    with pytest.raises(ValueError):  # noqa: PT011 - orjson's own is one too
        deserialize(raw)


def test_what_is_written_is_read():
    """The worker reads what the API enqueues: JSON with an id, its project, and nothing else."""
    ident = str(uuid4())
    job = {"t": None, "f": SEND_SMS, "a": (ident, "shop"), "k": {}, "et": 5}
    assert deserialize(serialize(job)) == {"t": None, "f": SEND_SMS, "a": [ident, "shop"], "k": {}, "et": 5}


def test_f57_the_release_before_and_this_one_read_each_others_jobs():
    """It knows jobs by one id: the project stands where it passes it over, and a job without one has none."""
    ident = str(uuid4())
    written = orjson.loads(serialize({"t": None, "f": SEND_SMS, "a": (ident, "shop"), "k": {}, "et": 5}))
    assert (written["a"], written["k"]) == ([ident], {})
    theirs = b'{"t":null,"f":"send_sms","a":["%s"],"k":{},"et":5}' % ident.encode()
    assert deserialize(theirs)["a"] == [ident, ""]


async def test_an_unknown_function_leaves_the_row_to_the_sweep(consumer: RunningConsumer, pool: Pool, redis: Redis):
    """A newer API's job is dropped by an older worker; the mail is not: it is due, and the poller finds it."""
    mail = await request_mail(pool)
    await push(redis, str(mail), serialize({"t": None, "f": "send_letter", "a": [str(mail)], "k": {}, "et": 1}))
    await emptied(redis)
    assert await state(pool, mail) == "pending"
    await due_now(pool)
    await poller(pool, consumer.delivery).poll_due()
    assert await state(pool, mail) == "sent"


async def spoil_queue(redis: Redis) -> None:
    await redis.set(QUEUE, "no queue")


async def spoil_member(redis: Redis) -> None:
    await redis.zadd(QUEUE, {b"\xff\xfe": 1})


async def spoil_job(redis: Redis) -> None:
    await redis.rpush("arq:job:list", "no job")
    await redis.zadd(QUEUE, {"list": 1})


async def spoil_tries(redis: Redis) -> None:
    await redis.rpush("arq:retry:tries", "no number")
    await push(redis, "tries", serialize({"t": None, "f": SEND_MAIL, "a": [str(uuid4())], "k": {}, "et": 1}))


async def spoil_progress(redis: Redis) -> None:
    await redis.hset("arq:in-progress:busy", "no", "string")
    await push(redis, "busy", serialize({"t": None, "f": SEND_MAIL, "a": [str(uuid4())], "k": {}, "et": 1}))
    await redis.zadd(QUEUE, {b"\xff": 2})


async def spoil_size(redis: Redis) -> None:
    await push(redis, "huge", b'{"f":"send_mail","a":["' + b"x" * 10_000_000)


@pytest.mark.parametrize("spoil", [spoil_queue, spoil_member, spoil_job, spoil_tries, spoil_progress, spoil_size])
async def test_f27_a_malformed_key_is_deleted(consumer: RunningConsumer, pool: Pool, redis: Redis, spoil):
    """A key of another type, a name that is no text, a job of 10 MB: deleted, and the queue is read again."""
    await spoil(redis)
    async with asyncio.timeout(PATIENCE):
        while (await redis.type(QUEUE)) == b"string" or await redis.zcard(QUEUE):  # noqa: ASYNC110 - as in emptied
            await asyncio.sleep(0.02)
    await a_job_sends_a_mail(consumer, pool)
    assert not await redis.exists("arq:job:list", "arq:retry:tries", "arq:in-progress:busy", "arq:job:huge")


@pytest.mark.parametrize("with_jobs", [True, False])
async def test_f28_stale_ids_drain(consumer: RunningConsumer, pool: Pool, redis: Redis, caplog, with_jobs: bool):
    """Thousands of ids that are nobody's, their jobs kept or expired: each is a no-op, none is a line in the log."""
    idents = [str(uuid4()) for _ in range(2000)]
    async with redis.pipeline(transaction=False) as pipe:
        for ident in idents if with_jobs else []:
            pipe.set(f"arq:job:{ident}", serialize({"t": None, "f": SEND_MAIL, "a": [ident], "k": {}, "et": 1}))
        pipe.zadd(QUEUE, dict.fromkeys(idents, 1))
        await pipe.execute()
    async with asyncio.timeout(PATIENCE):
        while await redis.zcard(QUEUE):  # noqa: ASYNC110 - as in emptied
            await asyncio.sleep(0.02)
    assert idents[0] not in caplog.text
    await a_job_sends_a_mail(consumer, pool)


async def test_a_job_carries_project_and_id_only(redis: Redis, job_queue: JobQueue):
    """Redis holds no address, no url, no secret: the queue is a list of ids with their projects."""
    mail, sms = uuid4(), uuid4()
    job_queue.enqueue(SEND_MAIL, mail, project_id="shop")
    job_queue.enqueue(SEND_SMS, sms, project_id="shop")
    await job_queue.drain()
    assert await redis.zrange(QUEUE, 0, -1) == sorted([SEND_MAIL.encode(), str(sms).encode()])
    for job_id, row_id in ((SEND_MAIL, mail), (sms, sms)):
        raw = await redis.get(f"arq:job:{job_id}")
        assert deserialize(raw)["a"] == [str(row_id), "shop"]
        assert len(raw) < 140


async def test_a_hung_redis_costs_no_connection(tmp_path: Path):
    """A pipeline cut short while Redis hangs gives its connection back: none is lost for good."""

    async def interrupted() -> None:
        async with redis.pipeline(transaction=True) as pipe:
            await pipe.watch("a job")
            await other.client_pause(2000)
            await pipe.exists("a job")

    valkey = start_valkey(tmp_path)
    redis, other = connect(valkey.url, timeout=0.2), connect(valkey.url)
    try:
        with pytest.raises(RedisTimeout):
            await interrupted()
        assert not redis.connection_pool._in_use_connections
    finally:
        await redis.aclose(close_connection_pool=True)
        await other.aclose(close_connection_pool=True)
        valkey.stop()


@pytest.fixture
async def job_queue(redis_url: str) -> AsyncIterator[JobQueue]:
    redis = connect(redis_url)
    yield JobQueue(redis)
    await redis.aclose(close_connection_pool=True)


async def test_f23_a_hung_redis_is_left_alone(redis: Redis, job_queue: JobQueue, monkeypatch: pytest.MonkeyPatch):
    """After a round that was not answered in time Redis is left alone for a moment; no caller waits for any of it."""
    monkeypatch.setattr(queue, "_PATIENCE", 0.05)
    # A pause of writes: one of everything would hold up the command that ends it, too.
    await redis.client_pause(60_000, all=False)
    job_queue.enqueue(SEND_MAIL, uuid4())
    await job_queue.drain()
    for _ in range(20):
        job_queue.enqueue(SEND_MAIL, uuid4())
    assert (job_queue.failed_enqueues, job_queue._waiting) == (21, {})
    await redis.client_unpause()
    monkeypatch.setattr(queue, "_PATIENCE", 10.0)
    job_queue._rest_until = 0.0
    job_queue.enqueue(SEND_MAIL, uuid4())
    await job_queue.drain()
    assert job_queue.enqueued == 1


async def test_a_busy_loop_is_not_taken_for_a_hung_redis(
    redis: Redis, job_queue: JobQueue, monkeypatch: pytest.MonkeyPatch
):
    """An answer that came in time and was read late is an answer: every job of a burst arrives."""
    job_queue.enqueue(SEND_MAIL, uuid4())
    await job_queue.drain()
    monkeypatch.setattr(queue, "_PATIENCE", 0.05)
    for _ in range(5):
        job_queue.enqueue(SEND_MAIL, uuid4())
        await asyncio.sleep(0)
        time.sleep(0.2)  # noqa: ASYNC251 - the lag of a busy loop, which the answer comes in
        await job_queue.drain()
    assert (job_queue.enqueued, job_queue.failed_enqueues) == (6, 0)


async def test_one_call_for_all_jobs_that_wait(redis: Redis, job_queue: JobQueue):
    """Jobs that many requests enqueue while a call is under way go with the next one, together."""
    calls = int((await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]) if await _scripts(redis) else 0
    for _ in range(200):
        job_queue.enqueue(SEND_SMS, uuid4())
        job_queue.enqueue(SEND_MAIL, uuid4(), uuid4())
    await job_queue.drain()
    assert job_queue.enqueued == 600
    assert await redis.zcard(QUEUE) == 201, "one job for all mails"
    assert int((await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]) - calls == 1


async def _scripts(redis: Redis) -> bool:
    return "cmdstat_evalsha" in await redis.info("commandstats")


async def test_a_queue_that_is_full_keeps_what_it_has(
    redis: Redis, job_queue: JobQueue, monkeypatch: pytest.MonkeyPatch
):
    """Jobs wait in bounded memory; the rows beyond are counted and left to the poller."""
    monkeypatch.setattr(queue, "_MOST", 3)
    job_queue.enqueue(SEND_SMS, *(uuid4() for _ in range(5)))
    await job_queue.drain()
    assert (job_queue.enqueued, job_queue.failed_enqueues, await redis.zcard(QUEUE)) == (3, 2, 3)


async def test_arqs_own_worker_runs_what_is_written(redis: Redis, redis_url: str, job_queue: JobQueue):
    """Our script writes what arq's enqueue_job would: its worker runs each job once, and leaves nothing behind."""
    ran: list[tuple[str, str]] = []

    async def send_sms(_context: dict, row_id: str, project_id: str) -> None:
        ran.append((row_id, project_id))

    rows = [uuid4() for _ in range(3)]
    for _ in range(2):
        job_queue.enqueue(SEND_SMS, *rows, project_id="shop")
        await job_queue.drain()
    own = connect(redis_url)
    await own.enqueue_job(SEND_SMS, str(rows[0]), _job_id=str(rows[0]))
    worker = Worker(
        [func(send_sms, name=SEND_SMS)],
        redis_pool=own,
        queue_name=QUEUE,
        burst=True,
        handle_signals=False,
        keep_result=0,
        poll_delay=0.01,
        job_serializer=serialize,
        job_deserializer=deserialize,
    )
    await worker.async_run()
    await own.aclose(close_connection_pool=True)
    assert sorted(ran) == sorted((str(row), "shop") for row in rows)
    assert await redis.keys("arq:job:*") + await redis.keys("arq:retry:*") + await redis.keys("arq:in-progress:*") == []


async def test_one_wake_up_waits_at_a_time(redis: Redis, job_queue: JobQueue):
    """A wake-up that waits is enough for all rows; one that has begun may have missed them, so another follows."""
    for _ in range(3):
        job_queue.enqueue(RECORD_LOG, uuid4())
        await job_queue.drain()
    assert await redis.zrange(QUEUE, 0, -1) == [b"record_log"]
    await redis.set("arq:in-progress:record_log", b"1")
    for _ in range(3):
        job_queue.enqueue(RECORD_LOG, uuid4())
        await job_queue.drain()
    assert await redis.zrange(QUEUE, 0, -1) == [b"record_log", b"record_log:1"]
    assert job_queue.failed_enqueues == 0


async def test_a_wake_up_that_fell_out_of_the_queue_is_written_again(redis: Redis, job_queue: JobQueue):
    """The queue may be deleted, as the worker's own repair does: the job that is left behind blocks no later one."""
    sms = uuid4()
    for _ in range(2):
        await redis.delete(QUEUE)
        job_queue.enqueue(SEND_MAIL, uuid4())
        job_queue.enqueue(SEND_SMS, sms)
        await job_queue.drain()
        assert await redis.zrange(QUEUE, 0, -1) == sorted([SEND_MAIL.encode(), str(sms).encode()])


async def test_redis_may_be_restarted(pool: Pool, settings: Settings, redis: Redis, ann, tmp_path: Path):
    """The worker gets jobs again once Redis is back; the poller finds what was asked meanwhile."""
    server = start_valkey(tmp_path)
    try:
        async with listening(pool, settings, server.url) as consumer:
            await a_job_sends_a_mail(consumer, pool)
            server.stop()
            missed = await request_mail(pool)
            consumer.job_queue.enqueue(SEND_MAIL, missed)
            await consumer.job_queue.drain()
            assert consumer.job_queue.failed_enqueues >= 1
            await due_now(pool)
            await poller(pool, consumer.delivery).poll_due()
            assert await state(pool, missed) == "sent"
            server = start_valkey(tmp_path, port=int(server.url.rpartition(":")[2].partition("/")[0]))
            await a_job_sends_a_mail(consumer, pool)
    finally:
        server.stop()


async def test_stopping_finishes_what_was_begun(pool: Pool, settings: Settings, redis: Redis, redis_url: str, ann):
    """Told to stop in the middle of a dialogue, a worker sees it through and marks it."""
    async with listening(pool, settings, redis_url) as consumer:
        consumer.sink.script("rcpt", "250 ok", action="drip", pause=0.05)
        mail = await request_mail(pool)
        consumer.job_queue.enqueue(SEND_MAIL, mail)
        await consumer.sink.wait_for(lambda sink: any(line.startswith("RCPT") for line in sink.commands))
        consumer.stop.set()
        await asyncio.wait_for(consumer.listening, PATIENCE)
        await consumer.delivery.slots.drain(seconds=PATIENCE, hurry=asyncio.Event())
        assert (len(consumer.sink.mails), await state(pool, mail)) == (1, "sent")
