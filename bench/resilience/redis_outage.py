"""G5: Redis is down for ten minutes, then loses all of its data twice, under mails and guesses.

`count` is the length of the outage in seconds; nothing else is shortened.
"""

import asyncio
import shutil
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from bench.resilience.progress import report, sifted
from bench.resilience.result import Row
from testkit.client import Client
from testkit.cluster import Cluster, start_cluster
from testkit.history import gather
from testkit.people import create_people, delays, percentile, stream

COUNT = 600
# Seconds before, between and after the faults; mails a second; what the limit on guesses is.
_FAIR, _RATE, _LIMIT = 5.0, 5.0, 10
_DELAY = 10.0


@dataclass
class Run:
    """One run: `looked_at` counts guesses by account and phase; `down` is (from, to) in time.monotonic()."""

    cluster: Cluster
    clients: list[Client]
    looked_at: Counter[tuple[str, str]] = field(default_factory=Counter)
    down: tuple[float, float] = (0.0, 0.0)

    async def guess(self, phase: str, *victims: str) -> None:
        """Guess more often than the limit allows, over both APIs alternately."""
        for victim in victims:
            for number in range(3 * _LIMIT):
                body = {"email": victim, "password": "not the password"}
                act, _, _ = await self.clients[number % 2].call(
                    "guess", "POST", "/v1/account/sessions", body, email=victim
                )
                self.looked_at[victim, phase] += act.status == 401


async def measure(count: int, seed: int) -> list[Row]:  # noqa: ARG001 - nothing here is left to chance
    """Measure with two APIs and two workers, limits on."""
    with tempfile.TemporaryDirectory(prefix="accounts-g05-") as folder:
        async with start_cluster(Path(folder), apis=2, workers=2, LIMITS="on") as cluster:
            run = Run(cluster, [cluster.client(0), cluster.client(1)])
            seconds = count + 4 * _FAIR
            people = await create_people(cluster, int(seconds * _RATE))
            victims = [person.email for person in await create_people(cluster, 2, name="victim")]
            async with asyncio.TaskGroup() as group:
                group.create_task(stream(run.clients, people, seconds=seconds))
                await _break(run, victims, count)
            await cluster.all_ended(seconds=120)
            rows = await _rows(run, victims)
            for process in cluster.processes:
                await process.stop()
    return rows


async def _break(run: Run, victims: list[str], count: int) -> None:
    """Stop Redis; the first account is guessed at from the start, the second only while Redis is down."""
    valkey = run.cluster.valkey
    await run.guess("before", victims[0])
    await asyncio.sleep(_FAIR)
    valkey.stop(signal.SIGKILL)
    began = time.monotonic()
    report("Redis is down")
    await run.guess("down", *victims)
    await asyncio.sleep(max(0, began + count - time.monotonic()))
    valkey.start()
    run.down = began, time.monotonic()
    report("Redis is back")
    await run.guess("back", *victims)
    await asyncio.sleep(_FAIR)
    await valkey.wipe()
    report("Redis is wiped")
    await run.guess("wiped", *victims)
    await asyncio.sleep(_FAIR)
    valkey.stop(signal.SIGKILL)
    shutil.rmtree(valkey.folder / "valkey" / "data")
    valkey.start()
    report("Redis has started with nothing in it")


async def _rows(run: Run, victims: list[str]) -> list[Row]:
    history = await gather(run.cluster)
    lost, others = sifted(history)
    times = delays(run.cluster, history)
    away = [each.seconds for each in times if run.down[0] <= each.at <= run.down[1]]
    fair = [each.seconds for each in times if each.at < run.down[0]]
    accepted = sum(act.acknowledged and act.name == "recovery" for act in history.acts)
    unclear = sum(act.unclear for act in history.acts)
    steady = all(process.running and len(process.past) == 1 for process in run.cluster.processes)
    return [
        Row("Redis was down", f"{run.down[1] - run.down[0]:.0f} s, then wiped, then started with nothing in it"),
        Row("mails asked for", f"{accepted}, {len(away)} of them meanwhile"),
        Row("lost", str(accepted - len(times)), "0", accepted == len(times) and not lost),
        Row("delay of a mail before, p99", f"{percentile(fair, 0.99):.1f} s"),
        Row("delay of a mail while it was down, median", f"{percentile(away, 0.5):.1f} s"),
        Row("the same, p99", f"{percentile(away, 0.99):.1f} s", f"{_DELAY:.0f} s", percentile(away, 0.99) <= _DELAY),
        *(_guesses(run, victim) for victim in victims),
        Row("answers of 5xx, and none at all", str(unclear), "0", unclear == 0),
        Row("processes that ended by themselves", "0" if steady else "some", "0", steady),
        Row("other breaches of I1 to I9", str(len(others)), "0", not others),
    ]


def _guesses(run: Run, victim: str) -> Row:
    by_phase = {phase: number for (who, phase), number in run.looked_at.items() if who == victim}
    total = sum(by_phase.values())
    phases = ", ".join(f"{number} {phase}" for phase, number in by_phase.items())
    return Row(f"guesses at an account ({phases})", str(total), f"{2 * _LIMIT}", total <= 2 * _LIMIT)
