"""A unit of work: jobs for the mails and events of one transaction, after its COMMIT and not otherwise."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import pytest

from service import failpoints
from service.db import OutcomeUnknown, Pool, run_with_retry
from service.queue import RECORD_LOG, SEND_MAIL, JobQueue, connect
from service.store import events, outbox
from service.store.events import Actor, Event
from service.store.unit_of_work import UnitOfWork, unit_of_work
from testkit.proxy import Proxy

pytestmark = pytest.mark.usefixtures("project")
Jobs = list[tuple[str, str, tuple[UUID, ...]]]


class RecordedQueue(JobQueue):
    """A queue that remembers what it was given, and what was committed by then."""

    def __init__(self, redis_url: str, pool: Pool) -> None:
        super().__init__(connect(redis_url))
        self.pool, self.jobs = pool, Jobs()
        self.committed: list[int] = []

    def enqueue(self, function: str, *row_ids: UUID, project_id: str = "") -> None:
        self.jobs.append((function, project_id, row_ids))
        super().enqueue(function, *row_ids, project_id=project_id)

    async def _write(self, jobs) -> None:
        self.committed.append((await self.pool.fetchrow("select count(*) from mails"))[0])
        await super()._write(jobs)


@pytest.fixture
async def queue(redis_url: str, pool: Pool) -> AsyncIterator[RecordedQueue]:
    queue = RecordedQueue(redis_url, pool)
    yield queue
    await queue.drain()
    await queue._redis.aclose(close_connection_pool=True)


async def owe(tx: UnitOfWork, recipient: str = "ann@example.com") -> UUID:
    return await outbox.enqueue(
        tx, "shop", letter="new_device", recipient=recipient, locale="en", facts={}, sender="no-reply@accounts.test"
    )


async def record(tx: UnitOfWork, user_id: str | None = "ann") -> None:
    await events.record(tx, "shop", event=Event.NAME_UPDATE, user_id=user_id, by=Actor("192.0.2.1", ""), token_id="t")


async def rows(pool: Pool, table: str) -> list[UUID]:
    return [row[0] for row in await pool.fetch(f"select id from {table} order by id")]


async def test_jobs_follow_the_commit(pool: Pool, queue: RecordedQueue):
    """Mails first, then events, each kind at once, in the order of writing, with its project, once it can be read."""
    async with unit_of_work(pool, queue, "shop") as tx:
        await record(tx)
        mails = [await owe(tx, "ann@example.com"), await owe(tx, "bob@example.com")]
        await record(tx)
        assert queue.jobs == []
    assert queue.jobs == [(SEND_MAIL, "shop", tuple(mails)), (RECORD_LOG, "shop", tuple(tx.events))]
    await queue.drain()
    assert queue.committed == [2], "one call to Redis for all of it"
    assert sorted(tx.events) == await rows(pool, "events")


async def test_no_call_without_rows(pool: Pool, queue: RecordedQueue):
    """A transaction that owes nothing does not touch Redis, nor does an event that waits for its user."""
    async with unit_of_work(pool, queue) as tx:
        await tx.fetchrow("select 1")
        await record(tx, user_id=None)
    assert queue.jobs == []
    assert len(await rows(pool, "events")) == 1


async def test_a_rollback_leaves_no_job(pool: Pool, queue: RecordedQueue):
    """Neither row nor job is left of what failed."""

    async def fails() -> None:
        async with unit_of_work(pool, queue) as tx:
            await owe(tx)
            raise LookupError

    with pytest.raises(LookupError):
        await fails()
    assert queue.jobs == []
    assert await rows(pool, "mails") == []


async def test_another_run_begins_with_an_empty_list(pool: Pool, queue: RecordedQueue):
    """The rows of a transaction that a deadlock undid get no job; those of the next run get theirs."""
    mails = []

    async def work() -> None:
        async with unit_of_work(pool, queue) as tx:
            mails.append(await owe(tx))
            if len(mails) == 1:
                raise asyncpg.DeadlockDetectedError

    await run_with_retry(work)
    assert queue.jobs == [(SEND_MAIL, "", (mails[1],))]


@pytest.fixture
async def cut_commit(database: str) -> AsyncIterator[tuple[Proxy, Pool]]:
    """A pool whose connection is lost when Postgres answers to COMMIT."""
    port = urlsplit(database).port
    async with Proxy("127.0.0.1", port) as proxy:
        far = Pool(database.replace(f":{port}/", f":{proxy.port}/"), size=2, name="test-line")
        proxy.cut_at(b"COMMIT", way="down", arrives=False)
        yield proxy, far
        await far.close()


async def test_f03_an_unknown_outcome_enqueues_nothing(
    cut_commit: tuple[Proxy, Pool], pool: Pool, queue: RecordedQueue
):
    """The rows may be there or not: the worker's poller finds them if they are."""
    proxy, far = cut_commit
    for _ in range(500):
        proxy.cut_at(b"undone", arrives=False)
    with pytest.raises(OutcomeUnknown):
        async with unit_of_work(far, queue) as tx:
            await owe(tx)
    assert queue.jobs == []
    assert await rows(pool, "mails") == tx.mails


async def test_f03_a_commit_that_proves_to_have_counted_has_its_jobs(
    cut_commit: tuple[Proxy, Pool], queue: RecordedQueue
):
    """The connection was lost during COMMIT, and Postgres says over another one that it is committed."""
    async with unit_of_work(cut_commit[1], queue) as tx:
        mail = await owe(tx)
    assert queue.jobs == [(SEND_MAIL, "", (mail,))]


async def test_without_a_queue_only_the_rows_are_written(pool: Pool):
    """The command line leaves its events to the poller."""
    async with unit_of_work(pool, None) as tx:
        await owe(tx)
    assert await rows(pool, "mails") == tx.mails


async def test_a_lost_job_does_not_fail_the_request(pool: Pool, queue: RecordedQueue):
    """A committed act is answered as done, whatever Redis does."""
    failpoints.arm("redis.enqueue.before:raise")
    async with unit_of_work(pool, queue) as tx:
        await owe(tx)
    await queue.drain()
    failpoints.disarm()
    assert queue.failed_enqueues == 1
