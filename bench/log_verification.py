"""`python -m bench.log_verification`: a chain of many rows is filed, verified, and verified with a byte changed.

It starts a Postgres of its own, and prints seconds, rows a second and the memory that verifying took.
"""

import argparse
import asyncio
import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.ground import AGENT
from devstack import servers
from service import ids
from service.cli.log import verification
from service.cli.log.verification import Keys, Report
from service.clientinfo import user_agents
from service.db import Pool, transaction
from service.store import migrations, projects, security_log
from service.store.security_log import Entry

_BATCH = 100
_CHANGE = "update logs set ip = '192.0.2.2' where chain_number = $1"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.log_verification", description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="accounts-bench-") as folder:
        server = servers.start_postgres(Path(folder), throwaway=True)
        try:
            asyncio.run(_measure(server.url, rows))
        finally:
            server.stop()


async def _measure(url: str, rows: int) -> None:
    await migrations.migrate(url)
    pool = Pool(url, size=1, name="bench")
    await projects.create(pool, "shop", name="Shop")
    began = time.perf_counter()
    for _ in range(rows // _BATCH):
        await _file(pool)
    _tell("filed", rows, time.perf_counter() - began)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await _verify(pool)
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"memory: {more:.1f} MB more")
    await pool.execute(_CHANGE, rows - rows // 4)
    await _verify(pool)
    await pool.close()


async def _file(pool: Pool) -> None:
    now, device = datetime.now(UTC), user_agents.parse(AGENT)
    entries = [Entry("shop", ids.new_uuid(), "ann", "account.create", "192.0.2.1", now, "--") for _ in range(_BATCH)]
    async with transaction(pool) as tx:
        await security_log.write(tx, [(entry, device) for entry in entries])


async def _verify(pool: Pool) -> None:
    began = time.perf_counter()
    project = await verification.load(pool, "shop", Keys({}), months=12)
    found: list[Report] = [report async for report in verification.verify(pool, project)]
    _tell("verified", sum(report.rows for report in found), time.perf_counter() - began)
    print("fault:", next((report.fault for report in found if report.fault), "none"))


def _tell(what: str, rows: int, seconds: float) -> None:
    print(f"{rows} rows {what} in {seconds:.1f} s, {rows / seconds:.0f} a second")


if __name__ == "__main__":
    main()
