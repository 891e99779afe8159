"""Transactions, and the outcome of one whose connection was lost during COMMIT (docs/reliability.md F03)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service import deadlines, failpoints
from service.db.acts import Act, resolve_outcome
from service.db.connections import Connection
from service.db.error_mapping import DatabaseFault, classify, reach
from service.db.pool import Pool
from service.db.retries import mark_committed


@asynccontextmanager
async def transaction(pool: Pool, project_id: str = "") -> AsyncIterator[Connection]:
    """Commit everything inside or nothing; rows that need a job are written in a unit of work (service/store).

    An error out of it means that nothing was done, unless it is OutcomeUnknown. It names its project, unless it writes
    rows of several.
    """
    act = Act.of(project_id)
    connection, committing = await pool.acquire(), None
    try:
        await _begin(connection)
        try:
            yield connection
        except Exception as error:
            await _roll_back(connection, error)
            raise
        deadlines.mark_committing()
        committing = asyncio.create_task(_commit(connection, act))
        lost = await asyncio.shield(committing)
    except BaseException as error:
        if committing is None or committing.done():
            pool.discard(connection, error)
        else:  # the caller is gone: decide all the same, so that the connection is fit for use
            committing.add_done_callback(lambda done: pool.discard(connection, _end_of(done)))
        raise
    pool.discard(connection, lost)
    if lost:
        await resolve_outcome(pool, act, lost)
    mark_committed()


def _end_of(commit: "asyncio.Task[Exception | None]") -> BaseException | None:
    if commit.cancelled():
        return asyncio.CancelledError()
    return commit.exception() or commit.result()


async def _begin(connection: Connection) -> None:
    if failpoints.armed:
        await reach("db.begin.before")
    await connection.execute("BEGIN")
    if failpoints.armed:
        await reach("db.begin.after")


async def _roll_back(connection: Connection, error: Exception) -> None:
    """Roll back; a lost connection is cut off without waiting, and Postgres undoes its work."""
    if classify(error) is DatabaseFault.LOST or connection.is_closed():
        connection.terminate()
        return
    try:
        await connection.execute("ROLLBACK")
    except Exception:  # noqa: BLE001 - the caller gets the first error
        connection.terminate()


async def _commit(connection: Connection, act: Act) -> Exception | None:
    """Commit; return the error that hides the outcome, raise those of Postgres itself, which are undone."""
    try:
        if failpoints.armed:
            await reach("db.commit.before")
        await connection.execute(act.commit_statement())
        if failpoints.armed:
            await reach("db.commit.after")
    except Exception as error:
        if classify(error) is not DatabaseFault.LOST:
            raise
        return error
    return None
