"""Workers as they are put together in production, on the test's own Postgres, Redis and sink."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from service.db import Pool
from service.queue import JobQueue, connect
from service.settings import Settings
from service.store import projects, users
from service.store.outbox import DueMail
from testkit.sink import Sink
from worker.concurrency import DeliverySlots
from worker.delivery import Delivery
from worker.leases import Leases
from worker.metrics import Metrics
from worker.outcomes import OutcomeRecorder
from worker.relays import Deadlines, RateReservation, RelayPool, SmtpUrl
from worker.relays.route import Route
from worker.relays.routing import Relays
from worker.sent_journal import SentJournal

Statements = Callable[[], dict[str, int]]


class OneByOne(Delivery):
    """A delivery that sends one mail at a time, whichever way it goes, and waits for its outcome."""

    async def deliver(self, mail_id: UUID) -> None:
        """Send a mail if it is still due, as a batch of its own."""
        await self.relays.choose()
        row = await self.pool.fetchrow("select project_id from mails where id = $1", mail_id)
        mail = DueMail(mail_id, row[0] if row else "")
        route = self.relays.route_of(mail.project_id)
        if not route.is_open():
            return
        async with route.reserve(self.slots, 1) as reservations:
            sending = [asyncio.create_task(self._send_one(route, mail, each)) for each in reservations]
            for task in sending:
                route.hold(self.slots, task)
        for task in sending:
            await task

    async def _send_one(self, route: Route, mail: DueMail, reservation: RateReservation) -> None:
        if not await self.claim_and_send(mail):
            route.relay.release_rate(reservation)


def staffed(  # noqa: PLR0917 - what a mailer stands on
    pool: Pool, relay: RelayPool, job_queue: JobQueue, settings: Settings, name: str, journal: Path | None = None
) -> OneByOne:
    """A mailer as a worker has it."""
    recorder = OutcomeRecorder(pool, Leases(pool, name), SentJournal(journal), Metrics())
    return OneByOne(
        pool,
        Relays(pool, settings.key_ring, relay),
        job_queue,
        settings.key_ring,
        "no-reply@accounts.test",
        "http://localhost:8080",
        DeliverySlots(100),
        recorder,
    )


def sending_by(worker: OneByOne, relay: Any) -> OneByOne:
    """The same worker with another shared relay."""
    return replace(worker, relays=Relays(worker.pool, worker.ring, relay))


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with Sink() as sink:
        yield sink


@pytest.fixture
async def a_worker(
    pool: Pool, sink: Sink, redis, redis_url: str, settings: Settings
) -> AsyncIterator[Callable[..., OneByOne]]:
    """Makes workers on the same Postgres, Redis and sink, each with a relay of its own."""
    relays, job_queues, workers = [], [], []

    def make(name: str = "one", *, redis_url: str = redis_url) -> OneByOne:
        relays.append(
            RelayPool(SmtpUrl("127.0.0.1", sink.port, tls="none"), connections=2, deadlines=Deadlines(noop=1))
        )
        job_queues.append(connect(redis_url))
        workers.append(staffed(pool, relays[-1], JobQueue(job_queues[-1]), settings, name))
        return workers[-1]

    yield make
    for worker in workers:
        await worker.job_queue.drain()
    for relay in relays:
        await relay.close()
    for job_queue in job_queues:
        await job_queue.aclose(close_connection_pool=True)


@pytest.fixture
async def ann(pool: Pool, project: projects.Project) -> users.User:
    return await users.create(pool, "shop", user_id="ann", email="ann@example.com", name="Ann", password_hash=None)


@pytest.fixture
async def statements(environment: dict[str, str]) -> AsyncIterator[tuple[Pool, Statements]]:
    """A pool of one connection, and a count of its claims, its records of what was sent and its readings of keys."""
    one, seen = Pool(environment["DATABASE_URL"], size=1), list[str]()
    async with one.connection() as connection:
        connection.add_query_logger(lambda record: seen.append(record.query))

    def count() -> dict[str, int]:
        return {
            "claims": sum(query.startswith("with free") for query in seen),
            "records": sum(query.startswith("with accepted") for query in seen),
            "keys": sum(query.startswith("select") and "from dkim_keys" in query for query in seen),
        }

    yield one, count
    await one.close()
