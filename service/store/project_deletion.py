"""Deletion of a project with all that it has, in batches that hold their locks for a moment only."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from service.db import Executor, ForeignKeyViolation, Pool, Queries

_sql = Queries("project_deletion")
_KINDS = (
    "mails", "sms", "tokens", "sessions", "users", "events", "feed_events", "webhook_lanes", "webhook_deliveries",
    "logs", "suppressions", "log_checkpoints", "log_chains", "test_accounts", "invitations",
)  # fmt: skip
# Rows in a transaction, and attempts at a project that is still written to.
_BATCH, _ROUNDS = 100, 20


@dataclass(frozen=True, slots=True)
class Extent:
    """Sizes of a project, no further than they were counted."""

    users: int
    keys: int
    owed_mails: int


async def extent(conn: Executor, project_id: str, *, most: int) -> Extent:
    found = await _sql.one(conn, "count_rows", Extent, project_id=project_id, most=most)
    return found or Extent(0, 0, 0)


async def delete(pool: Pool, project_id: str, *, report: Callable[[dict[str, int]], None]) -> dict[str, int] | None:
    """Delete everything, the project last; None without the project. Returns how many rows of each kind there were.

    Each batch is a transaction: interrupted, it goes on where it was when it is called again. Mails go first, so that
    none is sent for a user who is gone. The project goes when nothing refers to it, else the rounds go on.
    """
    counts: Counter[str] = Counter(dict.fromkeys(_KINDS, 0))
    gone = 0
    for number in range(_ROUNDS):
        await _delete_rows(pool, project_id, counts, report)
        try:
            gone = await _sql.run(pool, "delete_project", project_id=project_id)
        except ForeignKeyViolation:
            if number == _ROUNDS - 1:
                raise
        else:
            break
    # Events and missed guesses refer to no project: a request may have left some meanwhile.
    await _delete_rows(pool, project_id, counts, report)
    await _sql.run(pool, "delete_missed_guesses", project_id=project_id)
    return dict(counts) if gone else None


async def _delete_rows(
    pool: Pool, project_id: str, counts: "Counter[str]", report: Callable[[dict[str, int]], None]
) -> None:
    while any(deleted := await _delete_batch(pool, project_id)):
        counts.update(dict(zip(_KINDS, deleted, strict=True)))
        report(dict(counts))


async def _delete_batch(conn: Executor, project_id: str) -> tuple[int, ...]:
    """Delete a batch of each kind; users only when hardly any session is left, since theirs go with them."""
    facts = {"project_id": project_id, "most": _BATCH}
    return (
        await _sql.run(conn, "delete_mails", **facts),
        await _sql.run(conn, "delete_sms", **facts),
        await _sql.run(conn, "delete_tokens", **facts),
        sessions := await _sql.run(conn, "delete_sessions", **facts),
        await _sql.run(conn, "delete_users", **facts) if sessions < _BATCH else 0,
        await _sql.run(conn, "delete_events", **facts),
        await _sql.run(conn, "delete_feed_events", **facts),
        await _sql.run(conn, "delete_webhook_lanes", **facts),
        await _sql.run(conn, "delete_webhook_deliveries_of_project", **facts),
        await _sql.run(conn, "delete_logs", **facts),
        await _sql.run(conn, "delete_suppressions", **facts),
        await _sql.run(conn, "delete_log_checkpoints", **facts),
        await _sql.run(conn, "delete_log_chains", **facts),
        await _sql.run(conn, "delete_test_accounts", **facts),
        await _sql.run(conn, "delete_invitations", **facts),
    )
