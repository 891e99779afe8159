"""Ends of accounts that nobody has proved, project by project, as its options say."""

import logging
from collections import Counter
from dataclasses import dataclass

from service import ids
from service.db import Executor, Pool, Queries, transaction
from service.store.events import Actor, Event

log = logging.getLogger(__name__)
_sql = Queries("account_ends")
_BY = Actor("127.0.0.1", "accounts-worker")


@dataclass(frozen=True, slots=True)
class EndRules:
    """Days after which accounts end, 0 for never; `end_made_accounts`: those too that an operator has made."""

    project_id: str
    unverified_days: int
    anonymous_days: int
    end_made_accounts: bool


@dataclass(frozen=True, slots=True)
class EndedUser:
    id: str
    anonymous: bool


async def end_due(pool: Pool, *, most: int) -> int:
    """End accounts that are due, so many of each project; return how many of the one with the most."""
    ended = 0
    for rules in await _sql.all(pool, "list_projects_that_end_accounts", EndRules):
        ended = max(ended, await _end_of_project(pool, rules, most))
    return ended


async def _end_of_project(pool: Pool, rules: EndRules, most: int) -> int:
    async with transaction(pool, rules.project_id) as tx:
        due = await _lock(tx, rules, most)
        if due:
            await _sql.run(
                tx,
                "end_users",
                project_id=rules.project_id,
                user_ids=[user.id for user in due],
                event_ids=[ids.new_uuid() for _ in due],
                event=Event.ACCOUNT_END,
                ip=_BY.ip,
                user_agent=_BY.user_agent,
            )
    if due:
        counts = Counter("anonymous" if user.anonymous else "unverified" for user in due)
        log.info(
            "Accounts that nobody has proved have ended",
            extra={"event": "tidying.accounts_ended", "project": rules.project_id, **counts},
        )
    return len(due)


async def _lock(conn: Executor, rules: EndRules, most: int) -> list[EndedUser]:
    """Find accounts that are due, locked; those that somebody uses just now come next time."""
    facts = {
        "project_id": rules.project_id,
        "unverified_days": rules.unverified_days,
        "anonymous_days": rules.anonymous_days,
    }
    due = await _sql.all(conn, "lock_users_to_end", EndedUser, **facts, most=most)
    if rules.end_made_accounts and len(due) < most:
        due += await _sql.all(conn, "lock_made_users_to_end", EndedUser, **facts, most=most - len(due))
    return due
