"""Workers as they are put together in production, on the test's own Postgres, Redis and sink."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.db import Pool
from service.queue import JobQueue, connect
from service.settings import Settings
from service.store import projects, users
from testkit.sink import Sink
from worker.concurrency import DeliverySlots
from worker.delivery import Delivery
from worker.leases import Leases
from worker.metrics import Metrics
from worker.outcomes import OutcomeRecorder
from worker.relays import Relays
from worker.sent_journal import SentJournal
from worker.smtp import Deadlines, RelayPool, SmtpUrl


def staffed(  # noqa: PLR0917 - what a mailer stands on
    pool: Pool, relay: RelayPool, job_queue: JobQueue, settings: Settings, name: str, journal: Path | None = None
) -> Delivery:
    """A mailer as a worker has it."""
    recorder = OutcomeRecorder(pool, Leases(pool, name), SentJournal(journal), Metrics())
    return Delivery(
        pool,
        Relays(pool, settings.key_ring, relay),
        job_queue,
        settings.key_ring,
        "no-reply@accounts.test",
        "http://localhost:8080",
        DeliverySlots(100),
        recorder,
    )


def sending_by(worker: Delivery, relay: Any) -> Delivery:
    """The same worker with another shared relay."""
    return replace(worker, relays=Relays(worker.pool, worker.ring, relay))


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with Sink() as sink:
        yield sink


@pytest.fixture
async def a_worker(
    pool: Pool, sink: Sink, redis, redis_url: str, settings: Settings
) -> AsyncIterator[Callable[..., Delivery]]:
    """Makes workers on the same Postgres, Redis and sink, each with a relay of its own."""
    relays, job_queues = [], []

    def make(name: str = "one", *, redis_url: str = redis_url) -> Delivery:
        relays.append(
            RelayPool(SmtpUrl("127.0.0.1", sink.port, tls="none"), connections=2, deadlines=Deadlines(noop=1))
        )
        job_queues.append(connect(redis_url))
        return staffed(pool, relays[-1], JobQueue(job_queues[-1]), settings, name)

    yield make
    for relay in relays:
        await relay.close()
    for job_queue in job_queues:
        await job_queue.aclose(close_connection_pool=True)


@pytest.fixture
async def ann(pool: Pool, project: projects.Project) -> users.User:
    return await users.create(pool, "shop", user_id="ann", email="ann@example.com", name="Ann", password_hash=None)
