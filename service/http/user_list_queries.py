"""Queries of a list of users: both spellings, and the plain parameters of older SDKs."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from service import email_addresses
from service.errors import CursorNotFound, QueryInvalid
from service.http import list_queries
from service.http.context import RequestContext
from service.http.list_queries import FARTHEST, MOST, Paging, Query
from service.http.request_body import unfit_parameter
from service.store import users
from service.store.user_lists import Page, SortColumn, UserFilter
from service.store.users import User

# Names to order by, and their columns: no text of a client ever gets into a statement.
ORDERS: dict[str, SortColumn] = {
    "": "created_at",
    "$id": "id",
    "$createdAt": "created_at",
    "$updatedAt": "updated_at",
    "registration": "created_at",
    "accessedAt": "accessed_at",
    "passwordUpdate": "password_updated_at",
    "name": "name",
    "email": "email",
    "phone": "phone",
    "status": "status",
    "emailVerification": "email_verified",
    "phoneVerification": "phone_verified",
}
_SEARCH = 256
_ID = re.compile(r"[a-zA-Z0-9._-]{1,36}")
_NUMBER = re.compile(r"\d{1,9}")


async def read(ctx: RequestContext) -> tuple[UserFilter, Page]:
    """Parse the filter and the page. Raises QueryInvalid, CursorNotFound, or ArgumentInvalid for a plain parameter."""
    wanted, page = UserFilter(search=_search(ctx)), Page(descending=_is_descending(ctx))
    part, others = list_queries.split(list_queries.read(ctx), _plain_part(ctx))
    for query in others:
        match query:
            case Query("orderAsc" | "orderDesc" as way, field, ()) if field in ORDERS:
                page = replace(page, by=ORDERS[field], descending=way == "orderDesc")
            case _:
                change = _condition(query)
                list_queries.check_unset(wanted, change)
                wanted = replace(wanted, **change)
    cursor = None if part.cursor is None else await _user(ctx, part.cursor)
    return wanted, replace(page, cursor=cursor, before=part.before, limit=part.limit, offset=part.offset)


async def _user(ctx: RequestContext, cursor: str) -> User:
    fits = _ID.fullmatch(cursor)
    found = await users.find(ctx.pool, ctx.project.id, user_id=cursor) if fits else None
    if found is None:
        raise CursorNotFound
    return found


def _search(ctx: RequestContext) -> str | None:
    text = ctx.request.query.get("search", "")
    if len(text) > _SEARCH or "\0" in text or not _is_text(text):
        raise unfit_parameter(ctx, "search", f"Value must be a valid string and at most {_SEARCH} chars long")
    return _unquoted(text) or None


def _unquoted(text: str) -> str:
    """Remove double quotes around the whole text: they keep words together, which this search does anyway."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _is_text(text: str) -> bool:
    """Refuse surrogates, which stand for bytes of the URL that are no UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _is_descending(ctx: RequestContext) -> bool:
    """Read orderType of SDKs below 1.0."""
    order = ctx.request.query.get("orderType", "") or "ASC"
    if order not in ("ASC", "DESC"):
        raise unfit_parameter(ctx, "orderType", "Value must be one of (ASC, DESC)")
    return order == "DESC"


def _plain_part(ctx: RequestContext) -> Paging:
    """Read limit, offset, cursor and cursorDirection of SDKs below 1.0."""
    given = ctx.request.query
    way = given.get("cursorDirection", "") or "after"
    if way not in ("after", "before"):
        raise unfit_parameter(ctx, "cursorDirection", "Value must be one of (after, before)")
    return Paging(
        limit=_number(ctx, "limit", usual=list_queries.USUAL, most=MOST),
        offset=_number(ctx, "offset", usual=0, most=FARTHEST),
        cursor=given.get("cursor") or None,
        before=way == "before",
    )


def _number(ctx: RequestContext, name: str, *, usual: int, most: int) -> int:
    text = ctx.request.query.get(name, "") or str(usual)
    if not text.isascii() or not _NUMBER.fullmatch(text) or int(text) > most:
        raise unfit_parameter(ctx, name, f"Value must be a valid range between 0 and {most}")
    return int(text)


def _condition(query: Query) -> dict[str, Any]:
    """Return what a query asks of the filter; raises QueryInvalid for an unknown one."""
    match query:
        case Query("equal", field, [_, *_] as values) if field in _EQUALS:
            return _EQUALS[field](list(values))
        case Query("search", "name" | "email" | "phone" as field, [str(part)]) if _unquoted(part):
            return {f"{field}_part": _unquoted(part)}
        case Query("contains", "name" | "email" | "phone" as field, [str(part)]) if part:
            return {f"{field}_part": part}
        case Query("contains" | "containsAny", "labels", [_, *_] as values):
            return {"labels": _words(list(values))}
        case Query(method, "registration" | "$createdAt") if method in list_queries.PERIODS:
            start, end = list_queries.period(query)
            bounds = {"created_from": start, "created_until": end}
            return {name: at for name, at in bounds.items() if at is not None}
    raise QueryInvalid(f"The query {query.method[:32]} is not supported for this attribute.")


def _words(values: list[Any]) -> list[str]:
    if not all(isinstance(value, str) for value in values):
        raise QueryInvalid("Values of this attribute are text.")
    return values


def _statuses(values: list[Any]) -> list[str]:
    """Map statuses: true is every user who is not blocked; legacy has three numbers."""
    known = {0: ["unactivated"], 1: ["active"], 2: ["blocked"]}
    wanted: list[str] = []
    for value in values:
        if isinstance(value, bool):
            wanted += ["unactivated", "active"] if value else ["blocked"]
        elif value in known:
            wanted += known[value]
        else:
            raise QueryInvalid("Values of status are true and false.")
    return wanted


def _verified(values: list[Any]) -> bool:
    match values:
        case [bool(value)]:
            return value
    raise QueryInvalid("The value of this attribute is true or false.")


_EQUALS: dict[str, Callable[[list[Any]], dict[str, Any]]] = {
    "$id": lambda values: {"ids": _words(values)},
    "email": lambda values: {"emails": [email_addresses.lookup_form(email) for email in _words(values)]},
    "name": lambda values: {"names": _words(values)},
    "status": lambda values: {"statuses": _statuses(values)},
    "emailVerification": lambda values: {"verified": _verified(values)},
    "phone": lambda values: {"phones": _words(values)},
    "phoneVerification": lambda values: {"phone_verified": _verified(values)},
}
