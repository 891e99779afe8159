"""A standby takes over (F04), and what it may not know (F05)."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.faults.history import gather
from tests.faults.house import DATABASE, House, house
from tests.faults.invariants import breaches
from tests.faults.load import load
from tests.faults.waiting import until

# Seconds. The promise is 5 after the switch; tests do three times as long on a busy machine.
BACK, ANSWER = 15.0, 6.5


async def in_step(whole: House) -> None:
    """From now on a commit is acknowledged when the standby has it."""
    await whole.postgres.configure(synchronous_standby_names="*")
    await until(lambda: whole.postgres.run("select count(*) = 1 from pg_stat_replication where sync_state = 'sync'"))


@pytest.mark.parametrize("fate", ["dead", "hung", "read-only"])
async def test_f04_f05_a_synchronous_standby_takes_over_under_load(tmp_path: Path, fate: str):
    """Whatever became of the old primary, writes go on within 5 s of the switch, and nothing accepted is missing."""
    async with house(tmp_path, apis=2, workers=2, standby=True) as whole, load(whole) as run:
        await in_step(whole)
        await run.goes_on()
        old = whole.postgres
        with whole.fault():
            if fate == "hung":
                paused = old.pause()
            elif fate == "read-only":
                await old.turn_read_only()
            else:
                await old.stop("kill")
            await asyncio.sleep(1)  # a switch takes its time, and clients go on asking
            await _switch(whole)
            await run.succeeds(time.monotonic(), seconds=BACK)
        await run.goes_on()
        run.going = False
        if fate == "hung":
            await old.stop("kill")
            old.resume(paused)
        await whole.all_ended()
        assert breaches(await gather(whole)) == []
        assert run.worst < ANSWER


async def _switch(whole: House) -> None:
    assert whole.standby
    await whole.standby.promote()
    await whole.standby.configure(synchronous_standby_names=None)
    whole.postgres, whole.standby = whole.standby, whole.postgres
