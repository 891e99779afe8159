"""Acts: what was written together, under an id by which the outcome of a lost COMMIT can be looked up.

Each transaction of the service writes a row of `acts` in one message with its COMMIT: it costs no round trip. The row
lies beside those of its project, and is asked for like any other, so this works on each engine that keeps unique keys;
a transaction's number, which only Postgres itself can look up, does not.

A statement that is an act by itself adds the row in a CTE: `insert into acts (project_id, id) values (…)`.
"""

import asyncio
import logging
import re
from dataclasses import dataclass, field
from uuid import UUID

from service import ids
from service.db.error_mapping import DatabaseFault, OutcomeUnknown, classify
from service.db.pool import Pool
from service.db.retries import mark_committed
from service.db.statements import Executor, Queries

_sql = Queries("acts")
log = logging.getLogger(__name__)
# Seconds for which, and between which, Postgres is asked for the outcome of a COMMIT.
_PATIENCE, _PAUSE = 3.0, 0.05
# Faults of the question that pass: no server is there yet, or the act is still being committed.
_PASSING = (DatabaseFault.LOST, DatabaseFault.READ_ONLY, DatabaseFault.LATE)
# What a project's id is made of, by its table's constraint: such text can be written between quotes.
_PROJECT_ID = re.compile(r"[a-zA-Z0-9._-]{1,36}")
_COMMIT = _sql.statements["record_act"].sql.replace("$1", "'{0.project_id}'").replace("$2", "'{0.id}'") + "; COMMIT"


@dataclass(frozen=True, slots=True)
class Act:
    """One act. `project_id` is empty where it concerns several projects."""

    project_id: str = ""
    id: UUID = field(default_factory=ids.new_uuid)

    @classmethod
    def of(cls, project_id: str) -> "Act":
        """Name a new act. A text that no project can have for its id, as operators type it, counts as none."""
        return cls(project_id if _PROJECT_ID.fullmatch(project_id) else "")

    def commit_statement(self) -> str:
        """Return the text that records this act and commits it, or does neither."""
        return _COMMIT.format(self)


async def resolve_outcome(pool: Pool, act: Act, lost: Exception) -> None:
    """Return if the act was committed. Raises the loss if it was not and never will be, else OutcomeUnknown."""
    undone, fault = None, ""
    try:
        async with asyncio.timeout(_PATIENCE):
            while (undone := await _is_undone(pool, act)) is None:  # noqa: ASYNC110 - Postgres sends no notice of it
                await asyncio.sleep(_PAUSE)
    except Exception as error:  # noqa: BLE001 - no error here changes that the outcome is unknown
        fault = type(error).__name__
    outcome = fault if undone is None else "aborted" if undone else "committed"
    log.warning(
        "The connection to Postgres was lost during a COMMIT",
        extra={"event": "postgres.commit_interrupted", "cause": type(lost).__name__, "outcome": outcome},
    )
    if undone:
        raise lost
    if undone is None:
        mark_committed()
        raise OutcomeUnknown from lost


async def _is_undone(pool: Pool, act: Act) -> bool | None:
    """Return the outcome; None if it can't be had yet. May be asked again when its own answer is lost."""
    try:
        # Not by the pool itself, for which each statement that writes is an act.
        async with pool.connection() as connection:
            undone: bool = await _sql.value(connection, "is_undone", project_id=act.project_id, id=act.id)
    except Exception as error:
        if classify(error) not in _PASSING:
            raise
        return None
    return undone


async def delete_old(conn: Executor, *, most: int) -> int:
    """Delete acts whose outcome nobody asks for any more, and return how many."""
    return await _sql.run(conn, "delete_old_acts", most=most)
