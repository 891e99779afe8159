"""Approvals of magic links that sign in the browser that asked for them, of the kind FIRST_TAB."""

from dataclasses import dataclass
from datetime import datetime

from service.db import Executor, Queries
from service.store.tokens import Token

_sql = Queries("token_approvals")


@dataclass(frozen=True, slots=True)
class Approval:
    """State of a link that is to be approved: approved or not, and whether its time is over."""

    approved: bool
    over: bool


async def approve(conn: Executor, token: Token) -> bool:
    """Let the browser that asked for a link sign in; False if it is approved, ended or expired already."""
    return await _sql.run(conn, "approve_token", project_id=token.project_id, id=token.id) == 1


async def end_unapproved(conn: Executor, token: Token) -> bool:
    """End a link for a wrong number; False if it is approved, ended or expired already."""
    return await _sql.run(conn, "end_unapproved_token", project_id=token.project_id, id=token.id) == 1


async def find(conn: Executor, project_id: str, *, token_id: str, ends_at: datetime) -> Approval:
    """Tell whether a link is approved, and whether its time is over; the same work for one that is gone."""
    found = await _sql.one(conn, "find_approval", Approval, project_id=project_id, id=token_id, ends_at=ends_at)
    assert found is not None  # noqa: S101 - an aggregate always has a row
    return found


async def find_approved(conn: Executor, project_id: str, *, token_id: str) -> Token | None:
    return await _sql.one(conn, "find_approved_token", Token, project_id=project_id, id=token_id)
