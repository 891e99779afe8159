"""G6: time until writes succeed after a restart of Postgres, and after a standby has taken over.

`count` restarts (immediate, as a crash) and a quarter as many failovers to a synchronous standby, all under load.
"""

import tempfile
import time
from pathlib import Path

from bench.resilience.progress import report, sifted
from bench.resilience.result import Row
from testkit.cluster import Cluster, start_cluster
from testkit.history import gather
from testkit.load import Load, load

COUNT = 20
_CLIENTS = 8
# Seconds: the promises.
_RESTART, _FAILOVER, _ANSWER = 3.0, 5.0, 5.0


async def measure(count: int, seed: int) -> list[Row]:
    """Measure; nothing here is random, `seed` is taken because every figure has one."""
    del seed
    with tempfile.TemporaryDirectory() as folder:
        async with start_cluster(Path(folder), apis=2, workers=2, standby=True) as cluster:
            async with load(cluster, clients=_CLIENTS) as run:
                restarts = [await _restart(cluster, run) for _ in range(count)]
                failovers = [await _fail_over(cluster, run) for _ in range(max(1, count // 4))]
            await cluster.all_ended()
            history = await gather(cluster)
    missing, others = sifted(history)
    taken = len(run.written(0))
    return [
        _timed("first success after a restart", restarts, _RESTART),
        _timed("first success after a failover", failovers, _FAILOVER),
        Row("slowest answer", f"{run.worst:.2f} s of {len(run.acts)}", f"≤ {_ANSWER:.0f} s", run.worst <= _ANSWER),
        Row("mails lost", f"{len(missing)} of {taken}", "0", not missing),
        Row("invariants broken", str(len(missing + others)), "0", not missing + others),
    ]


def _timed(what: str, seconds: list[float], goal: float) -> Row:
    middle, worst = sorted(seconds)[len(seconds) // 2], max(seconds)
    value = f"median {middle:.2f} s, worst {worst:.2f} s of {len(seconds)}"
    return Row(what, value, f"≤ {goal:.0f} s", worst <= goal)


async def _restart(cluster: Cluster, run: Load) -> float:
    await run.goes_on()
    with cluster.fault():
        await cluster.postgres.restart("immediate")
        took = await run.succeeds(time.monotonic())
    report(f"restart: {took:.2f} s")
    return took


async def _fail_over(cluster: Cluster, run: Load) -> float:
    """Promote the standby once it is in step; afterwards the old primary, copied anew, is the standby."""
    await cluster.keep_in_step()
    await run.goes_on()
    with cluster.fault():
        await cluster.postgres.stop("kill")
        await cluster.switch()
        took = await run.succeeds(time.monotonic())
    report(f"failover: {took:.2f} s")
    await run.goes_on()
    assert cluster.standby
    await cluster.standby.follow(cluster.postgres)
    return took
