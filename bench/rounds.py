"""Alternate two sides: each round has several short runs of both, so that a noisy neighbour meets both alike."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from bench.table import Row

Who = Literal["ours", "bare"]
_SIDES: tuple[Who, Who] = ("ours", "bare")


@dataclass(frozen=True, slots=True)
class Tally:
    """Work of a side: so many things, in so many seconds, for so many seconds of its processor."""

    count: int = 0
    seconds: float = 0.0
    cpu: float = 0.0

    @property
    def rate(self) -> float:
        return self.count / self.seconds

    @property
    def cost(self) -> float:
        """Microseconds of processor for one; never nothing, since a short run may be over before a tick is."""
        return max(self.cpu, 1e-9) / self.count * 1e6

    def plus(self, other: "Tally") -> "Tally":
        return Tally(self.count + other.count, self.seconds + other.seconds, self.cpu + other.cpu)


async def interleave(
    take: Callable[[Who], Awaitable[Tally]], *, rounds: int, slots: int, name: str, report: Callable[[str], None]
) -> dict[Who, list[Tally]]:
    """Run the rounds; return a tally a round for each side. The first side alternates; a first turn is not counted."""
    for who in _SIDES:
        await take(who)
    tallies: dict[Who, list[Tally]] = {"ours": [], "bare": []}
    for number in range(rounds):
        sums = {who: Tally() for who in _SIDES}
        for turn in range(slots):
            for who in _SIDES if (number + turn) % 2 == 0 else _SIDES[::-1]:
                sums[who] = sums[who].plus(await take(who))
        for who in _SIDES:
            tallies[who].append(sums[who])
        report(f"{name}, round {number + 1}: ours {sums['ours'].rate:.0f}/s, bare {sums['bare'].rate:.0f}/s")
    return tallies


def rows(
    name: str, tallies: dict[Who, list[Tally]], *, unit: str, goal: float | None = None, of_cost: float | None = None,
    note: str = "",
) -> list[Row]:  # fmt: skip
    """Compute each round's ratio by the clock, its parts, and the one by processor time alone (goal `of_cost`)."""
    pairs = list(zip(tallies["ours"], tallies["bare"], strict=True))
    return [
        Row(f"{name}, ours/bare", tuple(ours.rate / bare.rate for ours, bare in pairs), "ratio", goal, note),
        Row("  ours", tuple(ours.rate for ours, _ in pairs), unit, None, busy(tallies["ours"])),
        Row("  bare", tuple(bare.rate for _, bare in pairs), unit, None, busy(tallies["bare"])),
        Row("  by processor time alone", tuple(bare.cost / ours.cost for ours, bare in pairs), "ratio", of_cost),
    ]


def busy(tallies: list[Tally]) -> str:
    """Describe the processor time of one thing, and how busy the measured process was."""
    whole = Tally()
    for tally in tallies:
        whole = whole.plus(tally)
    return f"({whole.cost:.0f} us of processor each, {100 * whole.cpu / whole.seconds:.0f} % busy)"
