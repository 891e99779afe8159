"""Windows in Postgres, under their names in Redis: they have every call, and the last word."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from service.db import Executor, Queries

_sql = Queries("rate_limit_windows")


@dataclass(frozen=True, slots=True)
class Window:
    """Calls in the window before this one; microseconds until the oldest leaves; this one's moment.

    No moment if a window of its group, or of one before, was full: then the call does not count in it.
    """

    before: int
    wait: int
    counted_at: datetime | None


class CountedCall(Protocol):
    """Answer of a statement that counts a call, if it was given windows, before it does more."""

    @property
    def usages(self) -> str | None: ...
    @property
    def counted_at(self) -> datetime | None: ...
    @property
    def refused(self) -> int | None: ...


class Deferred(Protocol):
    """A count that is left to a statement which does more: a text of `lines`, None where everything is counted."""

    @property
    def windows(self) -> str | None: ...

    def settle(self, counted: CountedCall) -> None:
        """Take the statement's answer. Raises TooManyRequests where a window is full: it did nothing else then."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A call that was counted: a line "before wait" for each window, its moment, the first group that refuses it."""

    usages: str | None
    counted_at: datetime | None
    refused: int | None


@dataclass(frozen=True, slots=True)
class Held:
    """Calls in the window; microseconds until the oldest leaves."""

    before: int
    wait: int


@dataclass(frozen=True, slots=True)
class Reset:
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Store:
    """The windows as the API counts in them."""

    conn: Executor

    async def count(
        self, names: Sequence[str], limits: Sequence[int], seconds: Sequence[int], groups: Sequence[int] = ()
    ) -> list[Window]:
        """Count a call in every window of a group or in none, and in none after a group that is full."""
        groups = groups or [1] * len(names)
        counted = await _sql.one(self.conn, "count_in_windows", Counted, windows=lines(names, limits, seconds, groups))
        assert counted  # noqa: S101 - the function always returns a row
        return read(counted, groups)

    async def count_many(self, name: str, *, limit: int, seconds: int, calls: int) -> list[Window]:
        """Count so many calls in one window, each if there is room for it; one answer a call."""
        return await _sql.all(
            self.conn, "count_many_in_window", Window, name=name, limit=limit, seconds=seconds, calls=calls
        )

    async def refund(self, names: Sequence[str], limits: Sequence[int], moments: Sequence[datetime]) -> None:
        """Take the calls of these moments out of the windows again."""
        facts = {"names": " ".join(names), "limits": _numbers(limits), "moments": list(moments)}
        await _sql.value(self.conn, "refund_attempts", **facts)

    async def resets(self, since: datetime) -> list[Reset]:
        """List windows that an operator has emptied since then."""
        return await _sql.all(self.conn, "find_resets", Reset, since=since)


def lines(names: Sequence[str], limits: Sequence[int], seconds: Sequence[int], groups: Sequence[int]) -> str:
    """Return windows as the statements take them that count a call, and may do more."""
    return "\n".join((" ".join(names), _numbers(limits), _numbers(seconds), _numbers(groups)))


def read(counted: CountedCall, groups: Sequence[int]) -> list[Window]:
    """Read such a statement's answer; `groups` has the number of its group for each window."""
    moment, refused, found = counted.counted_at, counted.refused, []
    for line, group in zip((counted.usages or "").split("\n"), groups, strict=True):
        before, wait = line.split(" ")
        found.append(Window(int(before), int(wait), moment if refused is None or group < refused else None))
    return found


def _numbers(numbers: Sequence[int]) -> str:
    return " ".join(map(str, numbers))


async def find(conn: Executor, names: Sequence[str], seconds: Sequence[int]) -> list[Held]:
    """Read the contents of each, one a name, without counting."""
    return await _sql.all(conn, "find_windows", Held, names=list(names), seconds=list(seconds))


async def reset(conn: Executor, names: Sequence[str]) -> int:
    """Empty windows, for API processes to learn of; return how many there were."""
    emptied = await _sql.run(conn, "delete_windows", names=list(names))
    await _sql.run(conn, "record_resets", names=list(names))
    await _sql.run(conn, "delete_old_resets")
    return emptied
