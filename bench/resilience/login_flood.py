"""G16: five hundred bad logins at once, kept up, beside a member who reads the own account.

`--count` is how many seconds each part lasts. The limiter is off, so that every login that the hash pool takes is
hashed: the pool alone has to keep the service alive. Each attacker asks again a second after its answer, all of them
from a process of their own. Time is the reader's, memory is the service's as Linux counts it.

    python -m bench.resilience.login_flood http://127.0.0.1:8080 500 seed

is the attackers alone; they count answers when they are ended.
"""

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import aiohttp

from bench.resilience.limit_burst import environment
from bench.resilience.result import Row
from devstack import servers
from service.db import Pool
from service.store import migrations, projects
from testkit import processes
from testkit.api import Api

COUNT = 60
ATTACKERS, PACE = 500, 0.02
_MIB = 2**20


async def measure(count: int, seed: int) -> list[Row]:
    """Measure on servers of its own, all on 127.0.0.1."""
    with tempfile.TemporaryDirectory(prefix="accounts-figure-") as state:
        postgres = servers.start_postgres(Path(state), throwaway=True)
        valkey = servers.start_valkey(Path(state), throwaway=True)
        try:
            given = environment(postgres.url, valkey.url) | {"LIMITS": "off"}
            return await flood(given, count, seed, attackers=ATTACKERS)
        finally:
            valkey.stop()
            postgres.stop()


async def flood(given: dict[str, str], seconds: float, seed: int, *, attackers: int) -> list[Row]:
    """Measure the reader alone, then beside the flood."""
    await migrations.migrate(given["DATABASE_URL"])
    pool = Pool(given["DATABASE_URL"], size=1)
    try:
        await projects.create(pool, "shop", name="Shop")
    finally:
        await pool.close()
    async with processes.api(given) as (process, address):
        unbounded = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(address, connector=unbounded, cookie_jar=aiohttp.DummyCookieJar()) as client:
            api = Api(client)
            await api.sign_up()
            member = await api.sign_in()
            alone = await _read(api, member, seconds)
            before = _memory(process.process.pid)
            words = ("-m", "bench.resilience.login_flood", address, str(attackers), f"{seed:x}")
            flooding = await asyncio.create_subprocess_exec(
                *servers.tied(signal.SIGKILL), sys.executable, *words,
                cwd=processes.ROOT, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            assert flooding.stdout
            await flooding.stdout.readline()  # they have begun
            beside = await _read(api, member, seconds)
            grown = _memory(process.process.pid, peak=True) - before
            flooding.send_signal(signal.SIGINT)
            output, _ = await flooding.communicate()
    return _rows(alone, beside, grown, Counter({int(status): times for status, times in json.loads(output).items()}))


def _rows(alone: list[float], beside: list[float], grown: float, statuses: Counter[int]) -> list[Row]:
    bound = (os.cpu_count() or 1) * 19 + 64
    slow = _percentile(beside, 0.99)
    answers = ", ".join(f"{times} x {status}" for status, times in sorted(statuses.items()))
    return [
        Row("GET /v1/account alone, p99", f"{_percentile(alone, 0.99) * 1000:.0f} ms"),
        Row("GET /v1/account beside bad logins, p99", f"{slow * 1000:.0f} ms", "100 ms", slow <= 0.1),
        Row("memory beyond what it was", f"{grown:.0f} MiB", f"{bound} MiB", grown <= bound),
        Row("answers to the logins", answers, "401 and 503 alone", set(statuses) <= {401, 503}),
    ]


async def _read(api: Api, member: dict[str, str], seconds: float) -> list[float]:
    """Return the duration of each read, one after the other at an even rate."""
    took, until = [], time.monotonic() + seconds
    while (sent_at := time.monotonic()) < until:
        answer = await api.call("GET", "/v1/account", headers=member)
        assert answer.status == 200, answer.data
        took.append(time.monotonic() - sent_at)
        await asyncio.sleep(PACE)
    return took


async def _attack(api: Api, name: str, statuses: Counter[int]) -> None:
    body = {"email": f"{name}@example.com", "password": "wrong horse"}
    while True:
        statuses[(await api.call("POST", "/v1/account/sessions", json=body)).status] += 1
        await asyncio.sleep(1)


async def attack(address: str, attackers: int, seed: str) -> None:
    """Attack until SIGINT; then print the number of answers by status."""
    statuses: Counter[int] = Counter()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    unbounded, jar = aiohttp.TCPConnector(limit=0), aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(address, connector=unbounded, cookie_jar=jar) as client:
        api = Api(client)
        print(flush=True)
        tasks = [asyncio.create_task(_attack(api, f"{seed}-{number}", statuses)) for number in range(attackers)]
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    print(json.dumps(statuses))


def _percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def _memory(pid: int, *, peak: bool = False) -> float:
    """Return the resident MiB, now or at their peak."""
    wanted = "VmHWM:" if peak else "VmRSS:"
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(wanted)) * 1024 / _MIB


if __name__ == "__main__":
    asyncio.run(attack(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
