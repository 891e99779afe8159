"""Tables and lists of facts for people."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from service.cli import durations


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows with all their facts for programs; people see `columns` of them."""

    rows: list[dict[str, Any]]
    columns: tuple[str, ...]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Format rows under their heads, each column as wide as it has to be."""
    cells = [head, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def lines(answer: Listing | Mapping[str, Any]) -> list[str]:
    """Format an answer: a table, or a line a fact."""
    if isinstance(answer, Listing):
        head = [column.upper().replace("_", " ") for column in answer.columns]
        return table(head, ([plain(row[column]) for column in answer.columns] for row in answer.rows))
    return [f"{name}: {_fact(name, value)}" for name, value in answer.items()]


def _fact(name: str, value: object) -> str:
    """Write times as they may be typed."""
    return durations.write(value) if name.endswith("_seconds") and isinstance(value, int) else plain(value)


def plain(value: object) -> str:
    """Write a value on one line; nothing in it can move a cursor."""
    if value is None or value in ("", [], {}):
        return "-"
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(plain, value))
        case dict():
            between = "; " if any(isinstance(each, list) for each in value.values()) else ", "
            return between.join(f"{name} {plain(each)}" for name, each in value.items())
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
    return "".join(letter if letter.isprintable() else " " for letter in str(value))
