"""G21: API and workers are replaced one after the other under load, this release and the one before side by side."""

import io
import random
import subprocess
import tarfile
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.resilience.progress import report, sifted
from bench.resilience.result import Row
from testkit.client import Act
from testkit.cluster import Cluster, ManagedProcess, start_cluster
from testkit.front import Front, front
from testkit.history import History, gather
from testkit.load import load
from testkit.processes import ROOT
from testkit.waiting import until

COUNT = 50
# The last release whose workers write no history. A tree without its own history runs beside itself.
_BEFORE = "74a5285"
_ASKERS = 3
# Seconds for a front to see that a process is about to stop: five of its rounds.
_NOTICE = "1"


@dataclass
class Run:
    """One run: `trees` are the releases; each process that is replaced comes back as the next of them."""

    cluster: Cluster
    before: Front
    trees: list[Path]
    wanted: int
    codes: list[int] = field(default_factory=list)


async def measure(count: int, seed: int) -> list[Row]:
    """Measure; `count` is the number of processes that are stopped and started again."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="accounts-g21-") as folder:
        trees = [ROOT, _older(Path(folder) / "before")]
        async with (
            start_cluster(Path(folder), apis=2, workers=2, STOP_DELAY=_NOTICE) as cluster,
            front(cluster.apis) as before,
        ):
            run = Run(cluster, before, trees, count)
            async with load(cluster, clients=_ASKERS) as asking:
                for client in asking.busy:
                    client.address = before.address
                await _replace(run, chance)
                await asking.goes_on()
            await cluster.all_ended(seconds=180)
            history = await gather(cluster)
    return _rows(run, asking.acts, history)


def _older(folder: Path) -> Path:
    """Check out the release before from this tree's own history; this tree itself where there is none."""
    archived = subprocess.run(["git", "archive", _BEFORE], cwd=ROOT, capture_output=True, check=False)
    if archived.returncode:
        return ROOT
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


async def _replace(run: Run, chance: random.Random) -> None:
    """Replace in rounds through all processes, so that both releases always run side by side."""
    while len(run.codes) < run.wanted:
        for process in chance.sample(run.cluster.processes, len(run.cluster.processes)):
            if len(run.codes) >= run.wanted:
                break
            # The release before has no STOP_DELAY: its operator tells the proxy first.
            if process.root != ROOT:
                await run.before.leave_out(process)
            stopped_at = time.monotonic()
            run.codes.append(await process.stop())
            process.root = run.trees[(run.trees.index(process.root) + 1) % len(run.trees)]
            await process.start()
            run.before.take_in(process)
            await until(lambda: len(run.before.ready) == len(run.cluster.apis), what="it is not taken in again")
            report(f"{len(run.codes)} replaced since {stopped_at:.1f}; {_sides(run.cluster.processes)}")


def _sides(processes: list[ManagedProcess]) -> str:
    return f"{sum(process.root == ROOT for process in processes)} of {len(processes)} are this release"


def _rows(run: Run, acts: list[Act], history: History) -> list[Row]:
    """Make the rows; the release before ends mails without an event, all else holds for both."""
    errors = [act for act in acts if act.unclear]
    lost, rest = sifted(history, but="without an event")
    # An error outside a fault is one, and told as such.
    others = [line for line in rest if not line.startswith("I7:")]
    for act in errors:
        report(f"at {act.at:.1f}: {act}")
    releases = "this release and the one before" if run.trees[0] != run.trees[1] else "this release only"
    mails = sum(act.acknowledged and act.name == "recovery" for act in acts)
    return [
        Row("processes replaced under load", f"{len(run.codes)} ({releases})", str(run.wanted)),
        Row("of which ended in order", str(run.codes.count(0)), str(run.wanted), run.codes.count(0) == run.wanted),
        Row("requests", f"{len(acts)}, {mails} of them mails"),
        Row("errors that clients met", str(len(errors)), "0", not errors),
        Row("slowest answer, seconds", f"{max(act.seconds for act in acts):.1f}"),
        Row("mails lost", str(len(lost)), "0", not lost),
        Row("other breaches of I1 to I9", str(len(others)), "0", not others),
    ]
