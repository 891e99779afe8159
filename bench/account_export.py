"""`python -m bench.account_export`: memory of the API while an account with many entries in its log is exported.

The export is read as fast as it comes, by several clients at once, and by one that reads slowly; then one is killed
in the midst. Resident memory in megabytes, and the connections to Postgres that are in use meanwhile. It starts a
service of its own.
"""

import argparse
import asyncio
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bench.ground import PROJECT, Ground, Member, api, ground, sign_up
from bench.programs import Program

_ROWS = """insert into logs (project_id, id, user_id, name, ip, at, country_code, os_code, os_name, os_version,
        client_type, client_code, client_name, client_version, client_engine, client_engine_version, device_name,
        device_brand, device_model)
    select $1, gen_random_uuid(), $2, 'account.sessions.create', '192.0.2.1', now() - make_interval(secs => n), 'de',
        'LIN', 'Linux', '', 'browser', 'FF', 'Firefox', '130.0', 'Gecko', '130.0', 'desktop', '', ''
    from generate_series($3::int + 1, $4) n"""
_BUSY = """select count(*) as busy from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'"""
_BATCH, _SLOW, _AT_ONCE = 5000, 4 << 20, 4


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.account_export", description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="accounts-bench-") as folder:
        asyncio.run(_measure(Path(folder), rows))


async def _measure(state: Path, rows: int) -> None:
    async with ground(state) as place:
        (member,) = await sign_up(place, 1)
        await place.pool.execute("update users set created_at = now() - interval '9 days'")
        for number in range(0, rows, _BATCH):
            await place.pool.execute(_ROWS, PROJECT, member.user_id, number, min(number + _BATCH, rows))
        async with api(place, settings={"LIMITS": "off"}) as (program, port):
            export = _Export(place, program, f"http://127.0.0.1:{port}/v1/account/export", member)
            export.tell("before", 0, 0.0)
            await export.read("a first one, of a process that has just started")
            await export.read("another")
            await asyncio.gather(*(export.read(f"{_AT_ONCE} at once") for _ in range(_AT_ONCE)))
            await export.read("one that is read slowly", pause=0.5)
            await export.read("one whose client ends in the midst", most=_SLOW)
            await asyncio.sleep(1)
            export.tell("after all", 0, 0.0)


@dataclass(slots=True)
class _Export:
    ground: Ground
    program: Program
    url: str
    member: Member
    busiest: list[int] = field(default_factory=list)

    async def read(self, what: str, *, pause: float = 0, most: int = 0) -> None:
        """Read an export, with a pause at each 4 MB, to its end or for `most` bytes."""
        began, size, paused = time.perf_counter(), 0, 0
        headers = {"X-Appwrite-Project": PROJECT, "Cookie": self.member.cookie}
        async with aiohttp.ClientSession() as client, client.get(self.url, headers=headers) as answer:
            answer.raise_for_status()
            async for piece in answer.content.iter_any():
                size += len(piece)
                if pause and size - paused > _SLOW:
                    paused = size
                    await asyncio.sleep(pause)
                    self.busiest.append((await self.ground.pool.fetchrow(_BUSY))["busy"])
                if most and size > most:
                    break
        self.tell(what, size, time.perf_counter() - began)

    def tell(self, what: str, size: int, seconds: float) -> None:
        busy = f", {max(self.busiest)} connections in use during the pauses" if self.busiest else ""
        print(f"{what}: {size / 1e6:.0f} MB in {seconds:.1f} s; {_resident(self.program):.0f} MB resident{busy}")
        self.busiest.clear()


def _resident(program: Program) -> float:
    status = Path(f"/proc/{program.process.pid}/status").read_text()
    return next(int(line.split()[1]) * 1.024 for line in status.splitlines() if line.startswith("VmRSS:")) / 1000


if __name__ == "__main__":
    main()
