"""F55, F60, F62, F63: processes without files, time, a right clock or a log."""

import asyncio
import os
import resource
import signal
import sys
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import orjson
import pytest

from devstack.servers import tied
from testkit.client import Act
from testkit.cluster import Cluster, ManagedProcess, start_cluster
from testkit.history import gather
from testkit.invariants import breaches
from testkit.patience import stretched
from testkit.processes import ROOT, Process, until_beating, until_ready
from testkit.waiting import until

# What an answer may take (P3), and what a busy machine adds.
_ANSWER = 5 + 5
_STANDS = 5
_CLOCK = "import time\n_real = time.time\ntime.time = lambda: _real() + {off}\n"


def files(process: ManagedProcess) -> int:
    return sum(1 for _ in Path(f"/proc/{process.pid}/fd").iterdir())


def limit_files(process: ManagedProcess, most: int) -> None:
    """As `ulimit -n` does, but for a process that runs."""
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (most, 4096))


async def test_f55_an_api_without_files(tmp_path: Path):
    """Everybody gets an answer, or is cut off, at once: nobody hangs; when there are files again all is as before."""
    async with start_cluster(tmp_path) as cluster:
        client, (api,) = cluster.client(), cluster.apis
        ann = await client.sign_up("ann")
        with cluster.fault():
            limit_files(api, files(api) + 4)
            acts = await asyncio.gather(*(_asks(cluster, number) for number in range(60)))
            limit_files(api, 1024)
        assert max(act.seconds for act in acts) < stretched(_ANSWER)
        assert {act.status for act in acts} <= {0, 201, 503}
        assert any(act.unclear for act in acts), "there were files enough"
        assert await client.use_recovery(ann, await client.recover(ann.email, user=ann.user))
        assert api.running
        await cluster.all_ended()
        assert breaches(await gather(cluster)) == []


async def _asks(cluster: Cluster, number: int) -> Act:
    """Once: what is cut off is not repeated."""
    body = {"email": f"nobody{number}@example.com", "url": "http://localhost/reset"}
    act, _, _ = await cluster.client().call("recovery", "POST", "/v1/account/recovery", body, email=body["email"])
    return act


async def test_f55_a_worker_without_files(tmp_path: Path):
    """It can't reach the relay, and waits; when there are files again its mails go out, each once."""
    async with start_cluster(tmp_path) as cluster:
        client, (worker,) = cluster.client(), cluster.workers
        ann = await client.sign_up("ann")
        limit_files(worker, 3)
        await client.recover(ann.email, user=ann.user)
        await until(
            lambda: any("mail.rescheduled" in line or "poller.delivery_failed" in line for line in worker.written)
        )
        assert cluster.sink.mails == []
        limit_files(worker, 1024)
        await cluster.all_ended()
        assert worker.running
        assert breaches(await gather(cluster)) == []


async def test_f60_a_loop_that_stands_for_five_seconds(tmp_path: Path):
    """API and worker say so; the mail in hand keeps its lease, though another worker looks on, and goes out once."""
    async with start_cluster(tmp_path, workers=2) as cluster:
        client, held = cluster.client(), [*cluster.apis, cluster.workers[0]]
        ann = await client.sign_up("ann")
        await cluster.workers[1].kill()
        cluster.sink.script("rcpt", "250 2.1.5 ok", action="drip", pause=0.2, times=1)
        await client.recover(ann.email, user=ann.user)
        await until(lambda: any(line.startswith("RCPT") for line in cluster.sink.commands))
        await cluster.workers[1].start()
        with cluster.fault():
            for process in held:
                process.pause()
            await asyncio.sleep(_STANDS)  # the fault itself
            for process in held:
                process.resume()
        await until(
            lambda: all(any("event_loop.blocked" in line for line in process.written) for process in held),
            what="nobody said so",
        )
        await cluster.all_ended()
        history = await gather(cluster)
        assert [step.name for step in history.steps] == ["sent"]
        assert breaches(history) == []


async def test_f62_workers_whose_clocks_are_two_hours_apart(tmp_path: Path):
    """Neither takes what the other holds, and what neither holds is not sent too soon or twice."""
    async with start_cluster(tmp_path, workers=2) as cluster:
        client = cluster.client()
        ann = await client.sign_up("ann")
        for worker, off in zip(cluster.workers, (3600, -3600), strict=True):
            folder = tmp_path / f"clock{off}"
            folder.mkdir()
            (folder / "sitecustomize.py").write_text(_CLOCK.format(off=off))
            await worker.kill()
            await worker.start(PYTHONPATH=str(folder))
        cluster.sink.script("rcpt", "250 2.1.5 ok", action="drip", pause=0.2, times=4)
        for number in range(20):
            await client.recover(ann.email if number % 4 == 0 else f"nobody{number}@example.com")
        await cluster.all_ended()
        times = [
            datetime.fromisoformat(orjson.loads(line)["timestamp"])
            for worker in cluster.workers
            for line in worker.past[-1].lines
        ]
        assert max(times) - min(times) >= timedelta(hours=1.9), "their clocks are as far apart as this test says"
        history = await gather(cluster)
        assert len(cluster.sink.mails) == sum(row.state == "sent" for row in history.rows)
        assert not [step for step in history.steps if step.name == "lost"]


@pytest.mark.parametrize("how", ["closed", "full"])
async def test_f63_a_log_that_takes_nothing(tmp_path: Path, how: str):
    """A pipe that nobody reads any more or a full disk: API and worker go on, count what is lost, and end well."""
    async with start_cluster(tmp_path) as cluster:
        client, (api,), (worker,) = cluster.client(), cluster.apis, cluster.workers
        ann = await client.sign_up("ann")
        for process in cluster.processes:
            assert await process.stop() == 0
            await _start_mute(process, how)
        assert await client.use_recovery(ann, await client.recover(ann.email, user=ann.user))
        await cluster.all_ended()
        async with aiohttp.ClientSession() as asking, asking.get(f"{api.health}/live") as answer:
            assert (await answer.json())["lines_dropped"] > 0
        heart = worker.heartbeat
        assert heart
        await until(lambda: orjson.loads(heart.read_bytes())["lines_dropped"] > 0, what="the worker counts none")
        for process in cluster.processes:
            assert await process.stop() == 0
        assert breaches(await gather(cluster)) == []


async def _start_mute(process: ManagedProcess, how: str) -> None:
    """As ManagedProcess.start does, with a stderr of that kind."""
    reading, writing = os.pipe()
    os.close(reading)
    if how == "full":
        os.dup2(os.open("/dev/full", os.O_WRONLY), writing)
    if process.heartbeat:
        process.heartbeat.unlink(missing_ok=True)
    started = await asyncio.create_subprocess_exec(
        *tied(signal.SIGKILL), sys.executable, "-m", *process.words,
        cwd=ROOT, env={"PATH": os.environ["PATH"], **process.environment}, stderr=writing,
    )  # fmt: skip
    os.close(writing)
    process.process = Process(started)
    process.past.append(process.process)
    if process.heartbeat:
        await until_beating(process.process, process.heartbeat)
    else:
        await until_ready(process.process, f"{process.health}/ready")
