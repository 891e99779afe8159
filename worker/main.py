"""One worker from its start to its end: everything it needs is made here, and put away in turn."""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from arq.connections import ArqRedis

from service.db import Pool
from service.outages import Peers
from service.queue import Bell, connect
from service.relay_reports import Reports
from service.settings import Settings
from worker.asyncio_tools import end
from worker.concurrency import Turns
from worker.crash_recovery import wake
from worker.delivery import Mailer
from worker.heartbeat import Pulse
from worker.leases import Leases
from worker.metrics import Counts
from worker.outcomes import Marks
from worker.poller import Sweeper
from worker.queue_consumer import Listener
from worker.security_log import Clerk
from worker.sent_journal import Receipts
from worker.smtp import Relay, parse_urls
from worker.worker_name import Identity, default_state, take

log = logging.getLogger("worker")
# Seconds that what is being sent has when the worker is told to stop.
_DRAIN = 10.0


async def work(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, which give what has begun ten seconds; a second one gives it none."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def told() -> None:
        log.info("stopping at once" if stop.is_set() else "stopping")
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told)
    own = default_state(settings.database_url.get_secret_value())
    identity = await take(settings.worker_id, Path(settings.worker_state or own), stop)
    if identity is None:
        return
    peers = Peers(settings.database_url.get_secret_value(), settings.redis_url.get_secret_value())
    pool = Pool(
        settings.database_url.get_secret_value(), size=settings.database_connections, name="accounts-worker",
        patience=10, outage=peers.postgres,
    )  # fmt: skip
    redis = connect(settings.redis_url.get_secret_value())
    try:
        await _work(settings, identity, pool, redis, peers, stop, hurry)
    finally:
        await redis.aclose(close_connection_pool=True)
        await pool.close()
        identity.give_up()
    log.info("stopped", extra={"worker": identity.name})


async def _work(  # noqa: PLR0917 - what a worker stands on
    settings: Settings,
    identity: Identity,
    pool: Pool,
    redis: ArqRedis,
    peers: Peers,
    stop: asyncio.Event,
    hurry: asyncio.Event,
) -> None:
    relay, counts, bell = relay_of(settings), Counts(), Bell(redis, peers.redis)
    reports = Reports(redis, identity.name, relay)
    marks = Marks(pool, Leases(pool, identity.name), Receipts(identity.receipts), counts)
    turns = Turns(settings.worker_jobs)
    mailer = Mailer(
        pool, relay, bell, settings.key_ring, settings.mail_from, settings.public_url, turns, marks
    )  # fmt: skip
    clerk = Clerk(pool)
    sweeper = Sweeper(pool, mailer, clerk, settings.log_months, settings.mail_days)
    url = settings.redis_url.get_secret_value()
    listener = Listener(url, mailer, clerk, settings.worker_jobs, identity.name, peers.redis)
    pulse = Pulse(settings.worker_heartbeat, identity, relay, bell, counts)
    beating, telling = asyncio.create_task(pulse.run()), asyncio.create_task(reports.run())
    log.info("working", extra={"worker": identity.name})
    try:
        if await _unless(stop, wake(pool, identity, marks)):
            sweeping = asyncio.create_task(sweeper.run())
            closing = asyncio.create_task(_close(stop, hurry, turns))
            await listener.run(stop)
            await closing
            await end(sweeping)
            await _hand_back(marks)
    finally:
        await relay.close()
        await end(beating)
        await end(telling)
        await reports.stop()
        marks.receipts.close()
        pulse.stop()


def relay_of(settings: Settings) -> Relay:
    """Raises ValueError for an SMTP_URL that can't be used, OSError for a `ca` file that holds no certificate."""
    servers = parse_urls(settings.smtp_url.get_secret_value(), helo=settings.helo)
    return Relay(
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
    await end(stopping)
    await end(acting)
    return done


async def _close(stop: asyncio.Event, hurry: asyncio.Event, turns: Turns) -> None:
    await stop.wait()
    await turns.close(seconds=_DRAIN, hurry=hurry)


async def _hand_back(marks: Marks) -> None:
    """Nobody is to wait for the leases of a worker that stopped; where Postgres is away they have to."""
    try:
        async with asyncio.timeout(2):
            await marks.hand_back()
    except Exception as error:  # noqa: BLE001 - leases run out by themselves
        log.warning("mails wait for the leases of this worker", extra={"cause": type(error).__name__})
