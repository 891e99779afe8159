"""Run one worker: build its parts, run them until it is stopped, close them in order."""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from arq.connections import ArqRedis

from service import event_loop_monitor, tracing
from service.db import Pool
from service.metrics import MetricsPage, of_process
from service.outages import Peers
from service.queue import JobQueue, connect
from service.relay_reports import RelayReporter
from service.settings import InvalidSettings, Settings
from service.store import sealed_rows, sms
from service.supervision import READY, STOPPING, Supervision, by_systemd
from worker.asyncio_tools import cancel_and_wait
from worker.concurrency import DeliverySlots
from worker.crash_recovery import recover
from worker.delivery import Delivery
from worker.dispatcher import Dispatcher
from worker.health import HealthPort, WorkerHealth
from worker.heartbeat import Heartbeat
from worker.leases import Leases
from worker.metrics import Metrics
from worker.outcomes import OutcomeRecorder
from worker.poller import OutboxPoller
from worker.queue_consumer import QueueConsumer
from worker.relays import Relays
from worker.security_log import SecurityLogWriter
from worker.sent_journal import SentJournal
from worker.sms.attempts import SmsAttempts
from worker.sms.delivery import SmsDelivery
from worker.sms.poller import SmsPoller
from worker.sms.webhook import sender_of
from worker.smtp import RelayPool, SmtpUrl, parse_urls
from worker.worker_name import WorkerName, acquire, default_state

log = logging.getLogger("worker")
# Seconds for deliveries to finish when the worker is stopped.
_DRAIN = 10.0
# Seconds that Postgres has at the start to tell which keys its rows need.
_PATIENCE = 5.0


async def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; deliveries then have ten seconds to finish, none after a second signal.

    Raises InvalidSettings where rows are encrypted under keys that this worker lacks.
    """
    stop, hurry, starter = asyncio.Event(), asyncio.Event(), by_systemd()

    def request_stop() -> None:
        if stop.is_set():
            log.info("The worker stops at once", extra={"event": "worker.stopping_now"})
            hurry.set()
        else:
            log.info("The worker is stopping", extra={"event": "worker.stopping"})
            starter.report(STOPPING)
            stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, request_stop)
    default = default_state(settings.database_url.get_secret_value())
    identity = await acquire(settings.worker_id, Path(settings.worker_state or default), stop)
    if identity is None:
        return
    peers = Peers(settings.database_url.get_secret_value(), settings.redis_url.get_secret_value())
    pool = Pool(
        settings.database_url.get_secret_value(), size=settings.database_connections, name="accounts-worker",
        patience=10, outage=peers.postgres,
    )  # fmt: skip
    redis = connect(settings.redis_url.get_secret_value())
    try:
        await _require_keys(pool, settings)
        await _run(settings, identity, pool, redis, peers, stop, hurry, starter)
    finally:
        await redis.aclose(close_connection_pool=True)
        await pool.close()
        identity.release()
    log.info("The worker has stopped", extra={"event": "worker.stopped", "worker": identity.name})


async def _require_keys(pool: Pool, settings: Settings) -> None:
    """Raise InvalidSettings where rows are encrypted under keys that this worker lacks.

    An absent Postgres is waited for later; the hourly resealing then reports such rows.
    """
    try:
        async with asyncio.timeout(_PATIENCE):
            missing = await sealed_rows.missing_keys(pool, settings.key_ring)
    except Exception as error:  # noqa: BLE001 - whatever the error of Postgres
        pool.note(error)
        return
    if missing:
        raise InvalidSettings([missing])


async def _run(  # noqa: PLR0917 - all parts that a worker is built of
    settings: Settings,
    identity: WorkerName,
    pool: Pool,
    redis: ArqRedis,
    peers: Peers,
    stop: asyncio.Event,
    hurry: asyncio.Event,
    starter: Supervision,
) -> None:
    tracing.start(settings.traces_url, sampled=settings.traces_sampled, program="accounts-worker")
    metrics, job_queue = Metrics(), JobQueue(redis, peers.redis)
    recorder = OutcomeRecorder(pool, Leases(pool, identity.name), SentJournal(identity.journal), metrics)
    slots = DeliverySlots(settings.worker_jobs)
    relays = Relays(pool, settings.key_ring, relay_of(settings), partial(_own_relay, settings), settings.helo)
    delivery = Delivery(
        pool, relays, job_queue, settings.key_ring, settings.mail_from, settings.public_url, slots, recorder
    )  # fmt: skip
    reports = RelayReporter(redis, identity.name, relays.states, peers.redis)
    log_writer = SecurityLogWriter(pool)
    sender = sender_of(settings.sms_url.get_secret_value(), settings.key_ring)
    sms_delivery = SmsDelivery(pool, sender, settings.key_ring, identity.name, slots, metrics)
    sms_poller = SmsPoller(pool, sms_delivery, settings.mail_days)
    dispatcher = Dispatcher(delivery)
    poller = OutboxPoller(pool, delivery, log_writer, settings.log_months, settings.mail_days, dispatcher)
    url = settings.redis_url.get_secret_value()
    consumer = QueueConsumer(url, dispatcher, sms_poller, log_writer, settings.worker_jobs, identity.name, peers.redis)
    heartbeat = Heartbeat(settings.worker_heartbeat, identity, relays, job_queue, metrics, sender)
    health = WorkerHealth(peers, relays, sender, stop)
    page = MetricsPage(
        metrics.registry,
        metrics.read_backlog,
        health.read,
        lambda: of_process(pool, peers, job_queue),
    )
    health_port = HealthPort(settings.host, settings.worker_health_port, health, page)
    beside = [asyncio.create_task(each.run()) for each in (heartbeat, reports, health_port)]
    beside.append(asyncio.create_task(starter.run(stop)))
    event_loop_monitor.spare_startup()
    log.info("The worker has started", extra={"event": "worker.started", "worker": identity.name})
    starter.report(READY)
    try:
        if await _finished_before(stop, recover(pool, identity, recorder)):
            health.recovered = True
            poller_task = asyncio.create_task(poller.run())
            sms_task = asyncio.create_task(sms_poller.run())
            drain_task = asyncio.create_task(_drain_on_stop(stop, hurry, slots))
            await consumer.run(stop)
            await drain_task
            await cancel_and_wait(poller_task)
            await cancel_and_wait(sms_task)
            await dispatcher.stop()
            await log_writer.stop()
            await _release_leases(recorder, sms_delivery.attempts)
    finally:
        await relays.close()
        if sender:
            await sender.close()
        for task in beside:
            await cancel_and_wait(task)
        await reports.stop()
        await job_queue.drain()
        recorder.journal.close()
        heartbeat.stop()
        await tracing.stop()


def relay_of(settings: Settings) -> RelayPool:
    """Build the relay pool. Raises ValueError for an unusable SMTP_URL, OSError for a `ca` file without certificate."""
    servers = parse_urls(settings.smtp_url.get_secret_value(), helo=settings.helo)
    return RelayPool(
        *servers,
        connections=settings.smtp_connections,
        per_minute=settings.smtp_per_minute,
        deadlines=settings.smtp_timeouts,
    )


def _own_relay(settings: Settings, server: SmtpUrl, recovered: asyncio.Event) -> RelayPool:
    """Build a project's own relay: the limits a minute are the shared relay's, its own are found by its answers."""
    return RelayPool(
        server, connections=settings.smtp_connections, deadlines=settings.smtp_timeouts, recovered=recovered
    )


async def _finished_before(stop: asyncio.Event, act: Coroutine[Any, Any, None]) -> bool:
    """Run `act`, or cancel it when told to stop; return whether it finished."""
    acting, stopping = asyncio.create_task(act), asyncio.create_task(stop.wait())
    await asyncio.wait({acting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    done = acting.done()
    await cancel_and_wait(stopping)
    await cancel_and_wait(acting)
    return done


async def _drain_on_stop(stop: asyncio.Event, hurry: asyncio.Event, slots: DeliverySlots) -> None:
    await stop.wait()
    await slots.drain(seconds=_DRAIN, hurry=hurry)


async def _release_leases(recorder: OutcomeRecorder, attempts: SmsAttempts) -> None:
    """Release all leases, so that no mail waits for them to run out; not while Postgres is away."""
    try:
        async with asyncio.timeout(2):
            await recorder.release_all()
            await attempts.release_unconfirmed()
            await sms.release_of_worker(recorder.pool, worker=recorder.leases.worker)
    except Exception as error:  # noqa: BLE001 - leases run out by themselves
        log.warning(
            "The worker could not release its mails; they wait until its leases expire",
            extra={"event": "worker.release_failed", "cause": type(error).__name__},
        )
