"""Pages of lists that no index knows: windows of users in the list's order are looked through, so many and no more."""

from dataclasses import replace

from service.db import Executor, Queries
from service.errors import QueryInvalid
from service.store import user_lists
from service.store.user_lists import Page, SortKey, UserFilter
from service.store.users import User

_sql = Queries("user_windows")
# Users that one statement looks through in some ten milliseconds: by age their rows lie side by side.
_WINDOW, _WINDOW_BY_AGE = 5_000, 20_000
# Statements for a page, and for a total.
_WINDOWS = 25


async def page(conn: Executor, project_id: str, *, wanted: UserFilter, page: Page) -> list[User]:
    """List users in an order that has an index. Raises QueryInvalid if too few match to fill the page."""
    found: list[User] = []
    place, rest = user_lists.sort_key(page) or _beginning(wanted, page), page
    for _ in range(_WINDOWS):
        end = await _window_end(conn, project_id, page=page, after=place)
        here = await user_lists.between(conn, project_id, wanted=wanted, page=rest, after=place, until=end)
        found += here
        if end is None or len(found) == page.limit or _is_beyond(end, wanted, page):
            return found[::-1] if page.before else found
        if rest.offset and not here:
            raise QueryInvalid("Too few users match for an offset in a project of this size: use a cursor instead.")
        rest = replace(rest, limit=page.limit - len(found), offset=0)
        place = end
    raise QueryInvalid(
        f"Too few of {_WINDOWS * _window(page)} users match: narrow the list, by the time of registration for example."
    )


async def count(conn: Executor, project_id: str, *, wanted: UserFilter, most: int, expected: int) -> int:
    """Count among the newest users; return what is expected where the others are too many to be looked through."""
    newest, found, end = Page(descending=True), 0, None
    place = _beginning(wanted, newest)
    for _ in range(_WINDOWS):
        end = await _window_end(conn, project_id, page=newest, after=place)
        is_last = end is None or _is_beyond(end, wanted, newest)
        here = replace(
            wanted,
            created_from=wanted.created_from if end is None or is_last else end.moment,
            created_until=place.moment if place else None,
        )
        found += await user_lists.count(conn, project_id, wanted=here, most=most - found)
        if is_last or found == most:
            return found
        place = None if end is None else SortKey(end.moment, "", "")
    return min(most, max(found, expected))


def _window(page: Page) -> int:
    return _WINDOW_BY_AGE if page.by == "created_at" else _WINDOW


def _beginning(wanted: UserFilter, page: Page) -> SortKey | None:
    """Return the place before a period, in an order by age."""
    start = wanted.created_until if page.descending != page.before else wanted.created_from
    return SortKey(start, "", "") if start and page.by == "created_at" else None


def _is_beyond(end: SortKey, wanted: UserFilter, page: Page) -> bool:
    """Tell whether a period is over, in an order by age."""
    if page.by != "created_at":
        return False
    if page.descending != page.before:
        return wanted.created_from is not None and end.moment < wanted.created_from
    return wanted.created_until is not None and end.moment >= wanted.created_until


async def _window_end(conn: Executor, project_id: str, *, page: Page, after: SortKey | None) -> SortKey | None:
    return await _sql.one(
        conn, "find_window_end", SortKey, project_id=project_id, by=page.by, skipped=_window(page) - 1,
        descending=page.descending != page.before, cursor=after and after.id, moment=after and after.moment,
        word=after and after.word,
    )  # fmt: skip
