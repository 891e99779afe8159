"""Unit of work: one transaction whose mails, SMS and events get their jobs after COMMIT.

The store's functions that leave work for a worker take a UnitOfWork. So no caller can forget a job, and no job is
enqueued for rows that were rolled back. A job that is lost on the way to Redis is found by the worker's poller.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from service import tracing
from service.committed import Committed
from service.db import Act, Connection, Pool, run_act, transaction

if TYPE_CHECKING:
    from service.queue import JobQueue

Result = TypeVar("Result")


class UnitOfWork:
    """Runs statements in one transaction; `mails`, `sms` and `events` are rows that need a job, in order of writing.

    `committed` is what is counted after COMMIT.
    """

    mails: list[UUID]
    sms: list[UUID]
    events: list[UUID]
    committed: Committed

    def __init__(self, connection: Connection) -> None:
        self.fetchrow, self.fetch, self.execute = connection.fetchrow, connection.fetch, connection.execute
        self.fetchmany = connection.fetchmany
        self.mails, self.sms, self.events = [], [], []
        self.committed = Committed()


@asynccontextmanager
async def unit_of_work(pool: Pool, job_queue: "JobQueue | None", project_id: str = "") -> AsyncIterator[UnitOfWork]:
    """Everything inside happens or nothing does. Raises as `transaction` does, and enqueues nothing then.

    Without a queue, as on the command line, the poller finds the rows.
    """
    with tracing.span("transaction"):
        async with transaction(pool, project_id) as connection:
            work = UnitOfWork(connection)
            yield work
    _enqueue(job_queue, work, project_id)


async def run_alone(
    pool: Pool,
    job_queue: "JobQueue | None",
    act: Act,
    statement: Callable[[UnitOfWork], Awaitable[Result]],
    *,
    recall: Callable[[Pool], Awaitable[Result | None]],
) -> Result:
    """Run one statement that is a unit of work by itself, in one round trip, and return its result.

    It writes the row of `act` where it writes anything, and names its jobs before it is run. Raises and recalls as
    `run_act` does.
    """
    work: list[UnitOfWork] = []

    def ask(connection: Connection) -> Awaitable[Result]:
        work.append(UnitOfWork(connection))
        return statement(work[0])

    with tracing.span("transaction"):
        result = await run_act(pool, act, ask, recall)
    _enqueue(job_queue, work[0], act.project_id)
    return result


def _enqueue(job_queue: "JobQueue | None", work: UnitOfWork, project_id: str) -> None:
    if job_queue is not None:
        job_queue.on_commit(work.committed)
        from service.queue import RECORD_LOG, SEND_MAIL, SEND_SMS  # noqa: PLC0415 - a command without a queue loads none

        for function, rows in ((SEND_MAIL, work.mails), (SEND_SMS, work.sms), (RECORD_LOG, work.events)):
            if rows:
                job_queue.enqueue(function, *rows, project_id=project_id)
