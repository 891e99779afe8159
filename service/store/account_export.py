"""Rows of one user for the export of the account, page by page, newest first: memory holds one page."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from service.db import Executor, Queries
from service.store.outbox_admin import MemberMail
from service.store.security_log import Log
from service.store.users import User

_sql = Queries("account_export")
_PAGE = 500
# Before any row comes the first page.
_LAST_DAY, _LAST_ID = datetime(9999, 12, 31, tzinfo=UTC), UUID(int=2**128 - 1)
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class ExportedLog(Log):
    """Entry of the security log with the id that orders entries of one moment."""

    id: UUID


@dataclass(frozen=True, slots=True)
class MemberSms:
    """An SMS as its receiver may see it."""

    id: UUID
    kind: str
    recipient: str
    state: str
    created_at: datetime
    changed_at: datetime


def logs(conn: Executor, owner: User, *, hidden: Sequence[str]) -> AsyncIterator[list[ExportedLog]]:
    """List the entries of the account; `hidden` events are left out."""

    async def page(before: datetime, before_id: UUID) -> list[ExportedLog]:
        facts = _key(owner) | {"hidden": list(hidden), "before": before, "before_id": before_id}
        return await _sql.all(conn, "list_logs_before", ExportedLog, **facts, most=_PAGE)

    return _pages(page, lambda row: (row.at, row.id))


def mails(conn: Executor, owner: User) -> AsyncIterator[list[MemberMail]]:
    async def page(before: datetime, before_id: UUID) -> list[MemberMail]:
        facts = _key(owner) | {"before": before, "before_id": before_id}
        return await _sql.all(conn, "list_mails_before", MemberMail, **facts, most=_PAGE)

    return _pages(page, lambda row: (row.created_at, row.id))


def sms(conn: Executor, owner: User) -> AsyncIterator[list[MemberSms]]:
    async def page(before: datetime, before_id: UUID) -> list[MemberSms]:
        facts = _key(owner) | {"before": before, "before_id": before_id}
        return await _sql.all(conn, "list_sms_before", MemberSms, **facts, most=_PAGE)

    return _pages(page, lambda row: (row.created_at, row.id))


def _key(owner: User) -> dict[str, object]:
    """Name the rows of the account: an earlier user may have had its id."""
    return {"project_id": owner.project_id, "user_id": owner.id, "since": owner.created_at}


async def _pages(
    page: Callable[[datetime, UUID], Awaitable[list[Row]]], place: Callable[[Row], tuple[datetime, UUID]]
) -> AsyncIterator[list[Row]]:
    before = _LAST_DAY, _LAST_ID
    while rows := await page(*before):
        yield rows
        if len(rows) < _PAGE:
            return
        before = place(rows[-1])
