"""`python -m bench --growth`: every statement and the main acts, with few users and with millions, on one server.

A statement runs as the service runs it, prepared and several times, in a transaction that is rolled back. Its row has
the milliseconds at both sizes and the pages that its plan touches: the growth of those is no matter of the machine.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench import growth_acts, machine
from bench.ground import Ground, ground, set_up
from bench.growth_cases import Case, Looked, cases
from devstack import servers
from service.db import Connection, Queries, connect

SMALL, LARGE = 10_000, 2_000_000
# Milliseconds that a statement may take at the large size.
GOAL = 50.0
_RUNS = 7
# Seconds for all acts together.
_PATIENCE = 900.0
_DATA = Path(__file__).with_name("growth_data.sql")
_INDEXES = Path(__file__).with_name("growth_indexes.sql")


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds in the median of the runs, and pages of Postgres touched by one."""

    median: float
    pages: int


async def fill(url: str, *, users: int, report: Callable[[str], None]) -> None:
    """Make the rows of so many users, and the statistics that autovacuum would make."""
    began = time.monotonic()
    connection = await connect(url)
    try:
        await connection.execute("set synchronous_commit = off; set maintenance_work_mem = '512MB'")
        # Made anew from all rows at once, which takes a fraction of the time that an entry for each row takes.
        indexes = await connection.fetch(_INDEXES.read_text())
        for name, _ in indexes:
            await connection.execute(f"drop index {name}")
        await connection.execute(f"set growth.users = {users}")
        await connection.execute(_DATA.read_text())
        for _, definition in indexes:
            await connection.execute(definition)
        # Those of a server without pg_trgm, beside the trigrams.
        prefixes = await connection.fetchval(Queries("user_texts").statements["prefix_indexes"].sql)
        for definition in (prefixes or "").split("; "):
            await connection.execute(definition)
        await connection.execute("vacuum analyze")
    finally:
        await connection.close()
    report(f"{users} users: rows made in {time.monotonic() - began:.0f} s")


@asynccontextmanager
async def sized(
    state: Path, *, few: int, many: int, report: Callable[[str], None]
) -> AsyncIterator[tuple[Ground, Ground]]:
    """Start one server with two databases: one with few users, one with many."""
    async with ground(state) as small:
        environment = small.environment | {"DATABASE_URL": servers.create_database(small.postgres, "large")}
        large = await set_up(state, environment, small.postgres)
        try:
            for place, users in ((small, few), (large, many)):
                await fill(place.environment["DATABASE_URL"], users=users, report=report)
            yield small, large
        finally:
            await large.pool.close()


async def measure(place: Ground, case: Case) -> Cost | str:
    """Run one statement; a text where Postgres refuses it with these facts."""
    async with place.pool.connection() as connection:
        statement = await connection.prepare(case.statement.sql)
        values = case.values([kind.name for kind in statement.get_parameters()])
        values = [await connection.fetchval(each.sql) if isinstance(each, Looked) else each for each in values]
        try:
            taken = [await _timed(connection, case, values) for _ in range(_RUNS)]
            pages = await _pages(connection, case, values)
        except Exception as error:  # noqa: BLE001 - a row of the table: the others are measured
            return f"{type(error).__name__}: {error}"
    return Cost(statistics.median(taken), pages)


async def _prepare(connection: Connection, case: Case) -> None:
    if case.before:
        await connection.execute(case.before)


async def _timed(connection: Connection, case: Case, values: list[Any]) -> float:
    block = connection.transaction()
    await block.start()
    try:
        await _prepare(connection, case)
        began = time.perf_counter()
        await connection.fetch(case.statement.sql, *values)
        return (time.perf_counter() - began) * 1000
    finally:
        await block.rollback()


async def _pages(connection: Connection, case: Case, values: list[Any]) -> int:
    block = connection.transaction()
    await block.start()
    try:
        await _prepare(connection, case)
        plan = await connection.fetchval(f"explain (analyze, buffers, format json) {case.statement.sql}", *values)
    finally:
        await block.rollback()
    top = orjson.loads(plan)[0]["Plan"]
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])


async def statements(small: Ground, large: Ground, *, report: Callable[[str], None]) -> int:
    """Print a row for each statement; return how many take longer than the goal."""
    report(f"{'statement':72}{'small':>9}{'large':>9}  {'pages small':>11}{'large':>9}  goal <= {GOAL:g} ms")
    missed = 0
    for case in cases():
        few, many = await measure(small, case), await measure(large, case)
        if isinstance(few, str) or isinstance(many, str):
            report(f"{case.name:72} not measured: {(few if isinstance(few, str) else many)!s:.80}")
            continue
        missed += many.median > GOAL
        verdict = "met" if many.median <= GOAL else "MISSED"
        report(f"{case.name:72}{few.median:9.2f}{many.median:9.2f}  {few.pages:11}{many.pages:9}  {verdict}")
    return missed


async def run(
    state: Path, *, rows: float, quick: bool, report: Callable[[str], None], note: Callable[[str], None]
) -> None:
    """Measure everything, with that part of the large size."""
    few, many = (100, 200) if quick else (SMALL, int(LARGE * rows))
    watch = machine.Watch()
    async with sized(state, few=few, many=many, report=note) as (small, large):
        report(f"accounts bench --growth, {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}: {few} users and {many}")
        report(f"milliseconds, median of {_RUNS} runs; throw-away server on this machine, no fsync\n")
        missed = await statements(small, large, report=report)
        report(f"\n{missed} statements miss the goal\n")
        async with asyncio.timeout(_PATIENCE):
            await growth_acts.measure(small, large, requests=20 if quick else 600, report=report)
    report(f"\nmachine: {watch.state() or 'its state is not known here'}")
