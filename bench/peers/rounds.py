"""Alternate several sides, a turn each in every round, and compare ours with each of the others."""

from collections.abc import Awaitable, Callable, Sequence

from bench.rounds import Tally, busy
from bench.table import Row

OURS = "ours"


async def interleave(
    take: Callable[[str], Awaitable[Tally]], sides: Sequence[str], *, rounds: int, name: str,
    report: Callable[[str], None],
) -> dict[str, list[Tally]]:  # fmt: skip
    """Run the rounds; return a tally a round for each side. Who begins changes; a first turn is not counted."""
    for side in sides:
        await take(side)
    tallies: dict[str, list[Tally]] = {side: [] for side in sides}
    for number in range(rounds):
        first = number % len(sides)
        for side in (*sides[first:], *sides[:first]):
            tallies[side].append(await take(side))
        rates = ", ".join(f"{side} {tallies[side][-1].rate:.0f}/s" for side in sides)
        report(f"{name}, round {number + 1}: {rates}")
    return tallies


def rows(name: str, tallies: dict[str, list[Tally]], *, unit: str = "req/s", of_cost: float | None = None) -> list[Row]:
    """Give each side's rate, and each round's ratio of ours to each other by the clock and by processor time alone."""
    found = [
        Row(f"{name}, {side}", tuple(tally.rate for tally in taken), unit, None, busy(taken))
        for side, taken in tallies.items()
    ]
    for side, taken in tallies.items():
        if side == OURS:
            continue
        pairs = list(zip(tallies[OURS], taken, strict=True))
        costs = tuple(theirs.cost / ours.cost for ours, theirs in pairs)
        found += [
            Row(f"  ours/{side}", tuple(ours.rate / theirs.rate for ours, theirs in pairs), "ratio"),
            Row("    by processor time alone", costs, "ratio", of_cost),
        ]
    return found
