"""The list of a user's passkeys, with the queries of the contract. It is short, so it is narrowed here."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from aiohttp import web

from service.errors import CursorNotFound, QueryInvalid
from service.http import list_queries, responses, schemas
from service.http.context import RequestContext
from service.http.list_queries import FARTHEST, MOST, USUAL, Query
from service.store.passkeys import Passkey

# Attributes, as text or as a time on the wire.
_TEXTS: dict[str, Callable[[Passkey], str]] = {"$id": lambda row: row.id, "name": lambda row: row.name}
_TIMES: dict[str, Callable[[Passkey], datetime | None]] = {
    "$createdAt": lambda row: row.created_at,
    "$updatedAt": lambda row: row.updated_at,
    "accessedAt": lambda row: row.accessed_at,
}


def render(ctx: RequestContext, found: list[Passkey]) -> web.Response:
    """Render what the request asks for. Raises QueryInvalid, and CursorNotFound."""
    limit, offset, cursor = USUAL, 0, None
    orders: list[Query] = []
    for query in list_queries.read(ctx):
        match query:
            case Query("limit"):
                limit = list_queries.number(query, most=MOST)
            case Query("offset"):
                offset = list_queries.number(query, most=FARTHEST)
            case Query("cursorAfter" | "cursorBefore", values=[str()]):
                cursor = query
            case Query("orderAsc" | "orderDesc", field, ()) if field in ("", *_TEXTS, *_TIMES):
                orders.append(query)
            case _:
                found = list(filter(_condition(query), found))
    total = len(found) if list_queries.wants_total(ctx) else 0
    page = _page(_ordered(found, orders), cursor, limit=limit, offset=offset)
    rows = [schemas.PASSKEY.render(ctx.api_version, row) for row in page]
    return responses.json({ctx.api_version.count: total, "passkeys": rows})


def _ordered(found: list[Passkey], orders: list[Query]) -> list[Passkey]:
    """Sort by the first order, then by the next; rows that are alike stay in the order of their making."""
    for order in reversed(orders):
        found = sorted(found, key=lambda row: _key(row, order.field), reverse=order.method == "orderDesc")
    return found


def _key(row: Passkey, field: str) -> tuple[bool, Any]:
    if field in _TEXTS:
        return True, _TEXTS[field](row)
    at = _TIMES[field or "$createdAt"](row)
    return (False, "") if at is None else (True, at.isoformat(timespec="microseconds"))


def _page(found: list[Passkey], cursor: Query | None, *, limit: int, offset: int) -> list[Passkey]:
    if cursor is None:
        return found[offset : offset + limit]
    place = next((number for number, row in enumerate(found) if row.id == cursor.values[0]), None)
    if place is None:
        raise CursorNotFound
    if cursor.method == "cursorBefore":
        end = max(place - offset, 0)
        return found[max(end - limit, 0) : end]
    return found[place + 1 + offset : place + 1 + offset + limit]


def _condition(query: Query) -> Callable[[Passkey], bool]:
    match query:
        case Query("equal", field, [_, *_] as values) if field in _TEXTS:
            return lambda row: _TEXTS[field](row) in values
        case Query("search" | "contains", "name", [str(part)]) if part:
            return lambda row: part.lower() in row.name.lower()
        case Query(method, field) if field in _TIMES and method in list_queries.PERIODS:
            start, end = list_queries.period(query)
            return lambda row: _is_within(_TIMES[field](row), start, end)
    raise QueryInvalid(f"The query {query.method[:32]} is not supported for this attribute.")


def _is_within(at: datetime | None, start: datetime | None, end: datetime | None) -> bool:
    return at is not None and (start is None or at >= start) and (end is None or at < end)
