"""Erasure of a person: the user, and every row that names the person (docs/accounts.md#erasure)."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict

from service.accounts import user_admin
from service.accounts.user_admin import AdminContext
from service.db import Executor
from service.errors import UserNotFound
from service.store import erasure
from service.store.erasure import KINDS, Person

Report = Callable[[int], None]


async def extent(conn: Executor, person: Person, report: Report) -> dict[str, int]:
    """Count what `erase` would remove."""
    counts = Counter(asdict(await erasure.count_own(conn, person)))
    for name, kind in KINDS.items():
        counts[name] += 0
        async for ids in erasure.scan(conn, person, kind):
            counts[name] += len(ids)
            report(counts.total())
    return dict(counts)


async def erase(operator: AdminContext, person: Person, report: Report) -> dict[str, int]:
    """Delete the user, then the traces; return how many rows of each kind there were.

    Safe to repeat, also where the user is gone: it goes on where it was interrupted. The user goes before the
    traces, so that nothing new is written, and its event tells other systems.
    """
    own, counts = asdict(await erasure.count_own(operator.pool, person)), Counter(dict.fromkeys(KINDS, 0))

    async def go_through(name: str) -> None:
        async for ids in erasure.scan(operator.pool, person, KINDS[name]):
            counts[name] += await KINDS[name].erase(operator.pool, person.project_id, ids)
            report(counts.total())

    await go_through("tokens")  # the deletion would take them uncounted
    try:
        await user_admin.delete(operator, person.user_id)
    except UserNotFound:
        own = dict.fromkeys(own, 0)
    for name in KINDS:
        await go_through(name)
    return own | counts
