"""Lists that are so short that they are narrowed here, with the queries of the contract: passkeys, targets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from service.errors import CursorNotFound, QueryInvalid
from service.http import list_queries, responses, schemas
from service.http.context import RequestContext
from service.http.list_queries import Paging, Query
from service.store.passkeys import Passkey
from service.store.targets import Target

Row = Passkey | Target


@dataclass(frozen=True, slots=True)
class _List:
    """Name of a list, rendering of a row, and attributes by which it is narrowed, as text or as a time on the wire."""

    name: str
    row: schemas.Schema
    texts: Mapping[str, Callable[[Any], str]]
    times: Mapping[str, Callable[[Any], datetime | None]]
    searched: tuple[str, ...]


_DATES: dict[str, Callable[[Any], datetime | None]] = {
    "$createdAt": lambda row: row.created_at,
    "$updatedAt": lambda row: row.updated_at,
}
_PASSKEYS = _List(
    "passkeys",
    schemas.PASSKEY,
    {"$id": lambda row: row.id, "name": lambda row: row.name},
    {**_DATES, "accessedAt": lambda row: row.accessed_at},
    ("name",),
)
_TARGETS = _List(
    "targets",
    schemas.TARGET,
    {
        "$id": lambda row: row.id,
        "name": lambda row: row.name,
        "providerId": lambda row: row.provider_id or "",
        "providerType": lambda row: row.provider_type,
        "identifier": lambda row: row.identifier,
    },
    _DATES,
    ("name", "identifier"),
)


def render_passkeys(ctx: RequestContext, found: list[Passkey]) -> web.Response:
    """Render what the request asks for. Raises QueryInvalid, and CursorNotFound."""
    return _render(ctx, found, _PASSKEYS)


def render_targets(ctx: RequestContext, found: list[Target]) -> web.Response:
    """Render what the request asks for. Raises QueryInvalid, and CursorNotFound."""
    return _render(ctx, found, _TARGETS)


def _render(ctx: RequestContext, rows: Sequence[Row], kind: _List) -> web.Response:
    found = list(rows)
    part, others = list_queries.split(list_queries.read(ctx))
    orders: list[Query] = []
    for query in others:
        match query:
            case Query("orderAsc" | "orderDesc", field, ()) if field in ("", *kind.texts, *kind.times):
                orders.append(query)
            case _:
                found = list(filter(_condition(query, kind), found))
    total = len(found) if list_queries.wants_total(ctx) else 0
    shown = [kind.row.render(ctx.api_version, row) for row in _page(_ordered(found, orders, kind), part)]
    return responses.json({ctx.api_version.count: total, kind.name: shown})


def _ordered(found: list[Row], orders: list[Query], kind: _List) -> list[Row]:
    """Sort by the first order, then by the next; rows that are alike stay in the order of their making."""
    for order in reversed(orders):
        found = sorted(found, key=lambda row: _key(row, order.field, kind), reverse=order.method == "orderDesc")
    return found


def _key(row: Row, field: str, kind: _List) -> tuple[bool, Any]:
    if field in kind.texts:
        return True, kind.texts[field](row)
    at = kind.times[field or "$createdAt"](row)
    return (False, "") if at is None else (True, at.isoformat(timespec="microseconds"))


def _page(found: list[Row], part: Paging) -> list[Row]:
    if part.cursor is None:
        return found[part.offset : part.offset + part.limit]
    place = next((number for number, row in enumerate(found) if row.id == part.cursor), None)
    if place is None:
        raise CursorNotFound
    if part.before:
        end = max(place - part.offset, 0)
        return found[max(end - part.limit, 0) : end]
    start = place + 1 + part.offset
    return found[start : start + part.limit]


def _condition(query: Query, kind: _List) -> Callable[[Row], bool]:
    match query:
        case Query("equal", field, [_, *_] as values) if field in kind.texts:
            return lambda row: kind.texts[field](row) in values
        case Query("search" | "contains", field, [str(part)]) if part and field in kind.searched:
            return lambda row: part.lower() in kind.texts[field](row).lower()
        case Query(method, field) if field in kind.times and method in list_queries.PERIODS:
            start, end = list_queries.period(query)
            return lambda row: _is_within(kind.times[field](row), start, end)
    raise QueryInvalid(f"The query {query.method[:32]} is not supported for this attribute.")


def _is_within(at: datetime | None, start: datetime | None, end: datetime | None) -> bool:
    return at is not None and (start is None or at >= start) and (end is None or at < end)
