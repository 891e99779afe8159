"""Ends of accounts that nobody has proved, project by project, as its options say; their users may be warned before."""

import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from service import ids
from service.db import Executor, Pool, Queries, transaction
from service.store import outbox
from service.store.events import Actor, Event
from service.store.unit_of_work import unit_of_work

log = logging.getLogger(__name__)
_sql = Queries("account_ends")
_BY = Actor("127.0.0.1", "accounts-worker")
# Accounts that one statement looks at, whether they end or not.
_LOOKED = 5_000
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
Reason = Literal["anonymous", "unverified"]
Count = Callable[[Reason, int], None]


@dataclass(frozen=True, slots=True)
class EndRules:
    """Days after which accounts end, 0 for never; `end_made_accounts`: those too that an operator has made.

    Users of unverified ones are written to `warning_days` before, unless that is 0.
    """

    project_id: str
    locale: str
    unverified_days: int
    anonymous_days: int
    warning_days: int
    end_made_accounts: bool


@dataclass(frozen=True, slots=True)
class EndingUser:
    id: str
    anonymous: bool


@dataclass(frozen=True, slots=True)
class WarnedUser:
    """User who has had the address `since` then."""

    id: str
    email: str
    since: datetime
    warned_at: datetime


@dataclass(frozen=True, slots=True)
class _Window:
    """Accounts made later than one moment and not after another; `kept` ones have been made by an operator."""

    kept: bool
    after: datetime
    until: datetime


async def end_due(
    pool: Pool, *, most: int, count: Count = lambda _reason, _number: None, looked: int = _LOOKED
) -> None:
    """End all accounts that are due, so many in a transaction. `count` learns after COMMIT how many have, and why."""
    for rules in await _sql.all(pool, "list_projects_that_end_accounts", EndRules):
        async for window in _each_window(pool, rules, looked, to_warn=False):
            while await _end_some(pool, rules, window, most, count) >= most:
                pass


async def warn_due(pool: Pool, *, sender: str, most: int, looked: int = _LOOKED) -> int:
    """Enqueue a letter to users whose accounts are about to end, so many of each project; return how many in all."""
    total = 0
    for rules in await _sql.all(pool, "list_projects_that_end_accounts", EndRules):
        warned = 0
        if rules.warning_days and rules.unverified_days:
            async for window in _each_window(pool, rules, looked, to_warn=True):
                warned += await _warn_some(pool, rules, window, sender, most - warned)
                if warned >= most:
                    break
        total += warned
    return total


async def _each_window(pool: Pool, rules: EndRules, looked: int, *, to_warn: bool) -> AsyncIterator[_Window]:
    days = min(filter(None, _days(rules, to_warn=to_warn)))
    for kept in (False, True) if rules.end_made_accounts else (False,):
        facts = {"project_id": rules.project_id, "kept": kept, "days": days, "looked": looked}
        after = _EARLIEST
        while until := await _sql.value(pool, "find_end_window", **facts, after=after):
            yield _Window(kept, after, until)
            after = until


def _days(rules: EndRules, *, to_warn: bool) -> tuple[int, int]:
    """Return the days of unverified and of anonymous accounts, 0 for never."""
    if to_warn:  # a letter comes on the second day at the earliest, and none to a guest
        return max(1, rules.unverified_days - rules.warning_days), 0
    return rules.unverified_days, rules.anonymous_days


async def _warn_some(pool: Pool, rules: EndRules, window: _Window, sender: str, most: int) -> int:
    async with unit_of_work(pool, None, rules.project_id) as tx:
        due = await _lock(tx, rules, window, most, to_warn=True)
        facts = {"project_id": rules.project_id, "user_ids": [user.id for user in due]}
        warned = await _sql.all(tx, "mark_users_warned", WarnedUser, **facts)
        for user in warned:
            ends_at = max(
                user.since + timedelta(days=rules.unverified_days), user.warned_at + timedelta(days=rules.warning_days)
            )
            await outbox.enqueue(
                tx,
                rules.project_id,
                letter="account_ends",
                recipient=user.email,
                user_id=user.id,
                locale=rules.locale,
                # In the language of the user's preferences, if they name one.
                facts={"modern": True, "accepted": [], "ends_at": ends_at.isoformat()},
                deadline_at=ends_at,
                sender=sender,
            )
    if warned:
        log.info(
            "Users of unverified accounts are told that these end",
            extra={"event": "account_ends.warned", "project": rules.project_id, "count": len(warned)},
        )
    return len(warned)


async def _end_some(pool: Pool, rules: EndRules, window: _Window, most: int, count: Count) -> int:
    async with transaction(pool, rules.project_id) as tx:
        due = await _lock(tx, rules, window, most)
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
        anonymous = sum(user.anonymous for user in due)
        counts: dict[Reason, int] = {"anonymous": anonymous, "unverified": len(due) - anonymous}
        for reason, number in counts.items():
            count(reason, number)
        log.info(
            "Accounts that nobody has proved have ended",
            extra={
                "event": "account_ends.ended",
                "project": rules.project_id,
                "anonymous": counts["anonymous"],
                "unverified": counts["unverified"],
            },
        )
    return len(due)


async def _lock(
    conn: Executor, rules: EndRules, window: _Window, most: int, *, to_warn: bool = False
) -> list[EndingUser]:
    """Find accounts of a window that are due, locked; those that somebody uses just now come next time."""
    unverified, anonymous = _days(rules, to_warn=to_warn)
    facts = {
        "project_id": rules.project_id,
        "after": window.after,
        "until": window.until,
        "unverified": unverified,
        "anonymous": anonymous,
        "warning": rules.warning_days,
        "to_warn": to_warn,
        "most": most,
    }
    if window.kept:
        return await _sql.all(conn, "lock_made_users_to_end", EndingUser, **facts)
    return await _sql.all(conn, "lock_users_to_end", EndingUser, **facts)
