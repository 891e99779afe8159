"""Lists of users in large projects: what is found by an index, and what is refused because it would read every user."""

import re
from dataclasses import dataclass, replace

from service import email_addresses
from service.db import Connection, Executor, Queries
from service.errors import QueryInvalid
from service.store import users
from service.store.users import Page, SortColumn, UserFilter

_sql = Queries("user_search")
# So many users can be looked through, sorted and counted in some hundredths of a second.
MOST = 5000
# Columns with an index in whose order a list can be read.
_ORDERS: frozenset[SortColumn] = frozenset({"id", "created_at", "name", "email"})
_PARTS = ("search", "name_part", "email_part", "phone_part")
# What the index knows a text by: three letters or digits in a row.
_TRIGRAM = re.compile(r"[^\W_]{3}")
_WILDCARDS = re.compile(r"([\\%_])")
_FILLED = 5000


@dataclass(frozen=True, slots=True)
class Extent:
    """`large`: the project has more than MOST users. The others: the indexes of their texts that the server has."""

    large: bool
    trigrams: bool
    prefixes: bool


@dataclass(frozen=True, slots=True)
class UserId:
    id: str


@dataclass(frozen=True, slots=True)
class UserKey:
    project_id: str
    id: str


async def bound(conn: Executor, project_id: str, *, wanted: UserFilter, page: Page) -> UserFilter:
    """Return a filter that a list in this order can be read by, the same users in it: parts of texts become ids.

    Of a search that more than MOST users match it has some MOST. Raises QueryInvalid for what would read every user of
    a large project.
    """
    parts = {name: text for name in _PARTS if (text := getattr(wanted, name)) is not None}
    if not parts and page.by in _ORDERS:
        return wanted
    extent = await _sql.one(conn, "get_extent", Extent, project_id=project_id, most=MOST)
    if extent is None or not extent.large:
        return wanted
    if parts:
        found = await _find(conn, project_id, parts, extent)
        ids = found if wanted.ids is None else [each for each in found if each in wanted.ids]
        return replace(wanted, ids=ids, search=None, name_part=None, email_part=None, phone_part=None)
    if await users.count(conn, project_id, wanted=wanted, most=MOST + 1) > MOST:
        raise QueryInvalid(f"More than {MOST} users match: narrow them to order by this attribute.")
    return wanted


async def _find(conn: Executor, project_id: str, parts: dict[str, str], extent: Extent) -> list[str]:
    """Find the ids of users by parts of their texts, MOST at most. Raises QueryInvalid if no index knows them."""
    stored = {name: email_addresses.part_form(parts[name]) for name in ("search", "email_part") if name in parts}
    if not extent.trigrams:
        if not extent.prefixes:
            raise QueryInvalid("This project has too many users for a search: the server has no index for it.")
        if parts.keys() != {"search"}:
            raise QueryInvalid(
                "This project has too many users for this: the server's index knows how texts begin."
                " Use the parameter `search` alone."
            )
        begin = {"search": parts["search"], "search_email": stored["search"]}
        found = await _sql.all(conn, "find_users_by_prefix", UserId, project_id=project_id, **begin, most=MOST)
        return [each.id for each in found]
    if not all(map(_TRIGRAM.search, parts.values())):
        raise QueryInvalid("In a project of this size a search needs three letters or digits in a row.")
    patterns = {name: _pattern(parts.get(name)) for name in _PARTS} | {
        "search_email": _pattern(stored.get("search")),
        "email_part": _pattern(stored.get("email_part")),
    }
    found = await _sql.all(conn, "find_users_by_text", UserId, project_id=project_id, **patterns, most=MOST)
    return [each.id for each in found]


def _pattern(part: str | None) -> str | None:
    return None if part is None else "%" + _WILDCARDS.sub(r"\\\1", part) + "%"


async def prepare(conn: Connection) -> str | None:
    """Fill the table of texts, and return the statements that make its indexes; None where there are none to be made.

    Trigrams, or else prefixes. For `migrate`: safe to interrupt and to run again.
    """
    trigrams = await _sql.value(conn, "create_trigrams")
    statements: str | None = (
        await _sql.value(conn, "trigram_index") if trigrams else await _sql.value(conn, "prefix_indexes")
    )
    last = UserKey("", "") if statements else None
    while last is not None:
        facts = {"project_id": last.project_id, "id": last.id, "most": _FILLED}
        last = await _sql.one(conn, "fill_user_texts", UserKey, **facts)
    return statements
