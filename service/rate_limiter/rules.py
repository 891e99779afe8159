"""Rules, the windows that a call counts in, and the outcome.

What each call makes are named tuples: it makes dozens, and a frozen dataclass takes three times as long.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from service.errors import AccountError

HOUR, DAY = 3600, 86_400

# Calls whose places stay taken: all, those that fail, that succeed, that fail with one error.
Only = Literal["failures", "successes"] | type[AccountError] | None


@dataclass(frozen=True, slots=True)
class Rule:
    """Allow at most `limit` calls in any `window` seconds for each value of the key."""

    name: str
    limit: int
    window: int


class Window(NamedTuple):
    """A rule for one value. `own` if the caller alone is counted in it: its numbers may be shown.

    `by_address` if the value is a client's address, or a network of such.
    """

    rule: Rule
    value: str
    own: bool = False
    only: Only = None
    by_address: bool = False


class Usage(NamedTuple):
    """Calls that stood in a window before this one; microseconds until the oldest leaves."""

    before: int
    wait: int


class Decision(NamedTuple):
    """Outcome of one rule: `remaining` after this call, `reset` in seconds until a place falls free."""

    allowed: bool
    limit: int
    remaining: int
    reset: int
    window: int
    rule: str


class Place(NamedTuple):
    """Place of a call in one window, by which it can be refunded and no other call can."""

    name: str
    limit: int
    call_id: str
    moment: datetime


class Tally(NamedTuple):
    """A call's windows, a decision for each, and the places that it took: none if one of the windows was full."""

    windows: Sequence[Window]
    decisions: Sequence[Decision]
    places: Sequence[Place] = ()

    @property
    def allowed(self) -> bool:
        return bool(self.places)


def full(windows: Sequence[Window], used: Sequence[Usage]) -> bool:
    return any(each.before >= window.rule.limit for window, each in zip(windows, used, strict=True))


def tally(windows: Sequence[Window], used: Sequence[Usage], places: Sequence[Place] = ()) -> Tally:
    return Tally(windows, [_decision(w.rule, each) for w, each in zip(windows, used, strict=True)], places)


def _decision(rule: Rule, used: Usage) -> Decision:
    left, reset = max(0, rule.limit - used.before - 1), math.ceil(used.wait / 1_000_000)
    return Decision(used.before < rule.limit, rule.limit, left, reset, rule.window, rule.name)
