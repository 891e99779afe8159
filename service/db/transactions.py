"""Transactions, and the outcome of one whose connection was lost during COMMIT (docs/reliability.md F03)."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from asyncpg.transaction import Transaction

from service import deadlines, failpoints
from service.db.connections import Connection
from service.db.error_mapping import DatabaseFault, OutcomeUnknown, classify, reach
from service.db.pool import Pool
from service.db.retries import mark_committed
from service.db.statements import Queries

_sql = Queries("transactions")
log = logging.getLogger(__name__)
# Seconds for which, and between which, Postgres is asked for the outcome of a COMMIT.
_PATIENCE, _PAUSE = 3.0, 0.05
_UNDECIDED = ("in progress", "unreachable")


@dataclass(frozen=True, slots=True)
class TransactionId:
    """Identity by which a transaction's outcome can be asked for after its connection is gone."""

    number: str | None
    server: datetime


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """Commit everything inside or nothing; rows that need a job are written in a unit of work (service/store).

    An error out of it means that nothing was done, unless it is OutcomeUnknown.
    """
    connection, committing = await pool.acquire(), None
    try:
        block = await _begin(connection)
        try:
            yield connection
        except Exception as error:
            await _roll_back(connection, block, error)
            raise
        stamp = await _sql.one(connection, "stamp_transaction", TransactionId)
        deadlines.mark_committing()
        committing = asyncio.create_task(_commit(block))
        lost = await asyncio.shield(committing)
    except BaseException as error:
        if committing is None or committing.done():
            pool.discard(connection, error)
        else:  # the caller is gone: decide all the same, so that the connection is fit for use
            committing.add_done_callback(lambda done: pool.discard(connection, _end_of(done)))
        raise
    pool.discard(connection, lost)
    if stamp and stamp.number:
        if lost:
            await _resolve_outcome(pool, stamp, stamp.number, lost)
        mark_committed()
    elif lost:
        raise lost


def _end_of(commit: "asyncio.Task[Exception | None]") -> BaseException | None:
    if commit.cancelled():
        return asyncio.CancelledError()
    return commit.exception() or commit.result()


async def _begin(connection: Connection) -> Transaction:
    block = connection.transaction()
    if failpoints.armed:
        await reach("db.begin.before")
    await block.start()
    if failpoints.armed:
        await reach("db.begin.after")
    return block


async def _roll_back(connection: Connection, block: Transaction, error: Exception) -> None:
    """Roll back; a lost connection is cut off without waiting, and Postgres undoes its work."""
    if classify(error) is DatabaseFault.LOST or connection.is_closed():
        connection.terminate()
        return
    try:
        await block.rollback()
    except Exception:  # noqa: BLE001 - the caller gets the first error
        connection.terminate()


async def _commit(block: Transaction) -> Exception | None:
    """Commit; return the error that hides the outcome, raise those of Postgres itself, which are undone."""
    try:
        if failpoints.armed:
            await reach("db.commit.before")
        await block.commit()
        if failpoints.armed:
            await reach("db.commit.after")
    except Exception as error:
        if classify(error) is not DatabaseFault.LOST:
            raise
        return error
    return None


async def _resolve_outcome(pool: Pool, stamp: TransactionId, number: str, lost: Exception) -> None:
    """Ask over another connection: return if it was committed, raise the loss if it was not."""
    try:
        async with asyncio.timeout(_PATIENCE):
            while (outcome := await _outcome(pool, stamp, number)) in _UNDECIDED:  # noqa: ASYNC110 - Postgres sends no notice of it
                await asyncio.sleep(_PAUSE)
    except Exception as error:  # noqa: BLE001 - no error here changes that the outcome is unknown
        outcome = type(error).__name__
    log.warning(
        "The connection to Postgres was lost during a COMMIT",
        extra={"event": "postgres.commit_interrupted", "cause": type(lost).__name__, "outcome": outcome},
    )
    if outcome == "aborted":
        raise lost
    if outcome != "committed":
        mark_committed()
        raise OutcomeUnknown from lost


async def _outcome(pool: Pool, stamp: TransactionId, number: str) -> str | None:
    try:
        found: str | None = await _sql.value(pool, "outcome_of_transaction", number=number, server=stamp.server)
    except Exception as error:
        if classify(error) is not DatabaseFault.LOST:
            raise
        return "unreachable"
    return found
