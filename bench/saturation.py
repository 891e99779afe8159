"""Mails under load: how long they wait, how many jobs reach Redis, and the wait near what saturates the service.

The rate that saturates is the best of a ramp of clients, each asking as soon as it is answered: mails accepted and
sent, by the time from the first request to the last final dot.
"""

import asyncio
import random
import re
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

import aiohttp

from bench import waits
from bench.ground import Member
from bench.programs import Program
from bench.table import Row

GOAL, GOAL_ENQUEUED = 250.0, 1.0
_CLIENTS = (8, 32, 64)
_NEAR = 0.8
_JOBS = re.compile(r"^accounts_enqueues_(done|failed)_total ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Load:
    """Load of one run: milliseconds of each mail in order, mails sent a second, requests refused, rows by job."""

    milliseconds: list[float]
    rate: float
    refused: int
    done: float
    failed: float

    def rows(self, name: str, goal: float | None) -> list[Row]:
        p50, p99 = (waits.quantile(self.milliseconds, share) for share in (0.5, 0.99))
        note = (
            f"({self.rate:.0f} sent a second, {self.refused} refused, p50 {p50:.1f}, most {self.milliseconds[-1]:.1f})"
        )
        share = self.done / (self.done + self.failed)
        return [
            Row(f"  {name}: p99", (p99,), "ms", goal, note),
            Row(
                f"  {name}: enqueued", (share,), "ratio", GOAL_ENQUEUED, f"({self.failed:.0f} rows left to the poller)"
            ),
        ]


@dataclass(frozen=True, slots=True)
class Api:
    """Ports of the API, and the sink that its worker sends to."""

    port: int
    health: int
    sink: Program


async def measure(members: list[Member], api: Api) -> list[Row]:
    """One verification for each member at each step of the ramp, then one at four fifths of its best rate."""
    ramp = {clients: await _load(api, members, _closed(clients)) for clients in _CLIENTS}
    best = max(load.rate for load in ramp.values())
    near = await _load(api, members, _open(_NEAR * best))
    rows = [row for clients, load in ramp.items() for row in load.rows(f"{clients} clients", None)]
    return [*rows, *near.rows(f"{100 * _NEAR:.0f} % of saturation", GOAL)]


Ask = Callable[[Member], Coroutine[None, None, None]]


def _closed(clients: int) -> Callable[[list[Member], Ask], Coroutine[None, None, None]]:
    """So many clients, each of which asks as soon as it is answered."""

    async def run(members: list[Member], ask: Ask) -> None:
        waiting = list(members)

        async def work() -> None:
            while waiting:
                await ask(waiting.pop())

        await asyncio.gather(*(work() for _ in range(clients)))

    return run


def _open(rate: float) -> Callable[[list[Member], Ask], Coroutine[None, None, None]]:
    """So many requests a second at random moments, whether the last ones are answered or not."""

    async def run(members: list[Member], ask: Ask) -> None:
        due = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for member in members:
                due += random.expovariate(rate)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                group.create_task(ask(member))

    return run


async def _load(
    api: Api, members: list[Member], run: Callable[[list[Member], Ask], Coroutine[None, None, None]]
) -> Load:
    accepted: dict[str, float] = {}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:

        async def ask(member: Member) -> None:
            try:
                accepted[member.email] = await waits.ask(client, member, api.port)
            except RuntimeError:  # an API that is overloaded sheds load
                return

        done, failed = await _jobs(client, api.health)
        began = time.monotonic()
        await run(members, ask)
        await api.sink.ask(order="wait", count=len(accepted))
        done_now, failed_now = await _jobs(client, api.health)
    arrived = (await api.sink.ask(order="take"))["arrived"]
    rate = len(accepted) / (max(arrived.values()) - began)
    milliseconds = waits.in_milliseconds(accepted, arrived)
    return Load(milliseconds, rate, len(members) - len(accepted), done_now - done, failed_now - failed)


async def _jobs(client: aiohttp.ClientSession, health: int) -> tuple[float, float]:
    """Return the rows whose job Redis has, and has not, since the API's start, as its own metrics count them."""
    async with client.get(f"http://127.0.0.1:{health}/metrics") as answer:
        found = dict(_JOBS.findall(await answer.text()))
    return float(found["done"]), float(found["failed"])
