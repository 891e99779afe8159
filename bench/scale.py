"""`python -m bench.scale`: what one act costs each part, and one row the disk; docs/scale.md counts on with it.

Two minutes (--quick: some seconds). Password hashes cost next to nothing here; their cost is a setting's.
"""

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import machine, table
from bench.ground import PROJECT, Ground, Member, api, ground, sign_up, worker
from bench.machine import family_cpu
from bench.programs import Program, on_core, run
from bench.table import Row
from bench.writes import ACTS, PASSWORD, Acts
from service.crypto import password_hashing

_CONNECTIONS = 8
# Tables that grow with use, by the act that writes them most.
_TABLES = ("users", "sessions", "tokens", "mails", "mail_events", "logs", "acts")
_WAL = "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8"
_UNLOGGED = "select from events where ready limit 1"
_ROWS = "select count(*)::int as count from {0}"
# A partitioned table has its rows and indexes in its partitions; some tables' empty pages count too.
_BYTES = """
select coalesce(sum(pg_total_relation_size(relid)), 0)::float8
from pg_partition_tree('{0}') union all select pg_total_relation_size('{0}')::float8 order by 1 desc limit 1
"""


@dataclass(frozen=True, slots=True)
class Spent:
    """Cost of all acts so far: seconds of processor time, bytes of WAL."""

    api: float
    worker: float
    postgres: float
    wal: float


@dataclass(frozen=True, slots=True)
class Meter:
    """Meter of a ground on which all programs run."""

    ground: Ground
    api: Program
    worker: Program
    load: Program
    port: int

    async def read(self) -> Spent:
        wal = (await self.ground.pool.fetchrow(_WAL))[0]
        return Spent(self.api.cpu(), self.worker.cpu(), family_cpu(self.ground.postgres.pid), wal)

    async def spend(self, requests: list[str], until: Callable[[], Awaitable[object]]) -> Spent:
        """Return what each request costs, everything that follows from it too."""
        before = await self.read()
        await self.load.ask(port=self.port, requests=requests, connections=_CONNECTIONS, seconds=60, once=True)
        await until()
        after = await self.read()
        per = [(now - then) / len(requests) for now, then in zip(_parts(after), _parts(before), strict=True)]
        return Spent(*per)


def _parts(spent: Spent) -> tuple[float, float, float, float]:
    return spent.api, spent.worker, spent.postgres, spent.wal


async def measure(state: Path, *, rounds: int, count: int) -> list[Row]:
    async with ground(state) as place, run("bench.sink", state=state) as sink:
        members = await sign_up(place, count)
        smtp = int((await sink.ask(order="port"))["port"])
        async with (
            worker(place, smtp=smtp) as post,
            api(place, module="bench.unhashed", settings={"TRUSTED_HOPS": "1"}) as (program, port),
            run("bench.load", state=state) as load,
        ):
            meter, acts = Meter(place, program, post, load, port), Acts(place)
            found: dict[str, list[Spent]] = {}
            for turn in range(rounds):
                print(f"round {turn + 1} of {rounds}", file=sys.stderr, flush=True)
                for name, requests, ended in await _turn(acts, members, sink):
                    spent = await meter.spend(requests, ended)
                    found.setdefault(name, []).append(spent)
        costs = itertools.chain(*(_rows(name, each) for name, each in found.items()))
        return [*costs, _hash(rounds), *await _sizes(place)]


async def _turn(
    acts: Acts, members: list[Member], sink: Program
) -> list[tuple[str, list[str], Callable[[], Awaitable[object]]]]:
    """Make the requests of each act, and what is waited for after the last."""
    by_name = {act.name: act for act in ACTS}

    async def logged() -> None:
        while await acts.ground.pool.fetchrow(_UNLOGGED) is not None:  # noqa: ASYNC110 - the worker does it
            await asyncio.sleep(0.05)

    async def mailed() -> None:
        await sink.ask(order="wait", count=len(members))
        await sink.ask(order="take")
        await logged()

    signed_up = await acts.requests(by_name["sign-up without hash"], len(members))
    signed_in = await acts.requests(by_name["sign-in without hash"], len(members))
    return [
        ("sign-up", signed_up, logged),
        ("sign-in", signed_in, logged),
        ("read", [_asked("GET", "/v1/account", member) for member in members], logged),
        ("mail", [_asked("POST", "/v1/account/verification", member) for member in members], mailed),
    ]


def _asked(method: str, path: str, member: Member) -> str:
    text = '{"url":"http://localhost/open"}' if method == "POST" else ""
    lines = (
        "Host: localhost", f"X-Appwrite-Project: {PROJECT}", f"Cookie: {member.cookie}", "Accept: */*",
        "Content-Type: application/json", f"Content-Length: {len(text)}",
    )  # fmt: skip
    return f"{method} {path} HTTP/1.1\r\n" + "".join(f"{line}\r\n" for line in lines) + f"\r\n{text}"


def _rows(name: str, spent: list[Spent]) -> list[Row]:
    return [
        Row(f"{name}: API", tuple(one.api * 1e3 for one in spent), "ms"),
        Row(f"{name}: worker", tuple(one.worker * 1e3 for one in spent), "ms"),
        Row(f"{name}: Postgres", tuple(one.postgres * 1e3 for one in spent), "ms"),
        Row(f"{name}: WAL", tuple(one.wal / 1e3 for one in spent), "kB"),
    ]


def _hash(rounds: int) -> Row:
    """Measure the hash of a new password, as a sign-in or sign-up makes one."""
    spent = []
    for _ in range(rounds):
        before = time.process_time()
        password_hashing._HASHER.hash(PASSWORD)  # noqa: SLF001 - as requests make it, without the pool
        spent.append((time.process_time() - before) * 1e3)
    return Row("a password hash", tuple(spent), "ms")


async def _sizes(place: Ground) -> list[Row]:
    found = []
    for name in _TABLES:
        count = (await place.pool.fetchrow(_ROWS.format(name)))[0]
        size = (await place.pool.fetchrow(_BYTES.format(name)))[0]
        found.append(Row(f"a row of {name}, with indexes", (size / max(count, 1),), "bytes", None, f"(of {count})"))
    return found


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="some seconds: shows that it runs, measures nothing")
    rounds, count = (2, 20) if parser.parse_args(words).quick else (7, 300)
    watch = machine.Watch()
    with tempfile.TemporaryDirectory(prefix="accounts-scale-") as folder, on_core(measured=False):
        rows = asyncio.run(measure(Path(folder), rounds=rounds, count=count))
    table.show(rows, rounds=rounds, report=print, state=watch.state())
    return 0


if __name__ == "__main__":
    sys.exit(main())
