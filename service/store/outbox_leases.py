"""Leases of mails that workers hold: renewed while a worker works, released where it won't send."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from uuid import UUID

from service.db import Executor, Queries
from service.store import outbox
from service.store.project_rows import ProjectRows

_sql = Queries("outbox_leases")


@dataclass(frozen=True, slots=True)
class Lease:
    """One attempt at one mail; `project_id` is "" where a journal of sent mails does not tell it."""

    id: UUID
    attempts: int
    project_id: str = field(default="", compare=False)


async def renew(conn: Executor, leases: list[Lease], *, worker: str, lease: float) -> list[Lease]:
    """Renew leases and return those that are still this worker's; another has claimed the rest."""
    runs = [
        {
            "project_id": project_id,
            "ids": [each.id for each in held],
            "attempts": [each.attempts for each in held],
            "worker": worker,
            "lease": lease,
        }
        for project_id, held in await group_by_project(conn, leases)
    ]
    return await _sql.many(conn, "renew_leases", Lease, runs)


async def group_by_project(conn: Executor, leases: Iterable[Lease]) -> list[tuple[str, list[Lease]]]:
    """Group leases by project, which is looked up where a lease does not tell it.

    Projects are sorted: rows of all are locked in one transaction, and two that meet can't deadlock.
    """
    known = {lease.id: lease.project_id for lease in leases if lease.project_id}
    if unknown := [lease.id for lease in leases if not lease.project_id]:
        known |= await outbox.find_projects(conn, unknown)
    by_project = defaultdict[str, list[Lease]](list)
    for lease in leases:
        if lease.id in known:
            by_project[known[lease.id]].append(lease)
    return sorted(by_project.items())


async def release_of_worker(conn: Executor, *, worker: str) -> int:
    """Release mails that this worker held when it died; return how many."""
    released = 0
    for rows in await _sql.all(conn, "list_mails_of_worker", ProjectRows, worker=worker):
        released += await _sql.run(conn, "release_mails_of_worker", **asdict(rows), worker=worker)
    return released


async def release(conn: Executor, ids: list[UUID], *, worker: str) -> int:
    """Undo claims of this worker whose answer was lost; return how many of them had been made."""
    return await _sql.run(conn, "release_mails", ids=ids, worker=worker)


async def release_all(conn: Executor, *, worker: str, kept: list[UUID]) -> int:
    """Release everything that this worker holds, but `kept`; return how many."""
    return await _sql.run(conn, "release_all_mails", worker=worker, kept=kept)
