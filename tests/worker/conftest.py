"""Workers as they are put together in production, on the test's own Postgres, Redis and sink."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from service.db import Pool
from service.queue import Bell, connect
from service.settings import Settings
from service.store import projects, users
from testkit.sink import Sink
from worker.concurrency import Turns
from worker.delivery import Mailer
from worker.leases import Leases
from worker.metrics import Counts
from worker.outcomes import Marks
from worker.sent_journal import Receipts
from worker.smtp import Deadlines, Relay, Server


def staffed(  # noqa: PLR0917 - what a mailer stands on
    pool: Pool, relay: Relay, bell: Bell, settings: Settings, name: str, receipts: Path | None = None
) -> Mailer:
    """A mailer as a worker has it."""
    marks = Marks(pool, Leases(pool, name), Receipts(receipts), Counts())
    return Mailer(
        pool, relay, bell, settings.key_ring, "no-reply@accounts.test", "http://localhost:8080", Turns(100), marks
    )


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with Sink() as sink:
        yield sink


@pytest.fixture
async def a_worker(
    pool: Pool, sink: Sink, redis, redis_url: str, settings: Settings
) -> AsyncIterator[Callable[..., Mailer]]:
    """Makes workers on the same Postgres, Redis and sink, each with a relay of its own."""
    relays, bells = [], []

    def make(name: str = "one", *, redis_url: str = redis_url) -> Mailer:
        relays.append(Relay(Server("127.0.0.1", sink.port, tls="none"), connections=2, deadlines=Deadlines(noop=1)))
        bells.append(connect(redis_url))
        return staffed(pool, relays[-1], Bell(bells[-1]), settings, name)

    yield make
    for relay in relays:
        await relay.close()
    for bell in bells:
        await bell.aclose(close_connection_pool=True)


@pytest.fixture
async def ann(pool: Pool, project: projects.Project) -> users.User:
    return await users.create(pool, "shop", user_id="ann", email="ann@example.com", name="Ann", password_hash=None)
