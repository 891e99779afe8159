"""`python -m bench`: this service beside the least code that does the same work, as a table.

Takes less than ten minutes (--quick: half a minute; --peers, with other account services in the place of that code:
nine at most), starts its own servers on free ports of this machine, talks to nobody else and leaves nothing behind.
A busy machine is asked to be quiet, for a minute at most. Exit codes: 0 measured (goals may be missed: read the
table), 1 something broke, 130 Ctrl-C.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import (
    growth,
    hashing,
    log_rows,
    machine,
    mails,
    observed,
    reads,
    results,
    saturation,
    table,
    waits,
    worker_counts,
    writes,
)
from bench.ground import Ground, Member, api, ground, sign_up, worker
from bench.mails import Post
from bench.peers import measure as peers
from bench.programs import on_core, run
from bench.results import Results
from bench.saturation import Api
from bench.size import QUICK, Size
from bench.table import Row
from devstack.servers import free_port
from service.store.tokens import Kind

API_MEMORY, WORKER_MEMORY = 90.0, 100.0


async def measure(size: Size, state: Path) -> list[Row]:
    async with ground(state) as place:
        members = await sign_up(place, size.members)
        rows: list[Row] = []
        health = free_port()
        async with api(place, health=health) as (program, port):
            rows += await reads.measure(
                place,
                members[: size.sessions],
                api=(program, port),
                rounds=size.rounds,
                seconds=size.seconds,
                report=note,
            )
            read = program.memory()
            rows += await post(place, members, size=size, ports=(port, health))
            await waits.hash_passwords(port=port, count=size.sign_ups)
            hashed = program.memory()
        rows += [
            Row("memory of the API, after the reads", (read[0],), "MB", API_MEMORY, f"(shared out: {read[1]:.0f})"),
            Row("  the most, hashing passwords too", (hashed[0],), "MB", None, f"(shared out: {hashed[1]:.0f})"),
        ]
        # The worker's memory was noted last and reads best beside the API's.
        rows.sort(key=lambda row: row.name.startswith("memory of the worker"))
        rows += await hashing.measure(
            place, members[0], rounds=size.rounds, reads=size.reads_beside_hashes, report=note
        )
        # Last, for they leave mails to nobody behind.
        written = await writes.measure(place, rounds=size.rounds, requests=size.writes, report=note)
        return [*written, *rows]


async def measure_writes(size: Size, state: Path) -> list[Row]:
    async with ground(state) as place:
        return await writes.measure(place, rounds=size.rounds, requests=size.writes, report=note)


async def measure_observed(size: Size, state: Path) -> list[Row]:
    async with ground(state) as place:
        members = await sign_up(place, size.sessions)
        return await observed.measure(
            place, members, rounds=size.rounds, seconds=size.seconds, requests=size.writes, report=note
        )


async def measure_signed(size: Size, state: Path) -> list[Row]:
    """Measure what DKIM costs a worker: signed mails beside unsigned ones."""
    async with ground(state) as place:
        members = await sign_up(place, size.mails)
        async with (
            run("bench.sink", state=place.state) as sink,
            run("bench.bare_mail", state=place.state, measured=True) as bare,
        ):
            smtp = int((await sink.ask(order="port"))["port"])
            async with worker(place, smtp=smtp, measured=None) as program:
                rows: list[Row] = []
                for algorithm in ("rsa", "ed25519"):
                    rows += await mails.measure_signed(
                        place, members, algorithm=algorithm, post=Post(program, bare, sink, smtp), rounds=size.rounds,
                        slots=size.slots, report=note,
                    )  # fmt: skip
                return rows


async def post(place: Ground, members: list[Member], *, size: Size, ports: tuple[int, int]) -> list[Row]:
    """Measure everything about mail, and what else a worker does."""
    async with (
        run("bench.sink", state=place.state) as sink,
        run("bench.bare_mail", state=place.state, measured=True) as bare,
    ):
        smtp = int((await sink.ask(order="port"))["port"])
        async with worker(place, smtp=smtp) as program:
            way = Post(program, bare, sink, smtp)
            rows: list[Row] = []
            for kind, goal in ((Kind.VERIFICATION, mails.GOAL), (Kind.RECOVERY, None)):
                rows += await mails.measure(
                    place, members[: size.mails], kind=kind, post=way, rounds=size.rounds, slots=size.slots, goal=goal,
                    report=note,
                )  # fmt: skip
            rows += await waits.measure(members[: size.waits], port=ports[0], sink=sink)
            rows += await saturation.measure(members[: size.ramp], Api(*ports, sink))
            rows += await log_rows.measure(
                place, members[0].user_id, worker=program, count=size.events, rounds=size.rounds
            )
            most, shared = program.memory()
        rows += await worker_counts.measure(
            place, members[: size.crew_mails], sink=sink, smtp=smtp, rounds=size.crew_rounds, report=note
        )
    return [*rows, Row("memory of the worker", (most,), "MB", WORKER_MEMORY, f"(shared out: {shared:.0f})")]


def note(line: str) -> None:
    """Write progress to stderr, so that `> file` keeps the table alone."""
    print(line, file=sys.stderr, flush=True)


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="half a minute: shows that it runs, measures nothing")
    parser.add_argument("--writes", action="store_true", help="only the acts that write")
    parser.add_argument("--observed", action="store_true", help="only what metrics and traces cost")
    parser.add_argument("--signed", action="store_true", help="only mails with a DKIM signature, beside those without")
    parser.add_argument("--peers", action="store_true", help="other account services instead, which ./dev installs")
    parser.add_argument("--save", action="store_true", help="put table and plot into docs/performance.md, too")
    parser.add_argument("--growth", action="store_true", help="every statement with few users and with two million")
    parser.add_argument(
        "--rows", type=float, default=1.0, metavar="PART", help="with --growth: that part, such as 0.01"
    )
    arguments = parser.parse_args(words)
    partly = arguments.writes or arguments.observed or arguments.signed or arguments.growth
    if arguments.save and (arguments.quick or partly):
        parser.error("--save takes whole results")
    if arguments.growth:
        with tempfile.TemporaryDirectory(prefix="accounts-bench-") as folder:
            asyncio.run(growth.run(Path(folder), rows=arguments.rows, quick=arguments.quick, report=print, note=note))
        return 0
    size = QUICK if arguments.quick else Size()
    if not arguments.quick:
        machine.ask_for_quiet(note)
    watch = machine.Watch()
    with tempfile.TemporaryDirectory(prefix="accounts-bench-") as folder, on_core(measured=False):
        if arguments.peers:
            rows = asyncio.run(peers.measure(Path(folder), quick=arguments.quick, report=note))
        else:
            parts = measure_writes if arguments.writes else measure_observed if arguments.observed else measure
            parts = measure_signed if arguments.signed else parts
            rows = asyncio.run(parts(size, Path(folder)))
    notes = peers.versions() if arguments.peers else ()
    found = Results(table.head(rounds=size.rounds, state=watch.state(), notes=notes), rows)
    print(found)
    if arguments.save:
        results.save("peers" if arguments.peers else "bare", found)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
