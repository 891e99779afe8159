"""G2: processes are killed at random while mails and SMS are accepted; none is lost, and next to none doubled.

Meanwhile events go to a webhook, mails bounce and accounts are exported.
"""

import asyncio
import random
import signal
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.resilience import bouncing_users
from bench.resilience.bouncing_users import BouncingUsers
from bench.resilience.code_sign_ins import CodeUser, code_users, rows, webhook
from bench.resilience.progress import report, sifted
from bench.resilience.result import Row
from testkit.client import Client, Member
from testkit.cluster import Cluster, ManagedProcess, start_cluster
from testkit.history import History, gather

COUNT = 1000
_MAILS_A_KILL, _MEMBERS, _ASKERS, _CODE_USERS = 10, 20, 6, 8
_BOUNCING, _EXPORTING = 1, 1
# Seconds that a process lives at most once it is ready; Redis is killed less often, since all lean on it.
_LIFE, _LIFE_OF_REDIS = 2.0, 8.0
_SHARE = 0.005


@dataclass
class Run:
    """One run: `kills` by kind of process; mails are counted when they are acknowledged."""

    cluster: Cluster
    chance: random.Random
    kills_wanted: int
    bouncing: BouncingUsers
    kills: Counter[str] = field(default_factory=Counter)
    mails: int = 0
    users: list[CodeUser] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return self.kills.total() >= self.kills_wanted

    @property
    def ahead(self) -> bool:
        """Stay ahead of the mails that the kills are to be among."""
        return self.kills.total() > self.mails / _MAILS_A_KILL + 20

    @property
    def ended(self) -> bool:
        return self.over and self.mails >= self.wanted

    @property
    def wanted(self) -> int:
        return self.kills_wanted * _MAILS_A_KILL


async def measure(count: int, seed: int) -> list[Row]:
    """Measure; `count` is the number of kills, ten times as many mails are accepted meanwhile."""
    with tempfile.TemporaryDirectory(prefix="accounts-g02-") as folder:
        async with (
            webhook() as sink,
            start_cluster(Path(folder), apis=2, workers=2, SMS_URL=sink.url, **bouncing_users.SETTINGS) as cluster,
            bouncing_users.bouncing_users(cluster, random.Random(f"{seed} bounces")) as bouncing,
        ):
            run = Run(cluster, random.Random(seed), count, bouncing)
            run.users = await code_users(cluster, sink, number=_CODE_USERS)
            members = [await _member(cluster.client(number), f"m{number}") for number in range(_MEMBERS)]
            with cluster.fault():
                await _torment(run, members)
            await asyncio.gather(*(process.start() for process in cluster.processes if not process.running))
            await cluster.all_ended(seconds=180)
            history = await gather(cluster)
            history.add_sms(sink.taken)
            await bouncing.add_to(history, kills=run.kills["worker"])
            for process in cluster.processes:
                await process.stop()
    return _rows(run, history) + rows(history, run.users, sink) + bouncing_users.rows(history, bouncing)


async def _member(client: Client, name: str) -> tuple[Client, Member]:
    client.patience = 120
    member = await client.sign_up(name)
    assert await client.sign_in(member)
    return client, member


async def _torment(run: Run, members: list[tuple[Client, Member]]) -> None:
    killers = [_kill_again_and_again(run, "api", process) for process in run.cluster.apis]
    killers += [_kill_again_and_again(run, "worker", process) for process in run.cluster.workers]
    askers = [_ask(run, members[number::_ASKERS], number) for number in range(_ASKERS)]
    users = [_sign_in_again_and_again(run, user) for user in run.users]
    ended = asyncio.Event()
    beside = [run.bouncing.again_and_again("bounce", members, ended) for _ in range(_BOUNCING)]
    beside += [run.bouncing.again_and_again("export", members, ended) for _ in range(_EXPORTING)]
    await asyncio.gather(*killers, _kill_redis(run), *askers, *users, *beside, _tell(run, ended))


async def _kill_again_and_again(run: Run, what: str, process: ManagedProcess) -> None:
    """Kill at any moment: sometimes before it is ready, more often while it works."""
    while not run.over:
        await asyncio.sleep(run.chance.uniform(0, _LIFE) + run.ahead)
        await process.kill()
        run.kills[what] += 1
        if run.chance.random() < 0.1:
            await process.launch()
        else:
            await process.start()
    if not process.running:
        await process.start()


async def _kill_redis(run: Run) -> None:
    while not run.over:
        await asyncio.sleep(run.chance.uniform(0.5, _LIFE_OF_REDIS) + run.ahead)
        run.cluster.valkey.stop(signal.SIGKILL)
        run.kills["Redis"] += 1
        await asyncio.sleep(run.chance.uniform(0, 1))
        run.cluster.valkey.start()


async def _ask(run: Run, members: list[tuple[Client, Member]], number: int) -> None:
    """Request mails of all kinds, at the pace of the kills."""
    turn = 0
    while run.mails < run.wanted:
        if run.mails > _MAILS_A_KILL * (run.kills.total() + 2) and not run.over:
            await asyncio.sleep(0.05)
            continue
        client, member = members[turn % len(members)]
        turn += 1
        await run.chance.choice(_KINDS)(client, member, f"{number}-{turn}")
        run.mails += 1


async def _sign_in_again_and_again(run: Run, user: CodeUser) -> None:
    while not run.ended:
        await user.sign_in()
        await asyncio.sleep(run.chance.uniform(0, 1))


async def _recovery(client: Client, member: Member, _turn: str) -> None:
    await client.recover(member.email, user=member.user)


async def _recovery_of_nobody(client: Client, _member: Member, turn: str) -> None:
    await client.recover(f"nobody-{turn}@example.com")


async def _verification(client: Client, member: Member, _turn: str) -> None:
    await client.verify(member)


_KINDS: tuple[Callable[[Client, Member, str], Awaitable[object]], ...] = (
    _recovery, _recovery, _recovery_of_nobody, _verification, _verification,
)  # fmt: skip


async def _tell(run: Run, ended: asyncio.Event) -> None:
    while not run.ended:
        report(f"{dict(run.kills)} kills, {run.mails} mails accepted")
        await asyncio.sleep(5)
    ended.set()


def _rows(run: Run, history: History) -> list[Row]:
    """Make the table's rows; `void` is the correct end of a recovery for an address without account."""
    lost, others = sifted(history)
    states = Counter(row.state for row in history.rows)
    copies = Counter(message.message_id for message in history.messages)
    extra = sum(number - 1 for number in copies.values())
    steps = Counter(step.name for step in history.steps)
    kills = ", ".join(f"{number} {what}" for what, number in sorted(run.kills.items()))
    return [
        Row("processes killed", f"{run.kills.total()} ({kills})"),
        Row("mails accepted", f"{run.mails}", f"{run.wanted}", run.mails >= run.wanted),
        Row("their ends", ", ".join(f"{number} {state}" for state, number in sorted(states.items()))),
        Row("lost, of all kinds", str(len(lost)), "0", not lost),
        Row("attempts that died with their worker", str(steps["lost"])),
        Row("duplicates", str(extra), "0.5 % at most", extra <= _SHARE * run.mails),
        Row("other breaches of I1 to I10", str(len(others)), "0", not others),
    ]
