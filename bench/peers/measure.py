"""All sides started on the same core and servers, and the acts measured in turns."""

import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.ground import PROJECT, Ground, Member, ground, sign_up
from bench.peers import acts, mailed, programs
from bench.peers.catalogue import PEERS, Peer
from bench.peers.requests import PASSWORD
from bench.peers.rounds import OURS, interleave, rows
from bench.programs import ROOT, Program, run
from bench.table import Row
from bench.unhashed import HASHER
from devstack import servers
from service.rate_limiter import HOUR
from service.store import projects

# By processor time alone.
GOALS = {acts.RESET: 4.0}


@dataclass(frozen=True, slots=True)
class Size:
    """Amount of work: seconds a side has in each round. Of so many members nobody asks for a mail ten times."""

    rounds: int = 7
    seconds: float = 2.0
    members: int = 5_000
    readers: int = 200
    mails: int = 300


QUICK = Size(rounds=1, seconds=0.2, members=150, readers=5, mails=10)


def versions() -> Sequence[str]:
    """Describe the peers for the table, and name those that could not be installed."""
    return [
        f"{peer.name}: {peer.versions()}" if peer.is_installed else f"{peer.name}: NOT MEASURED, it is not installed"
        for peer in PEERS
    ]


async def measure(state: Path, *, quick: bool, report: Callable[[str], None]) -> list[Row]:
    size = QUICK if quick else Size()
    async with ground(state) as place:
        hashes = {OURS: await programs.finish(sys.executable, "-m", "bench.peers.own_hash", "5", cwd=ROOT)}
        members = await sign_up(place, size.members, password_hash=HASHER.hash(PASSWORD))
        # More sign-ins come in one go than a project has in an hour; each is counted all the same.
        await projects.set_limit(place.pool, PROJECT, rule="create_session.project", numbers=[1_000_000, HOUR])
        environments: dict[Peer, dict[str, str]] = {}
        for peer in (peer for peer in PEERS if peer.is_installed):
            report(f"{peer.name}: making {size.members} members")
            database = servers.create_database(place.postgres, peer.name)
            environment = environments[peer] = programs.environment_of(place, peer, database)
            await programs.finish(*peer.program(), "prepare", str(size.members), environment=environment)
            hashes[peer.name] = await programs.finish(*peer.program(), "hash", "5", environment=environment)
        # First, while nothing waits to be mailed.
        sent = await mailed.measure(place, members, environments, rounds=size.rounds, mails=size.mails, report=report)
        found = await _acts(place, members, environments, size, report=report)
    hashed = [Row(f"hash of a password, {name}", (float(text) * 1000,), "ms") for name, text in hashes.items()]
    return [*found, *sent, *hashed]


async def _acts(
    place: Ground, members: list[Member], environments: dict[Peer, dict[str, str]], size: Size, *,
    report: Callable[[str], None],
) -> list[Row]:  # fmt: skip
    """Measure the acts whose mails nobody sends."""
    found: list[Row] = []
    async with AsyncExitStack() as stack:
        load = await stack.enter_async_context(run("bench.load", state=place.state))
        program, port = await stack.enter_async_context(acts.our_api(place))
        sides = {OURS: acts.Side([program], port, acts.ours(members, readers=size.readers))}
        for peer, environment in environments.items():
            program, port = await stack.enter_async_context(programs.serving(place, peer, environment))
            made = await acts.theirs(peer, port=port, members=size.members, readers=size.readers)
            sides[peer.name] = acts.Side([program], port, made)
        for act in acts.ACTS:
            found += await _compare(act, sides, size, load=load, report=report)
    return found


async def _compare(
    act: str, sides: dict[str, acts.Side], size: Size, *, load: Program, report: Callable[[str], None]
) -> list[Row]:
    tallies = await interleave(
        lambda name: sides[name].take(act, load=load, seconds=size.seconds),
        list(sides), rounds=size.rounds, name=act, report=report,
    )  # fmt: skip
    return rows(act, tallies, of_cost=GOALS.get(act))
