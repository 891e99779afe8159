"""Cost of being seen: API processes that are scraped or traced beside one that is not, in turns on one core.

Processor time of a process counts from its first turn in a round to the end of the round: spans are sent later.
"""

import statistics
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp

from bench.ground import Ground, Member, api
from bench.programs import Program, run
from bench.reads import read_request
from bench.table import Row
from bench.writes import ACTS, Acts
from devstack.servers import free_port

PLAIN = "neither"
# Settings beyond TRACES_URL, by the name of the row; the first is what the others are compared with.
_TRACED = {"traced, sampled 0": "0", "traced, sampled 0.01": "0.01", "traced, sampled 1": "1"}
_SCRAPED = "scraped"
_CONNECTIONS, _TURNS, _SCRAPES = 24, 5, 50
_READ, _WRITE = "GET /v1/account by cookie", ACTS[0].name


@dataclass(frozen=True, slots=True)
class Side:
    name: str
    program: Program
    port: int
    health: int


async def measure(
    ground: Ground, members: list[Member], *, rounds: int, seconds: float, requests: int, report: Callable[[str], None]
) -> list[Row]:
    """Measure all sides; `seconds` are those of reads, `requests` the writes of each side in a turn."""
    async with (
        _sides(ground) as sides,
        run("bench.load", state=ground.state) as load,
        aiohttp.ClientSession() as client,
    ):
        acts, reads = Acts(ground), [read_request("/v1/account", "cookie", member) for member in members]

        async def read(side: Side) -> int:
            done = await load.ask(port=side.port, requests=reads, connections=_CONNECTIONS, seconds=seconds / _TURNS)
            return int(done["count"])

        async def write(side: Side) -> int:
            ready = await acts.requests(ACTS[0], requests)
            done = await load.ask(port=side.port, requests=ready, connections=_CONNECTIONS, seconds=60, once=True)
            return int(done["count"])

        rows: list[Row] = []
        for name, take in ((_READ, read), (_WRITE, write)):
            costs = await _interleave(sides, take, rounds=rounds, client=client)
            report(f"{name}: {rounds} rounds")
            rows += _compared(name, costs)
        return [*rows, *await _scrapes(sides[0], client)]


@asynccontextmanager
async def _sides(ground: Ground) -> AsyncIterator[list[Side]]:
    async with AsyncExitStack() as stack:
        collector = await stack.enter_async_context(run("bench.collector", state=ground.state))
        url = f"http://127.0.0.1:{(await collector.ask(order='port'))['port']}/v1/traces"
        settings: dict[str, dict[str, str]] = {PLAIN: {}, _SCRAPED: {}} | {
            name: {"TRACES_URL": url, "TRACES_SAMPLED": part} for name, part in _TRACED.items()
        }
        sides = []
        for name, given in settings.items():
            health = free_port()
            program, port = await stack.enter_async_context(
                api(ground, settings={"TRUSTED_HOPS": "1"} | given, health=health)
            )
            sides.append(Side(name, program, port, health))
        yield sides


async def _interleave(
    sides: list[Side], take: Callable[[Side], Awaitable[int]], *, rounds: int, client: aiohttp.ClientSession
) -> dict[str, list[float]]:
    """Run the rounds; return microseconds of processor for one request, a round each. The first side alternates."""
    for side in sides:
        await take(side)
    costs: dict[str, list[float]] = {side.name: [] for side in sides}
    for number in range(rounds):
        used, counts = {side.name: side.program.cpu() for side in sides}, dict.fromkeys(costs, 0)
        for turn in range(_TURNS):
            first = (number + turn) % len(sides)
            for side in sides[first:] + sides[:first]:
                if side.name == _SCRAPED:
                    await _scrape(side, client)
                counts[side.name] += await take(side)
        for side in sides:
            spent = max(side.program.cpu() - used[side.name], 1e-9)
            costs[side.name].append(spent / counts[side.name] * 1e6)
    return costs


def _compared(name: str, costs: dict[str, list[float]]) -> list[Row]:
    plain = costs[PLAIN]
    note = f"({statistics.median(plain):.0f} us of processor each)"
    rows = [Row(f"{name}, {PLAIN}", (1.0,), "ratio", None, note)]
    for side, found in costs.items():
        if side != PLAIN:
            ratios = tuple(one / other for one, other in zip(found, plain, strict=True))
            rows.append(Row(f"  {side}", ratios, "ratio", None, f"({statistics.median(found):.0f} us)"))
    return rows


async def _scrape(side: Side, client: aiohttp.ClientSession) -> int:
    async with client.get(f"http://127.0.0.1:{side.health}/metrics") as answer:
        assert answer.status == 200
        return len(await answer.read())


async def _scrapes(side: Side, client: aiohttp.ClientSession) -> list[Row]:
    """Measure a page of metrics by itself, of a process that has served everything above."""
    used = side.program.cpu()
    sizes = [await _scrape(side, client) for _ in range(_SCRAPES)]
    spent = side.program.cpu() - used
    return [Row("a page of metrics", (1000 * spent / _SCRAPES,), "ms", None, f"({sizes[-1] / 1000:.0f} kB)")]
