"""One worker from its start to its end: everything it needs is made here, and put away in turn."""

import asyncio
import gc
import logging
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from arq.connections import ArqRedis

from service.db import Pool
from service.outages import Peers
from service.queue import JobQueue, connect
from service.relay_reports import RelayReporter
from service.settings import Settings
from worker.asyncio_tools import cancel_and_wait
from worker.concurrency import DeliverySlots
from worker.crash_recovery import recover
from worker.delivery import Delivery
from worker.heartbeat import Heartbeat
from worker.leases import Leases
from worker.metrics import Metrics
from worker.outcomes import OutcomeRecorder
from worker.poller import OutboxPoller
from worker.queue_consumer import QueueConsumer
from worker.security_log import SecurityLogWriter
from worker.sent_journal import SentJournal
from worker.smtp import RelayPool, parse_urls
from worker.worker_name import WorkerName, acquire, default_state

log = logging.getLogger("worker")
# Seconds that what is being sent has when the worker is told to stop.
_DRAIN = 10.0


async def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, which give what has begun ten seconds; a second one gives it none."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def told() -> None:
        log.info("stopping at once" if stop.is_set() else "stopping")
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told)
    own = default_state(settings.database_url.get_secret_value())
    identity = await acquire(settings.worker_id, Path(settings.worker_state or own), stop)
    if identity is None:
        return
    peers = Peers(settings.database_url.get_secret_value(), settings.redis_url.get_secret_value())
    pool = Pool(
        settings.database_url.get_secret_value(), size=settings.database_connections, name="accounts-worker",
        patience=10, outage=peers.postgres,
    )  # fmt: skip
    redis = connect(settings.redis_url.get_secret_value())
    try:
        await _run(settings, identity, pool, redis, peers, stop, hurry)
    finally:
        await redis.aclose(close_connection_pool=True)
        await pool.close()
        identity.release()
    log.info("stopped", extra={"worker": identity.name})


async def _run(  # noqa: PLR0917 - what a worker stands on
    settings: Settings,
    identity: WorkerName,
    pool: Pool,
    redis: ArqRedis,
    peers: Peers,
    stop: asyncio.Event,
    hurry: asyncio.Event,
) -> None:
    relay, counts, job_queue = relay_of(settings), Metrics(), JobQueue(redis, peers.redis)
    reports = RelayReporter(redis, identity.name, relay)
    recorder = OutcomeRecorder(pool, Leases(pool, identity.name), SentJournal(identity.journal), counts)
    slots = DeliverySlots(settings.worker_jobs)
    delivery = Delivery(
        pool, relay, job_queue, settings.key_ring, settings.mail_from, settings.public_url, slots, recorder
    )  # fmt: skip
    log_writer = SecurityLogWriter(pool)
    poller = OutboxPoller(pool, delivery, log_writer, settings.log_months, settings.mail_days)
    url = settings.redis_url.get_secret_value()
    consumer = QueueConsumer(url, delivery, log_writer, settings.worker_jobs, identity.name, peers.redis)
    heartbeat = Heartbeat(settings.worker_heartbeat, identity, relay, job_queue, counts)
    beating, telling = asyncio.create_task(heartbeat.run()), asyncio.create_task(reports.run())
    gc.collect()
    gc.freeze()  # what start made lives as long as the process: no full round walks it again
    log.info("working", extra={"worker": identity.name})
    try:
        if await _unless(stop, recover(pool, identity, recorder)):
            sweeping = asyncio.create_task(poller.run())
            closing = asyncio.create_task(_close(stop, hurry, slots))
            await consumer.run(stop)
            await closing
            await cancel_and_wait(sweeping)
            await _hand_back(recorder)
    finally:
        await relay.close()
        await cancel_and_wait(beating)
        await cancel_and_wait(telling)
        await reports.stop()
        recorder.journal.close()
        heartbeat.stop()


def relay_of(settings: Settings) -> RelayPool:
    """Raises ValueError for an SMTP_URL that can't be used, OSError for a `ca` file that holds no certificate."""
    servers = parse_urls(settings.smtp_url.get_secret_value(), helo=settings.helo)
    return RelayPool(
        *servers,
        connections=settings.smtp_connections,
        per_minute=settings.smtp_per_minute,
        deadlines=settings.smtp_timeouts,
    )


async def _unless(stop: asyncio.Event, act: Coroutine[Any, Any, None]) -> bool:
    """Whether it came to its end before it was time to stop."""
    acting, stopping = asyncio.create_task(act), asyncio.create_task(stop.wait())
    await asyncio.wait({acting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    done = acting.done()
    await cancel_and_wait(stopping)
    await cancel_and_wait(acting)
    return done


async def _close(stop: asyncio.Event, hurry: asyncio.Event, slots: DeliverySlots) -> None:
    await stop.wait()
    await slots.drain(seconds=_DRAIN, hurry=hurry)


async def _hand_back(recorder: OutcomeRecorder) -> None:
    """Nobody is to wait for the leases of a worker that stopped; where Postgres is away they have to."""
    try:
        async with asyncio.timeout(2):
            await recorder.release_all()
    except Exception as error:  # noqa: BLE001 - leases run out by themselves
        log.warning("mails wait for the leases of this worker", extra={"cause": type(error).__name__})
