"""Lists of users: filter, order, page and count. `user_search` and `user_windows` bound what one may cost."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from service import email_addresses
from service.db import Executor, Queries
from service.store import users
from service.store.users import User

_sql = Queries("user_lists")
# Columns by which a list can be ordered, each a time or a text.
TimeColumn = Literal["created_at", "updated_at", "accessed_at", "password_updated_at"]
SortColumn = TimeColumn | Literal["id", "name", "email", "phone", "status", "email_verified", "phone_verified"]
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Filter of a list; None does not narrow. Texts are compared as they are.

    `labels`: one of them is enough. `search` looks into id, address, number and name. `created_from` is within,
    `created_until` is not.
    """

    search: str | None = None
    ids: list[str] | None = None
    emails: list[str] | None = None
    names: list[str] | None = None
    statuses: list[str] | None = None
    labels: list[str] | None = None
    verified: bool | None = None
    name_part: str | None = None
    email_part: str | None = None
    phones: list[str] | None = None
    phone_verified: bool | None = None
    phone_part: str | None = None
    created_from: datetime | None = None
    created_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list: `limit` users after the cursor, or before it, or the first ones."""

    by: SortColumn = "created_at"
    descending: bool = False
    cursor: User | None = None
    before: bool = False
    limit: int = 25
    offset: int = 0


@dataclass(frozen=True, slots=True)
class SortKey:
    """Place of a user in a list: a time and a text, one of which is the same for all, and the id."""

    moment: datetime
    word: str
    id: str


async def page(conn: Executor, project_id: str, *, wanted: UserFilter, page: Page) -> list[User]:
    """List users in the list's order, in either direction of paging."""
    found = await between(conn, project_id, wanted=wanted, page=page, after=sort_key(page))
    return found[::-1] if page.before else found


async def sorted_page(conn: Executor, project_id: str, *, wanted: UserFilter, page: Page) -> list[User]:
    """List users as `page` does, but sort all who match: for few of many."""
    found = await between(conn, project_id, wanted=wanted, page=page, after=sort_key(page), is_sorted=True)
    return found[::-1] if page.before else found


async def between(
    conn: Executor, project_id: str, *, wanted: UserFilter, page: Page, after: SortKey | None,
    until: SortKey | None = None, is_sorted: bool = False,
) -> list[User]:  # fmt: skip
    """List users behind a place and up to another, in the direction of paging."""
    found = await _sql.all(
        conn,
        "list_users",
        User,
        project_id=project_id,
        **_conditions(wanted),
        by=page.by,
        descending=page.descending != page.before,
        cursor=after and after.id,
        moment=after and after.moment,
        word=after and after.word,
        until=until and until.id,
        until_moment=until and until.moment,
        until_word=until and until.word,
        sorted=is_sorted,
        limit=page.limit,
        offset=page.offset,
    )
    return await users.all_with_targets(conn, project_id, found)


def _conditions(wanted: UserFilter) -> dict[str, Any]:
    """Build the conditions of the statements; text to find in addresses is in their stored form."""
    parts = {"search_email": wanted.search, "email_part": wanted.email_part}
    return asdict(wanted) | {name: email_addresses.part_form(part) if part else part for name, part in parts.items()}


def sort_key(page: Page) -> SortKey | None:
    """Return the place of the page's cursor in its order."""
    if page.cursor is None:
        return None
    value: datetime | str | bool | None = None if page.by == "id" else getattr(page.cursor, page.by)
    if isinstance(value, datetime):
        return SortKey(value, "", page.cursor.id)
    return SortKey(_NEVER, str(value).lower() if isinstance(value, bool) else value or "", page.cursor.id)


async def count(conn: Executor, project_id: str, *, wanted: UserFilter, most: int) -> int:
    """Count the users, `most` at most."""
    return int(await _sql.value(conn, "count_users", project_id=project_id, **_conditions(wanted), most=most))


async def expected(conn: Executor, project_id: str, *, wanted: UserFilter) -> int:
    """Return how many users the planner expects, without reading them."""
    return await _sql.expected(conn, "count_users", project_id=project_id, **_conditions(wanted), most=1)
