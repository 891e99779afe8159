"""G17: two thousand slow clients for two minutes, each replaced when it is thrown out, beside one that is not slow.

The slow ones and the good one share a process and with it a loop: how late that ever was is a row of its own, and is
part of what the others say, since who is late to look finds late that a connection has ended.
"""

import asyncio
import itertools
import statistics
import time
from collections import defaultdict
from typing import Any

import aiohttp

from bench.resilience.ground import PROJECT, ground
from bench.resilience.result import Row
from bench.resilience.slow_clients import WAYS, Closed, Watch, slow
from testkit import processes

COUNT = 2000
_SECONDS = 120.0
_LONGEST = 15.0


async def measure(count: int, seed: int) -> list[Row]:
    """Measure with `count` slow clients at any time; nothing here is random."""
    del seed
    async with ground() as laid, processes.api(laid.environment) as (_process, address):
        port = int(address.rpartition(":")[2])
        end = time.monotonic() + _SECONDS
        good = asyncio.create_task(_good(address, end))
        ways, watch = itertools.cycle(WAYS), Watch()
        attacks = [_again(port, next(ways), watch, end, delay=number / count * 5) for number in range(count)]
        closed = [found for attack in await asyncio.gather(*attacks) for found in attack]
        watch.close()
        waits, failed = await good
    own = Row("the clients' own loop was late by at most", f"{watch.late * 1000:.0f} ms")
    return [*_by_way(closed), *_beside(waits, failed), own]


async def _again(port: int, way: str, watch: Watch, end: float, *, delay: float) -> list[Closed]:
    """Open one connection after another until the time is over."""
    await asyncio.sleep(delay)
    found = []
    while time.monotonic() < end:
        found.append(await slow(port, way, watch, patience=_LONGEST * 2))
    return found


async def _good(address: str, end: float) -> tuple[list[float], int]:
    """Send fifty requests a second as a normal client; return durations and the number of failures."""
    waits, failed = [], 0
    headers = {"X-Appwrite-Project": PROJECT}
    async with aiohttp.ClientSession(address, headers=headers) as client:
        while time.monotonic() < end:
            began = time.monotonic()
            try:
                async with client.get("/v1/account") as answer:
                    failed += answer.status != 401
            except aiohttp.ClientError:
                failed += 1
            waits.append(time.monotonic() - began)
            await asyncio.sleep(0.02)
    return waits, failed


def _by_way(closed: list[Closed]) -> list[Row]:
    found: dict[str, list[Any]] = defaultdict(list)
    for one in closed:
        found[one.way].append(one.seconds)
    rows = []
    for way, seconds in found.items():
        worst = max((each for each in seconds if each is not None), default=0.0)
        kept = sum(each is None for each in seconds)
        met = not kept and worst <= _LONGEST
        rows.append(
            Row(f"{way}: {len(seconds):,} closed, the last after", f"{worst:.1f} s, {kept} kept", "15 s, none", met=met)
        )
    return rows


def _beside(waits: list[float], failed: int) -> list[Row]:
    p99 = statistics.quantiles(waits, n=100)[98] * 1000
    return [
        Row(f"beside them, {len(waits):,} requests, p99", f"{p99:.0f} ms", "200 ms", met=p99 <= 200),
        Row("the slowest of them", f"{max(waits) * 1000:.0f} ms"),
        Row("of them failed", str(failed), "0", met=failed == 0),
    ]
