"""A worker has a name that no other living process has, and that the next process takes when it is gone."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devstack.servers import tied
from testkit.patience import PATIENCE
from testkit.processes import ROOT
from worker.worker_name import WorkerName, acquire, default_state

_HOLD = (
    "import asyncio, sys, time; from pathlib import Path; from worker.worker_name import acquire;"
    "held = asyncio.run(acquire(sys.argv[2], Path(sys.argv[1]), asyncio.Event())); print(held.name, flush=True);"
    "time.sleep(60)"
)


@contextmanager
def holder(folder: Path, name: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that has taken a name, and which; it ends with the block, and with the tests."""
    words = [*tied(signal.SIGKILL), sys.executable, "-c", _HOLD, str(folder), name]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as found:
        assert found.stdout
        try:
            yield found, found.stdout.readline().strip()
        finally:
            found.kill()


async def taken(name: str, folder: Path) -> WorkerName:
    found = await acquire(name, folder, asyncio.Event())
    assert found
    return found


async def test_each_takes_the_first_free_name(tmp_path: Path):
    """Workers of one machine are numbered; a number that was given up is taken again."""
    first, second = await taken("", tmp_path), await taken("", tmp_path)
    assert first.name.endswith("-0")
    assert second.name == first.name[:-1] + "1"
    first.release()
    assert (await taken("", tmp_path)).name == first.name


async def test_the_next_process_has_the_name_of_one_that_was_killed(tmp_path: Path):
    """The kernel lets go of the lock: no file has to be tidied up after kill -9."""
    with holder(tmp_path, "") as (other, name):
        assert (await taken("", tmp_path)).name != name
        other.kill()
        other.wait()
        assert (await taken("", tmp_path)).name == name


async def test_a_given_name_is_waited_for(tmp_path: Path, caplog):
    """Two processes with one WORKER_ID would take each other's mails: the second waits, and says so once."""
    with holder(tmp_path, "post") as (other, _):
        waiting = asyncio.create_task(taken("post", tmp_path))
        async with asyncio.timeout(PATIENCE):
            while not caplog.records:  # noqa: ASYNC110 - a log can't be awaited
                await asyncio.sleep(0.02)
        assert not waiting.done()
        other.kill()
        assert (await waiting).name == "post"
    assert [record.event for record in caplog.records] == ["worker.name_in_use"]


async def test_waiting_for_a_name_can_be_stopped(tmp_path: Path):
    """A worker that is told to stop before it has a name just ends."""
    first, stop = await taken("post", tmp_path), asyncio.Event()
    waiting = asyncio.create_task(acquire("post", tmp_path, stop))
    await asyncio.sleep(0)
    stop.set()
    assert await waiting is None
    first.release()


async def test_where_nothing_can_be_written_the_name_is_the_process(tmp_path: Path, caplog):
    """No folder costs the quick return after a crash, never the start."""
    (tmp_path / "file").write_text("")
    found = await taken("", tmp_path / "file" / "below")
    assert found.name.endswith(f"-{os.getpid()}")
    assert found.journal is None
    assert [record.event for record in caplog.records] == ["worker.state_unusable"]
    found.touch()


async def test_a_place_of_anybodys_must_be_ours(tmp_path: Path):
    """In a folder where all may write, another's folder or link is not believed: it could say what was sent."""
    tmp_path.chmod(0o1777)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "elsewhere")
    assert (await taken("", tmp_path / "state")).journal is None
    assert (await taken("", tmp_path / "elsewhere")).journal is not None


def test_the_default_place_is_the_databases():
    """Workers of two databases on one machine share no receipts; the folder's name holds no password."""
    one, other = (default_state(f"postgres://u:{word}@h:5432/{word}") for word in ("first", "second"))
    assert one != other
    assert one == default_state("postgres://somebody:else@h:5432/first")
    assert str(os.geteuid()) in one.name
