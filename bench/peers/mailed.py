"""Requests for a link until the last mail is at the relay; of ours API and worker share the measured core."""

import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

from bench.ground import Ground, Member, worker
from bench.peers import acts, programs
from bench.peers.catalogue import Peer
from bench.peers.rounds import OURS, interleave, rows
from bench.programs import Program, run
from bench.rounds import Tally
from bench.table import Row

MAILED = "reset until mailed"


async def measure(
    place: Ground, members: list[Member], peers: Mapping[Peer, Mapping[str, str]], *, rounds: int, mails: int,
    report: Callable[[str], None],
) -> list[Row]:  # fmt: skip
    """Measure all sides with the same sink; `peers` are with their environments."""
    async with AsyncExitStack() as stack:
        load = await stack.enter_async_context(run("bench.load", state=place.state))
        sink = await stack.enter_async_context(run("bench.sink", state=place.state))
        smtp = int((await sink.ask(order="port"))["port"])
        program, port = await stack.enter_async_context(acts.our_api(place))
        sending = await stack.enter_async_context(worker(place, smtp=smtp))
        sides = {OURS: acts.Side([program, sending], port, acts.ours(members, readers=1))}
        for peer, environment in peers.items():
            more = {"SMTP_PORT": str(smtp)}
            program, port = await stack.enter_async_context(programs.serving(place, peer, {**environment, **more}))
            sides[peer.name] = acts.Side([program], port, acts.resets(peer, members=len(members)))

        async def take(name: str) -> Tally:
            return await _take(sides[name], mails, load=load, sink=sink)

        return rows(
            MAILED, await interleave(take, list(sides), rounds=rounds, name=MAILED, report=report), unit="mail/s"
        )


async def _take(side: acts.Side, count: int, *, load: Program, sink: Program) -> Tally:
    """Ask for so many mails, and wait for them; fails unless each came once."""
    ready, used, began = side.requests(acts.RESET, count), side.cpu(), time.perf_counter()
    await load.ask(port=side.port, requests=ready, connections=acts.CONNECTIONS, seconds=60, once=True)
    await sink.ask(order="wait", count=count)
    seconds, cpu = time.perf_counter() - began, side.cpu() - used
    side.next[acts.RESET] = side.next.get(acts.RESET, 0) + count
    came = await sink.ask(order="take")
    if came["violations"] or came["count"] != count or len(came["arrived"]) != count:
        raise RuntimeError(f"{came['count']} mails for {count} requests: {came['violations'][:3]}")
    return Tally(count, seconds, cpu)
