"""Mails a second that two and four workers send, beside those of one."""

from collections.abc import Callable
from contextlib import AsyncExitStack

from bench import mails
from bench.ground import Ground, Member, worker
from bench.programs import Program
from bench.rounds import Tally, busy
from bench.table import Row
from service.store.tokens import Kind

_COUNTS = (1, 2, 4)
_GOALS = {2: 1.8, 4: 3.2}


async def measure(
    ground: Ground, members: list[Member], *, sink: Program, smtp: int, rounds: int, report: Callable[[str], None]
) -> list[Row]:
    """Send each member a mail by one, two and four workers in each round, on whatever cores there are."""
    tallies: dict[int, list[Tally]] = {count: [] for count in _COUNTS}
    for number in range(rounds):
        async with AsyncExitStack() as stack:
            workers: list[Program] = []
            for count in _COUNTS:
                while len(workers) < count:
                    name = f"worker-{len(workers)}"
                    workers.append(await stack.enter_async_context(worker(ground, smtp=smtp, name=name, measured=None)))
                await _take(ground, members[: len(members) // 4], sink, workers)  # the newest must be warm
                tallies[count].append(await _take(ground, members, sink, workers))
        rates = ", ".join(f"{each[-1].rate:.0f}/s by {count}" for count, each in tallies.items())
        report(f"workers, round {number + 1}: {rates}")
    return _rows(tallies)


async def _take(ground: Ground, members: list[Member], sink: Program, workers: list[Program]) -> Tally:
    await mails.lay_out(ground, members, Kind.VERIFICATION)
    used = sum(each.cpu() for each in workers)
    seconds = await mails.send(ground, sink, len(members))
    cpu = sum(each.cpu() for each in workers) - used
    await mails.taken(sink, members)
    return Tally(len(members), seconds, cpu)


def _rows(tallies: dict[int, list[Tally]]) -> list[Row]:
    """Compare each count with one worker: by the clock, and by what it would be with as many cores as workers."""
    rows = [Row("mails by 1 worker", tuple(one.rate for one in tallies[1]), "mail/s", None, busy(tallies[1]))]
    for count, goal in _GOALS.items():
        pairs = list(zip(tallies[count], tallies[1], strict=True))
        rows += [
            Row(f"mails by {count} workers/by 1", tuple(m.rate / o.rate for m, o in pairs), "ratio", goal),
            Row(f"  {count} workers", tuple(m.rate for m, _ in pairs), "mail/s", None, busy(tallies[count])),
            Row("  with a core each", tuple(count * o.cost / m.cost for m, o in pairs), "ratio"),
        ]
    return rows
