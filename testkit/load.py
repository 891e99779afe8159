"""Clients that go on asking while something breaks, and how soon one of them succeeds afterwards."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from testkit.client import Act, Client, Member
from testkit.cluster import Cluster
from testkit.waiting import until

# Between two acts of one client, in seconds: the faults are what is measured here, not the machine.
_REST = 0.05


@dataclass
class Load:
    """`busy` are the clients that ask, each for the member of the same place."""

    busy: list[Client]
    members: list[Member]
    going: bool = True

    @property
    def acts(self) -> list[Act]:
        return [act for client in self.busy for act in client.acts]

    @property
    def worst(self) -> float:
        """Seconds that the slowest answer took."""
        return max(act.seconds for act in self.acts)

    def written(self, since: float) -> list[Act]:
        """Mails that were asked for since then (time.monotonic()) and acknowledged."""
        return [act for act in self.acts if act.name == "recovery" and act.acknowledged and act.at >= since]

    async def succeeds(self, since: float, *, seconds: float = 30) -> float:
        """Wait for something to be written that was asked for at or after `since`; seconds from then to its answer."""
        await until(lambda: self.written(since), seconds=seconds, what="nothing is written any more")
        return min(act.at + act.seconds for act in self.written(since)) - since

    async def goes_on(self, *, times: int = 10) -> None:
        """Wait for so many more mails to be taken."""
        now = time.monotonic()
        await until(lambda: len(self.written(now)) >= times, what="the load has stopped")


@asynccontextmanager
async def load(cluster: Cluster, *, clients: int = 5) -> AsyncIterator[Load]:
    """Each client reads its account and asks for letters, for its own address and for nobody's, until the block ends.

    Then each finishes what it was at; an answer that is neither yes nor "come again" is an error here.
    """
    busy = [cluster.client(number) for number in range(clients)]
    members = [await client.sign_up(f"load{number}") for number, client in enumerate(busy)]
    assert all([await client.sign_in(member) for client, member in zip(busy, members, strict=True)])
    run = Load(busy, members)
    tasks = [asyncio.create_task(_ask(run, client, member)) for client, member in zip(busy, members, strict=True)]
    try:
        yield run
    finally:
        run.going = False
        await asyncio.gather(*tasks)


async def _ask(run: Load, client: Client, member: Member) -> None:
    turn = 0
    while run.going:
        turn += 1
        assert (await client.account(member)).status == 200
        await client.recover(member.email, user=member.user)
        await client.recover(f"{member.user}.{turn}@example.com")
        await asyncio.sleep(_REST)
