"""Lists of users in large projects: what is found by an index, and what is refused because it would read every user."""

from dataclasses import dataclass, replace

from service.db import Executor, Queries
from service.errors import QueryInvalid
from service.store import user_lists, user_texts, user_windows
from service.store.user_lists import Page, SortColumn, UserFilter
from service.store.user_texts import PARTS, SAMPLED, Extent
from service.store.users import User

_sql = Queries("user_search")
# So many users can be looked through, sorted and counted in some hundredths of a second.
MOST = 5000
# A text that more users match is looked for in windows: the index takes longer the more there are.
_FEW = 1000
# Columns with an index in whose order a list can be read.
_ORDERS: frozenset[SortColumn] = frozenset({"id", "created_at", "name", "email"})
# Conditions that many users may meet, and those which leave a few.
_WIDE = ("names", "statuses", "labels", "verified", "phone_verified")
_EXACT = ("ids", "emails", "phones")


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that can be read, in its order if there is an index; parts of texts may have become ids.

    `few`: all who match are sorted. `expected`: so many match that windows are read.
    """

    wanted: UserFilter
    page: Page
    few: bool = False
    expected: int | None = None


async def bound(conn: Executor, project_id: str, *, wanted: UserFilter, page: Page) -> Listing:
    """Decide how a list is read. Raises QueryInvalid for what would read every user of a large project."""
    parts = {name: text for name in PARTS if (text := getattr(wanted, name)) is not None}
    if not parts and page.by in _ORDERS and _has_index(wanted, page):
        return Listing(wanted, page)
    extent = await _sql.one(conn, "get_extent", Extent, project_id=project_id, most=MOST, sampled=SAMPLED)
    if extent is None or not extent.large:
        return Listing(wanted, page)
    if parts:
        return await _bound_texts(conn, project_id, parts, extent, Listing(wanted, page))
    expected = await user_lists.expected(conn, project_id, wanted=wanted)
    if page.by in _ORDERS:
        return Listing(wanted, page, few=expected <= MOST, expected=expected if expected > MOST else None)
    if expected > MOST or await user_lists.count(conn, project_id, wanted=wanted, most=MOST + 1) > MOST:
        raise QueryInvalid(f"More than {MOST} users match: narrow them to order by this attribute.")
    return Listing(wanted, page)


async def _bound_texts(
    conn: Executor, project_id: str, parts: dict[str, str], extent: Extent, asked: Listing
) -> Listing:
    """Put the ids of the users whose texts have these parts in their place, if they are few."""
    wanted = asked.wanted
    found = await user_texts.find(conn, project_id, parts, extent, few=_FEW)
    if isinstance(found, list):
        ids = found if wanted.ids is None else [each for each in found if each in wanted.ids]
        narrow = replace(wanted, ids=ids, search=None, name_part=None, email_part=None, phone_part=None)
        return replace(asked, wanted=narrow, few=True)
    if _is_exact(wanted):
        return replace(asked, few=True)
    if asked.page.by not in _ORDERS:
        raise QueryInvalid(f"More than {_FEW} users match: narrow them to order by this attribute.")
    return replace(asked, expected=found)


async def find(conn: Executor, project_id: str, listing: Listing) -> list[User]:
    """List the users of the page. Raises QueryInvalid if too many would be looked through."""
    by_index = user_lists.sorted_page if listing.few else user_lists.page
    read = by_index if listing.expected is None else user_windows.page
    return await read(conn, project_id, wanted=listing.wanted, page=listing.page)


async def count(conn: Executor, project_id: str, listing: Listing, *, most: int) -> int:
    """Count the users, `most` at most; an estimate where too many would be looked through."""
    if listing.expected is None:
        return await user_lists.count(conn, project_id, wanted=listing.wanted, most=most)
    return await user_windows.count(conn, project_id, wanted=listing.wanted, most=most, expected=listing.expected)


def _is_exact(wanted: UserFilter) -> bool:
    return any(getattr(wanted, name) is not None for name in _EXACT)


def _has_index(wanted: UserFilter, page: Page) -> bool:
    """Tell whether an index bounds the list: it leaves a few users, or has the list in its order."""
    wide = [name for name in _WIDE if getattr(wanted, name) is not None]
    period = wanted.created_from is not None or wanted.created_until is not None
    if _is_exact(wanted) or not (wide or period):
        return True
    if page.by != "created_at":
        return False
    # Two statuses are two places in their index.
    one_status = wide == ["statuses"] and len(wanted.statuses or ()) == 1
    return one_status or wide in ([], ["verified"], ["phone_verified"])
