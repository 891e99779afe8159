"""A worker shows that it lives, and what it counted."""

import asyncio
import os
import time
from pathlib import Path

import orjson
import pytest

from service.db import Pool
from service.event_loop_monitor import HELD_UP, TURN
from service.heartbeat import look
from service.store import outbox
from testkit.outbox import asked
from testkit.patience import PATIENCE
from worker.heartbeat import Pulse
from worker.metrics import NAMES, Counts
from worker.worker_name import Identity


@pytest.fixture
def pulse(a_worker, tmp_path: Path) -> Pulse:
    worker = a_worker("one")
    return Pulse(tmp_path / "alive", Identity("one"), worker.relay, worker.bell, worker.marks.counts)


async def test_the_heart_beats(pulse: Pulse):
    """The file holds all that is counted, and `check` shows it; no file, no life."""
    assert look(pulse.path) == {"alive": False, "heartbeat": None, "counts": None}
    pulse.counts.add("sent", 3)
    pulse.beat()
    seen = look(pulse.path)
    assert seen["alive"]
    assert (seen["counts"]["worker"], seen["counts"]["sent"]) == ("one", 3)
    assert set(seen["counts"]["relays"].values()) == {"closed"}
    assert set(seen["counts"]["relays_per_minute"].values()) == {None}
    assert set(NAMES) < set(seen["counts"])
    assert list(pulse.path.parent.iterdir()) == [pulse.path], "nothing is left beside it"
    pulse.stop()
    assert not look(pulse.path)["alive"]


async def test_an_old_beat_is_no_life(pulse: Pulse):
    """Whose loop has not turned for half a minute is given up; a file without counts is read all the same."""
    pulse.path.write_bytes(b"")
    assert look(pulse.path)["alive"]
    then = time.time() - 31
    os.utime(pulse.path, (then, then))
    assert look(pulse.path)["alive"] is False


async def test_a_full_disk_does_not_stop_the_heart(pulse: Pulse, caplog):
    """Where nothing can be written a warning is all that comes of it."""
    pulse.path = pulse.path / "below"
    pulse.path.parent.write_text("a file")
    pulse.beat()
    assert "could not be written" in caplog.text


async def test_what_is_owed_is_counted(pool: Pool, a_worker, ann):
    """How many wait and for how long, as Postgres has it."""
    await asked(pool)
    await pool.execute("update mails set created_at = now() - interval '1 hour', due_at = now() - interval '1 minute'")
    await outbox.claim(pool, await asked(pool), worker="one", lease=30)
    counts = Counts(backlog=await outbox.backlog(pool))
    told = orjson.loads(orjson.dumps(counts.told()))
    assert (told["backlog_pending"], told["backlog_sending"]) == (1, 1)
    assert 3600 <= told["backlog_oldest"] < 3700
    assert 60 <= told["backlog_overdue"] < 160


def test_an_unknown_name_is_not_counted():
    """Who watches knows every name: a misspelt one is an error, not a count of its own."""
    with pytest.raises(KeyError):
        Counts().add("sentt")


async def test_f60_a_loop_that_is_held_up_is_told(pulse: Pulse, caplog):
    """Something of ours that does not let go of the loop for seconds is a line in the log, and a count."""
    beating = asyncio.create_task(pulse.run())
    await asyncio.sleep(TURN / 5)
    time.sleep(HELD_UP + TURN + 0.2)  # noqa: ASYNC251 - that is the fault
    async with asyncio.timeout(PATIENCE):
        while not pulse.counts.since_start["loop_held_up"]:  # noqa: ASYNC110 - a counter rings no bell
            await asyncio.sleep(0.02)
    assert "held up" in caplog.text
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
