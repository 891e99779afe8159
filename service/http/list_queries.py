"""The `queries` of a list, in both spellings (docs/contract.md#lists-and-queries)."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from service.errors import QueryInvalid
from service.http.context import RequestContext

MOST, USUAL, FARTHEST = 100, 25, 100_000
# More are not counted: a total is for the number of pages, not for statistics.
COUNTED = 5000
_QUERIES, _LENGTH = 100, 4096
_OLD = re.compile(r"([a-zA-Z]{1,32})\((.*)\)", re.DOTALL)
# The wire has milliseconds, the rows have more.
_TICK = timedelta(milliseconds=1)
# These are about the list and name no field.
_OF_THE_LIST = frozenset({"limit", "offset", "cursorAfter", "cursorBefore"})


@dataclass(frozen=True, slots=True)
class Query:
    """One query; `field` is "" where the method needs none."""

    method: str
    field: str
    values: tuple[Any, ...]


def read(ctx: RequestContext) -> list[Query]:
    """Parse all queries of a request, in their order; raises QueryInvalid."""
    texts = [text for name, text in ctx.request.query.items() if name.partition("[")[0] == "queries"]
    if len(texts) > _QUERIES:
        raise QueryInvalid(f"At most {_QUERIES} queries are supported.")
    return [parse(text) for text in texts]


def parse(text: str) -> Query:
    """Parse one query in either spelling; raises QueryInvalid."""
    if len(text) > _LENGTH:
        raise QueryInvalid(f"A query is at most {_LENGTH} characters long.")
    try:
        if match := _OLD.fullmatch(text):
            return _from_call(match[1], orjson.loads(f"[{match[2]}]"))
        return _from_object(orjson.loads(text))
    except ValueError:
        raise QueryInvalid("A query could not be understood.") from None


def _from_call(method: str, words: list[Any]) -> Query:
    """Parse `equal("email", ["a@b.c"])`: the field comes first, a list of values may be written without brackets."""
    if method in _OF_THE_LIST:
        return Query(method, "", _sound(words))
    match words:
        case [str(field), [*values]] | [str(field), *values]:
            return Query(method, *_named(field, values))
        case []:
            return Query(method, "", ())
    raise ValueError


def _from_object(query: Any) -> Query:
    match query:
        case {"method": str(method)} if query.keys() <= {"method", "attribute", "values"}:
            field, values = query.get("attribute", ""), query.get("values", [])
            if isinstance(field, str) and isinstance(values, list):
                return Query(method, *_named(field, values))
    raise ValueError


def _named(field: str, values: list[Any]) -> tuple[str, tuple[Any, ...]]:
    return str(*_sound([field])), _sound(values)


def _sound(values: list[Any]) -> tuple[Any, ...]:
    """Check for numbers, booleans and text that Postgres takes."""
    if not all(isinstance(value, str | int | float | bool) for value in values):
        raise ValueError
    if any(isinstance(value, str) and "\0" in value for value in values):
        raise ValueError
    return tuple(values)


def number(query: Query, *, most: int) -> int:
    """Return the one whole number that limit and offset have; raises QueryInvalid."""
    match query.values:
        case [bool()]:
            pass
        case [int(value)] if 0 <= value <= most:
            return value
    raise QueryInvalid(f"The query {query.method} takes one number from 0 to {most}.")


# Comparisons of a time: from when on, and until when.
PERIODS: dict[str, Callable[..., tuple[datetime | None, datetime | None]]] = {
    "greaterThan": lambda at: (at + _TICK, None),
    "greaterThanEqual": lambda at: (at, None),
    "lessThan": lambda at: (None, at),
    "lessThanEqual": lambda at: (None, at + _TICK),
    "between": lambda first, last: (first, last + _TICK),
}


def period(query: Query) -> tuple[datetime | None, datetime | None]:
    """Return the times that a comparison is about: the first is within, the last is not. Raises QueryInvalid."""
    times = [_time(value) for value in query.values]
    if len(times) != (2 if query.method == "between" else 1):
        raise QueryInvalid(f"The query {query.method} has another number of values.")
    return PERIODS[query.method](*times)


def _time(value: Any) -> datetime:
    """Parse ISO 8601; without an offset it is UTC."""
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise QueryInvalid("Values of this attribute are times in ISO 8601.") from None
    if not 1970 <= at.year < 9999:
        raise QueryInvalid("This time is too far away.")
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def check_unset(wanted: object, names: Iterable[str]) -> None:
    """Raise QueryInvalid where a filter has one of these conditions already: one of a kind is all that it can hold."""
    if any(getattr(wanted, name) is not None for name in names):
        raise QueryInvalid("Only one condition of a kind is supported.")


def wants_total(ctx: RequestContext) -> bool:
    """Tell whether to count the list: unless `total=false`; .NET sends False, PHP sends 0."""
    return ctx.request.query.get("total", "true").lower() not in ("false", "0")


@dataclass(frozen=True, slots=True)
class Paging:
    """Part of a list: so many rows, behind the row `cursor` or before it, without the first `offset` of them."""

    limit: int = USUAL
    offset: int = 0
    cursor: str | None = None
    before: bool = False


def split(queries: Iterable[Query], usual: Paging | None = None) -> tuple[Paging, list[Query]]:
    """Return the part of the list that is asked for, and the queries about other things. Raises QueryInvalid."""
    part, others = usual or Paging(), list[Query]()
    for query in queries:
        match query:
            case Query("limit"):
                part = replace(part, limit=number(query, most=MOST))
            case Query("offset"):
                part = replace(part, offset=number(query, most=FARTHEST))
            case Query("cursorAfter" | "cursorBefore" as way, values=[str(cursor)]):
                part = replace(part, cursor=cursor, before=way == "cursorBefore")
            case _:
                others.append(query)
    return part, others


def paging(ctx: RequestContext) -> tuple[int, int]:
    """Read limit and offset, for lists that know no other query; raises QueryInvalid."""
    queries = read(ctx)
    if not ctx.api_version.iso:  # 0.12 to 0.15 have them as parameters
        given = ctx.request.query
        queries += [parse(f"{name}({given[name]})") for name in ("limit", "offset") if name in given]
    part, others = split(queries)
    if others or part.cursor is not None:
        raise QueryInvalid
    return part.limit, part.offset
