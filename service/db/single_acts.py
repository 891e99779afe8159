"""Acts of one statement, which Postgres commits by itself: one round trip instead of one a statement, BEGIN and COMMIT.

Its row of `acts` is written by a CTE, so that the outcome is known when its answer is lost (service/db/acts.py).
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from service import deadlines, failpoints
from service.db.acts import Act, resolve_outcome
from service.db.connections import Connection
from service.db.error_mapping import DatabaseFault, OutcomeUnknown, classify, reach
from service.db.pool import Pool
from service.db.retries import mark_committed

Result = TypeVar("Result")


async def run_act(
    pool: Pool,
    act: Act,
    ask: Callable[[Connection], Awaitable[Result]],
    recall: Callable[[Pool], Awaitable[Result | None]],
) -> Result:
    """Run the one statement of an act and return its result. Raises as `transaction` does.

    `recall` reads the result where the act was committed and its answer was lost. It counts as COMMIT from the start:
    the deadline leaves it a moment more.
    """
    connection = await pool.acquire()
    deadlines.mark_committing()
    try:
        if failpoints.armed:
            await reach("db.commit.before")
        result = await ask(connection)
        if failpoints.armed:
            await reach("db.commit.after")
    except BaseException as error:
        pool.discard(connection, error)
        if not isinstance(error, Exception) or classify(error) is not DatabaseFault.LOST:
            raise
        lost = error
    else:
        pool.discard(connection, None)
        mark_committed()
        return result
    await resolve_outcome(pool, act, lost)
    mark_committed()
    try:
        found = await recall(pool)
    except Exception as error:
        # An error of this read would say that nothing was done.
        raise OutcomeUnknown from error
    if found is None:
        raise OutcomeUnknown from lost
    return found
