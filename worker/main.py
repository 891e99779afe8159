"""Run one worker: build its parts, run them until it is stopped, close them in order."""

import asyncio
import logging
from pathlib import Path
from typing import Any

from service import event_loop_monitor, tracing
from service.cancellation import cancel_and_wait
from service.db import Pool
from service.settings import InvalidSettings, Settings
from service.store import sealed_rows, sms, webhooks
from service.supervision import READY, Supervision, by_systemd
from worker.context import open_context
from worker.crash_recovery import recover
from worker.outcomes import OutcomeRecorder
from worker.parts import Deliveries, Parts, build
from worker.shutdown import Shutdown
from worker.sms.attempts import SmsAttempts
from worker.worker_name import acquire, default_state

log = logging.getLogger("worker")
# Seconds that Postgres has at the start to tell which keys its rows need.
_PATIENCE = 5.0


async def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; deliveries then have ten seconds to finish, none after a second signal.

    Raises InvalidSettings where rows are encrypted under keys that this worker lacks.
    """
    shutdown, starter = Shutdown(), by_systemd()
    shutdown.listen(starter)
    default = default_state(settings.database_url.get_secret_value())
    identity = await acquire(settings.worker_id, Path(settings.worker_state or default), shutdown.requested)
    if identity is None:
        return
    context = open_context(settings, identity)
    try:
        await _require_keys(context.pool, settings)
        tracing.start(settings.traces_url, sampled=settings.traces_sampled, program="accounts-worker")
        await _run(build(context, shutdown.requested), shutdown, starter)
    finally:
        await context.close()
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


async def _run(parts: Parts, shutdown: Shutdown, starter: Supervision) -> None:
    context, recorder = parts.context, parts.deliveries.recorder
    beside = [asyncio.create_task(each.run()) for each in parts.monitoring]
    beside.append(asyncio.create_task(starter.run(shutdown.requested)))
    event_loop_monitor.spare_startup()
    log.info("The worker has started", extra={"event": "worker.started", "worker": context.identity.name})
    starter.report(READY)
    try:
        if await shutdown.run_until_requested(recover(context.pool, context.identity, recorder)):
            parts.monitoring.health_port.health.recovered = True
            await _deliver(parts.deliveries, shutdown)
    finally:
        await _close(parts, beside)


async def _deliver(deliveries: Deliveries, shutdown: Shutdown) -> None:
    """Deliver what is due until told to stop, and finish what was begun."""
    polling = [
        asyncio.create_task(each.run()) for each in (deliveries.poller, deliveries.sms_poller, deliveries.webhooks)
    ]
    draining = asyncio.create_task(shutdown.drain(deliveries.slots))
    await deliveries.consumer.run(shutdown.requested)
    await draining
    for task in polling:
        await cancel_and_wait(task)
    await deliveries.dispatcher.stop()
    await deliveries.log_writer.stop()
    await _release_leases(deliveries.recorder, deliveries.sms_delivery.attempts)


async def _close(parts: Parts, beside: list[asyncio.Task[Any]]) -> None:
    await parts.senders.close()
    for task in beside:
        await cancel_and_wait(task)
    await parts.monitoring.reports.stop()
    await parts.context.job_queue.drain()
    parts.deliveries.recorder.journal.close()
    parts.monitoring.heartbeat.stop()
    await tracing.stop()


async def _release_leases(recorder: OutcomeRecorder, attempts: SmsAttempts) -> None:
    """Release all leases, so that no mail waits for them to run out; not while Postgres is away."""
    try:
        async with asyncio.timeout(2):
            await recorder.release_all()
            await attempts.release_unconfirmed()
            await sms.release_of_worker(recorder.pool, worker=recorder.leases.worker)
            await webhooks.release_of_worker(recorder.pool, worker=recorder.leases.worker)
    except Exception as error:  # noqa: BLE001 - leases run out by themselves
        log.warning(
            "The worker could not release its mails; they wait until its leases expire",
            extra={"event": "worker.release_failed", "cause": type(error).__name__},
        )
