"""A worker shows that it lives, and what it counted."""

import asyncio
import os
import time
from pathlib import Path

import orjson
import pytest

from service.db import Pool
from service.event_loop_monitor import HELD_UP, TURN
from service.heartbeat import read_heartbeat
from service.store import outbox
from testkit.outbox import claim as claim_mail
from testkit.outbox import request_mail
from testkit.patience import PATIENCE
from worker.heartbeat import Heartbeat
from worker.metrics import NAMES, Metrics
from worker.worker_name import WorkerName


@pytest.fixture
def heartbeat(a_worker, tmp_path: Path) -> Heartbeat:
    worker = a_worker("one")
    return Heartbeat(
        tmp_path / "alive", WorkerName("one"), worker.relays.shared, worker.job_queue, worker.recorder.metrics
    )


async def test_the_heart_beats(heartbeat: Heartbeat):
    """The file holds all that is counted, and `check` shows it; no file, no life."""
    assert read_heartbeat(heartbeat.path) == {"alive": False, "heartbeat": None, "counts": None}
    heartbeat.metrics.add("sent", 3)
    heartbeat.write()
    seen = read_heartbeat(heartbeat.path)
    assert seen["alive"]
    assert (seen["counts"]["worker"], seen["counts"]["sent"]) == ("one", 3)
    assert set(seen["counts"]["relays"].values()) == {"closed"}
    assert set(seen["counts"]["relays_per_minute"].values()) == {None}
    assert set(NAMES) < set(seen["counts"])
    assert list(heartbeat.path.parent.iterdir()) == [heartbeat.path], "nothing is left beside it"
    heartbeat.stop()
    assert not read_heartbeat(heartbeat.path)["alive"]


async def test_an_old_beat_is_no_life(heartbeat: Heartbeat):
    """A worker whose loop has not run for half a minute is dead; a file without counts is read all the same."""
    heartbeat.path.write_bytes(b"")
    assert read_heartbeat(heartbeat.path)["alive"]
    then = time.time() - 31
    os.utime(heartbeat.path, (then, then))
    assert read_heartbeat(heartbeat.path)["alive"] is False


async def test_a_full_disk_does_not_stop_the_heart(heartbeat: Heartbeat, caplog):
    """A heartbeat that can't be written is a warning and no more."""
    heartbeat.path = heartbeat.path / "below"
    heartbeat.path.parent.write_text("a file")
    heartbeat.write()
    assert [record.event for record in caplog.records] == ["heartbeat.unavailable"]


async def test_what_is_owed_is_counted(pool: Pool, a_worker, ann):
    """Count and age of the waiting mails are those of Postgres."""
    await request_mail(pool)
    await pool.execute("update mails set created_at = now() - interval '1 hour', due_at = now() - interval '1 minute'")
    await claim_mail(pool, await request_mail(pool), worker="one", lease=30)
    counts = Metrics(backlog=await outbox.backlog(pool))
    told = orjson.loads(orjson.dumps(counts.snapshot()))
    assert (told["backlog_pending"], told["backlog_sending"]) == (1, 1)
    assert 3600 <= told["backlog_oldest"] < 3700
    assert 60 <= told["backlog_overdue"] < 160


def test_an_unknown_name_is_not_counted():
    """An unknown name is an error, not a counter of its own."""
    with pytest.raises(KeyError):
        Metrics().add("sentt")


async def test_f60_a_loop_that_is_held_up_is_told(heartbeat: Heartbeat, caplog):
    """Something of ours that does not let go of the loop for seconds is a line in the log, and a count."""
    beating = asyncio.create_task(heartbeat.run())
    await asyncio.sleep(TURN / 5)
    time.sleep(HELD_UP + TURN + 0.2)  # noqa: ASYNC251 - that is the fault
    async with asyncio.timeout(PATIENCE):
        while not heartbeat.metrics.since_start["event_loop_stalls"]:  # noqa: ASYNC110 - a counter can't be awaited
            await asyncio.sleep(0.02)
    assert "event_loop.blocked" in [record.event for record in caplog.records]
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
