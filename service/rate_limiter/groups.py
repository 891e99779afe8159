"""Groups of windows: each counts a call wholly or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from service.rate_limiter.rules import Place, Rule, Window


@dataclass(frozen=True, slots=True)
class Group:
    """Windows that count a call together, and their names in both stores."""

    windows: Sequence[Window]
    names: Sequence[str]
    rules: Sequence[Rule]
    call_id: str

    def places(self, moment: datetime) -> list[Place]:
        named = zip(self.names, self.rules, strict=True)
        return [Place(name, rule.limit, self.call_id, moment) for name, rule in named]


def entries(groups: Sequence[Group]) -> list[tuple[str, str]]:
    """List what groups hold in Redis, once it has counted them."""
    return [(name, group.call_id) for group in groups for name in group.names]


class Joined(NamedTuple):
    """Names and rules of the windows of groups, and the number of its group for each, from 1."""

    names: list[str]
    rules: list[Rule]
    numbers: list[int]


def joined(groups: Sequence[Group]) -> Joined:
    return Joined(
        [name for group in groups for name in group.names],
        [rule for group in groups for rule in group.rules],
        [number for number, group in enumerate(groups, 1) for _ in group.names],
    )
