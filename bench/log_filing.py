"""`python -m bench.log_filing`: events of one project and of eight are filed by one, two and four workers at once.

Each worker is a process. Rounds are interleaved; after each, every chain is verified, no row may lack or stand twice,
and Postgres may have seen no deadlock. It starts a Postgres of its own.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import tempfile
import time
from itertools import product
from multiprocessing.synchronize import Barrier
from pathlib import Path

from bench.ground import AGENT
from devstack import servers
from service.cli.log import verification
from service.cli.log.verification import Keys
from service.db import Pool
from service.store import migrations, projects
from worker.security_log import SecurityLogWriter

_PROJECTS, _WORKERS = (1, 8), (1, 2, 4)
_EVENTS = """insert into events (project_id, id, name, user_id, ready, ip, user_agent)
    select 'shop-' || n % $1, gen_random_uuid(), 'account.sessions.create', 'ann', true, '192.0.2.1', $2
    from generate_series(1, $3) n"""
_NONE_LEFT = "select not exists (select from events) as none"
_COUNTS = """select (select count(*) from logs) as rows,
    (select deadlocks from pg_stat_database where datname = current_database()) as deadlocks"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.log_filing", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="accounts-bench-") as folder:
        server = servers.start_postgres(Path(folder), throwaway=True)
        try:
            asyncio.run(_measure(server.url, arguments.events, arguments.rounds))
        finally:
            server.stop()


async def _measure(url: str, count: int, rounds: int) -> None:
    await migrations.migrate(url)
    pool = Pool(url, size=1, name="bench")
    for number in range(max(_PROJECTS)):
        await projects.create(pool, f"shop-{number}", name="Shop")
    seconds: dict[tuple[int, int], list[float]] = {case: [] for case in product(_PROJECTS, _WORKERS)}
    for _ in range(rounds):
        for case, taken in seconds.items():
            taken.append(await _round(pool, url, count, *case))
    await pool.close()
    for (shops, workers), taken in seconds.items():
        ratio = statistics.median(one / each for one, each in zip(seconds[shops, 1], taken, strict=True))
        rate = count / statistics.median(taken)
        print(f"{shops} project(s), {workers} worker(s): {rate:6.0f} rows/s, {ratio:.2f} of one worker's rate")


async def _round(pool: Pool, url: str, count: int, shops: int, workers: int) -> float:
    """Have events filed by so many processes; return the seconds that it took. Raises where anything is not right."""
    for table in ("logs", "log_chains"):
        await pool.execute(f"delete from {table}")  # noqa: S608 - two names of our own
    await pool.execute(_EVENTS, shops, AGENT, count)
    before = (await pool.fetchrow(_COUNTS))["deadlocks"]
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(workers + 1)
    processes = [context.Process(target=_work, args=(url, barrier)) for _ in range(workers)]
    for process in processes:
        process.start()
    await asyncio.to_thread(barrier.wait, 60)
    began = time.perf_counter()
    await asyncio.to_thread(barrier.wait, 300)
    taken = time.perf_counter() - began
    for process in processes:
        await asyncio.to_thread(process.join)
    after = await pool.fetchrow(_COUNTS)
    chained = 0
    for number in range(shops):
        project = await verification.load(pool, f"shop-{number}", Keys({}), months=12)
        reports = [report async for report in verification.verify(pool, project)]
        chained += sum(report.rows for report in reports if report.month and not report.fault)
    if (after["rows"], chained, after["deadlocks"]) != (count, count, before):
        raise RuntimeError(f"{after['rows']} rows, {chained} in whole chains, {after['deadlocks'] - before} deadlocks")
    return taken


def _work(url: str, barrier: Barrier) -> None:
    asyncio.run(_file(url, barrier))


async def _file(url: str, barrier: Barrier) -> None:
    """File from the first meeting on until no event is left, as a worker does."""
    pool = Pool(url, size=4, name="bench")
    writer = SecurityLogWriter(pool)
    await pool.fetchrow(_NONE_LEFT)
    await asyncio.to_thread(barrier.wait, 60)
    while not (await pool.fetchrow(_NONE_LEFT))["none"]:
        await writer.write_pending()
    await asyncio.to_thread(barrier.wait, 300)
    await pool.close()


if __name__ == "__main__":
    main()
