"""`python -m bench.feed_filing`: rows of the security log that a worker files a second, with a feed and a webhook.

It starts a Postgres of its own. Three projects take turns: one without a feed, one with it, and one that owes its
events to a webhook as well; nothing is posted. Printed are rows a second and the share of the first project's.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from bench.ground import AGENT
from devstack import servers
from service.db import Pool, transaction
from service.store import event_feed, events, migrations, projects, webhooks
from service.store.events import Actor, Event
from service.store.unit_of_work import unit_of_work
from worker.security_log import SecurityLogWriter

_BY = Actor("127.0.0.1", AGENT)
_USERS = 50
_RING = {"bench": b"b" * 32}
PROJECTS = {"none": "no feed", "feed": "a feed", "hook": "a feed and a webhook"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.feed_filing", description=__doc__)
    parser.add_argument("--rows", type=int, default=2000, help="in each round of each project")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="accounts-bench-") as folder:
        server = servers.start_postgres(Path(folder), throwaway=True)
        try:
            found = asyncio.run(_measure(server.url, arguments.rows, arguments.rounds))
        finally:
            server.stop()
    for name, rates in found.items():
        share = statistics.median(rate / base for rate, base in zip(rates, found["none"], strict=True))
        print(f"{PROJECTS[name]}: {statistics.median(rates):,.0f} rows/s, {share:.0%}")


async def _measure(url: str, rows: int, rounds: int) -> dict[str, list[float]]:
    """Return the rates of all rounds but a first one."""
    await migrations.migrate(url)
    pool = Pool(url, size=2, name="bench")
    for name in PROJECTS:
        await projects.create(pool, name, name=name)
    await event_feed.open_feed(pool, "feed")
    async with transaction(pool, "hook") as tx:
        await webhooks.create(tx, _RING, "hook", "one", url="https://hooks.example/", types=[])
    writer = SecurityLogWriter(pool)
    found: dict[str, list[float]] = {name: [] for name in PROJECTS}
    for _ in range(rounds + 1):
        for name, rates in found.items():
            rates.append(await _file(pool, writer, name, rows))
    await pool.close()
    return {name: rates[1:] for name, rates in found.items()}


async def _file(pool: Pool, writer: SecurityLogWriter, project_id: str, rows: int) -> float:
    async with unit_of_work(pool, None) as tx:
        for number in range(rows):
            user_id = f"user-{number % _USERS}"
            await events.record(tx, project_id, event=Event.SESSION_CREATE, user_id=user_id, by=_BY)
    began = time.perf_counter()
    await writer.write_pending()
    return rows / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
