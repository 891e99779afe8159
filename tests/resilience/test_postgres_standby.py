"""A standby takes over (F04), and what it may not know (F05)."""

import asyncio
import time
from pathlib import Path

import pytest

from testkit.client import Act
from testkit.cluster import DATABASE, Cluster, start_cluster
from testkit.full import rarely
from testkit.history import gather
from testkit.invariants import breaches
from testkit.load import load
from testkit.patience import stretched
from testkit.waiting import until

# Seconds. The promise is 5 after the switch; tests do three times as long on a busy machine.
BACK, ANSWER = 15.0, 6.5
_RECOVERIES = "select count(*) from mails where letter = 'recovery'"


@pytest.mark.parametrize("fate", ["dead", rarely("hung"), rarely("read-only")])
async def test_f04_f05_a_synchronous_standby_takes_over_under_load(tmp_path: Path, fate: str):
    """Whatever became of the old primary, writes go on within 5 s of the switch, and nothing accepted is missing."""
    async with start_cluster(tmp_path, apis=2, workers=2, standby=True) as cluster, load(cluster) as run:
        await cluster.keep_in_step()
        await run.goes_on()
        old = cluster.postgres
        with cluster.fault():
            if fate == "hung":
                paused = old.pause()
            elif fate == "read-only":
                await old.turn_read_only()
            else:
                await old.stop("kill")
            await until(lambda: any(act.unclear for act in run.acts), what="nobody has met the fault")
            await cluster.switch()
            await run.succeeds(time.monotonic(), seconds=stretched(BACK))
        await run.goes_on()
        run.going = False
        if fate == "hung":
            await old.stop("kill")
            old.resume(paused)
        await cluster.all_ended()
        assert breaches(await gather(cluster)) == []
        assert run.worst < stretched(ANSWER)


async def test_f05_what_the_standby_has_not_got_is_not_acknowledged(tmp_path: Path):
    """A synchronous standby that hangs: 503 in time, not "done" because it stands in one place."""
    async with start_cluster(tmp_path, workers=0, standby=True) as cluster:
        await cluster.keep_in_step()
        client = cluster.client()
        ann = await client.sign_up("ann")
        assert cluster.standby
        paused = cluster.standby.pause()
        found = await asyncio.gather(*(_ask(cluster, ann.email) for _ in range(5)))
        assert {(act.status, act.seconds < stretched(ANSWER)) for act in found} == {(503, True)}
        cluster.standby.resume(paused)
        assert await client.recover(ann.email, user=ann.user)


async def test_f05_an_asynchronous_standby_takes_over_without_what_it_missed(tmp_path: Path):
    """A promoted standby that is behind takes over as it is, and the service goes on (docs/operations.md)."""
    async with start_cluster(tmp_path, workers=0, standby=True) as cluster:
        client = cluster.client()
        ann = await client.sign_up("ann")
        old, new = cluster.postgres, cluster.standby
        assert new
        await new.caught_up(old)
        await new.stop("kill")
        assert await client.recover(ann.email, user=ann.user)
        assert await old.run(_RECOVERIES, database=DATABASE) == 1
        await old.stop("kill")
        await new.start()
        await new.promote()
        assert await new.run(_RECOVERIES, database=DATABASE) == 0
        assert await client.recover(ann.email, user=ann.user)


async def _ask(cluster: Cluster, email: str) -> Act:
    body = {"email": email, "url": "http://localhost/reset"}
    act, _, _ = await cluster.clients[0].call("recovery", "POST", "/v1/account/recovery", body, email=email)
    return act
