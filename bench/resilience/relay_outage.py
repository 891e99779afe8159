"""G4: the relay is away for half an hour while 2,000 mails are accepted; all go out, once, soon after it is back.

Its port is closed. `count` is the length of the outage in seconds; where it is shorter than half an hour the waits
between tries are divided by as much, and nothing else: the breaker, its probes and all deadlines are as in production.
"""

import tempfile
import time
from collections import Counter
from pathlib import Path

from bench.resilience.progress import report, sifted
from bench.resilience.result import Row
from testkit.client import Client
from testkit.cluster import DATABASE, Cluster, start_cluster
from testkit.history import History, gather
from testkit.people import create_people, stream

COUNT = 1800
_MAILS, _MAILS_A_SECOND, _DRAINED = 2000, 20, 120.0


async def measure(count: int, seed: int) -> list[Row]:  # noqa: ARG001 - nothing here is left to chance
    """Measure with one worker and with two; `count` seconds each."""
    rows = []
    for workers in (1, 2):
        with tempfile.TemporaryDirectory(prefix="accounts-g04-") as folder:
            rows += await _outage(Path(folder), count, workers)
    return rows


async def _outage(folder: Path, count: int, workers: int) -> list[Row]:
    mails = min(_MAILS, count * _MAILS_A_SECOND)
    async with start_cluster(folder, apis=1, workers=workers) as cluster:
        await _shorten_waits(cluster, COUNT / count)
        people, client = await create_people(cluster, mails), cluster.client()
        await cluster.smtp.refuse()
        began = time.monotonic()
        report(f"{workers} workers: the relay is away")
        await stream([client], people, seconds=count)
        vain = await cluster.postgres.run("select count(*) from mail_events where name = 'waits'", database=DATABASE)
        await cluster.smtp.up()
        back = time.monotonic()
        report(f"{mails} mails accepted, {vain} tries in vain; the relay is back")
        await cluster.all_ended(seconds=10 * _DRAINED)
        history = await gather(cluster)
        steady = all(process.running and len(process.past) <= 2 for process in cluster.processes)
        rows = _rows(cluster, history, client, back)
        for process in cluster.processes:
            await process.stop()
    label = f"{workers} worker{'s' * (workers > 1)}"
    shortened = f", waits divided by {COUNT / count:.0f}" if count < COUNT else ""
    first = [
        Row(f"{label}: the relay was away{shortened}", f"{back - began:.0f} s"),
        Row(f"{label}: mails accepted meanwhile", str(mails)),
        Row(f"{label}: tries in vain", str(vain)),
    ]
    last = Row(f"{label}: processes that ended by themselves", "0" if steady else "some", "0", steady)
    return [*first, *(Row(f"{label}: {row.what}", row.value, row.goal, row.met) for row in rows), last]


async def _shorten_waits(cluster: Cluster, divisor: float) -> None:
    """Restart the workers under the same names."""
    if divisor <= 1:
        return
    for process in cluster.workers:
        await process.stop()
        process.words = ("testkit.compressed",)
        await process.start(WAITS_DIVISOR=str(divisor))


def _rows(cluster: Cluster, history: History, client: Client, back: float) -> list[Row]:
    lost, others = sifted(history)
    accepted = sum(act.acknowledged for act in client.acts)
    copies = Counter(message.message_id for message in history.messages)
    times = [mail.at - back for mail in cluster.sink.mails]
    extra = copies.total() - len(copies)
    return [
        Row("lost", str(accepted - len(copies)), "0", accepted == len(copies) and not lost),
        Row("arrived more than once", str(extra), "0", extra == 0),
        Row("first mail after the return", f"{min(times):.1f} s"),
        Row("last mail after the return", f"{max(times):.1f} s", "2 min", max(times) <= _DRAINED),
        Row("other breaches of I1 to I9", str(len(others)), "0", not others),
    ]
