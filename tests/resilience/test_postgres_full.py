"""Postgres has no room left on its disk (F09). The disk is one in memory, which only root can have made."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from testkit.cluster import DATABASE, Cluster, start_cluster
from testkit.full import full
from testkit.load import load
from testkit.patience import stretched
from testkit.postgres import PostgresServer
from testkit.waiting import until
from tests.resilience.test_postgres_stops import ANSWER, BACK, is_right

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk")


@contextmanager
def disk(folder: Path, owner: Path, *, megabytes: int) -> Iterator[Path]:
    """Of so many megabytes, for the owner of that other folder."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder], check=False)
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a disk")
    try:
        shutil.chown(folder, owner.stat().st_uid, owner.stat().st_gid)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> Path:
    """Leave no room; the file that takes it up."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return ballast


@asynccontextmanager
async def moved(cluster: Cluster) -> AsyncIterator[None]:
    """Time in which no process of ours runs, and nothing is connected."""
    for process in cluster.processes:
        await process.stop()
    yield
    for process in cluster.processes:
        await process.start()


@full
@needs_root
async def test_f09_no_room_for_tables(tmp_path: Path):
    """Whoever writes is told to come again, whoever reads is served; once there is room all works, unaided."""
    async with start_cluster(tmp_path) as cluster:
        postgres = cluster.postgres
        with disk(postgres.home / "disk", postgres.data, megabytes=32) as room:
            async with moved(cluster):
                await postgres.run(f"create tablespace small location '{room}'")
                await postgres.run(f"alter database {DATABASE} set tablespace small")
            async with load(cluster, clients=3) as run:
                await run.goes_on()
                with cluster.fault():
                    ballast = fill(room)
                    await until(lambda: sum(act.status == 503 for act in run.acts) > 10, what="there is room still")
                    seen = len(run.acts)
                    assert (await run.busy[0].account(run.members[0])).status == 200
                    await until(lambda: len(run.acts) > seen + 10)
                    ballast.unlink()
                    await run.goes_on()
                run.going = False
            await is_right(cluster)
            assert run.worst < stretched(ANSWER)
            await cluster.postgres.stop()


@full
@needs_root
async def test_f09_no_room_for_the_log_of_changes(tmp_path: Path):
    """Postgres itself gives up (PANIC): 503 in time; with room again, and Postgres, nothing accepted is missing."""
    async with start_cluster(tmp_path) as cluster:
        postgres = cluster.postgres
        with disk(postgres.home / "disk", postgres.data, megabytes=64) as room:
            async with moved(cluster):
                await _move_log(postgres, room)
            async with load(cluster, clients=3) as run:
                await run.goes_on()
                with cluster.fault():
                    ballast = fill(room)
                    with suppress(Exception):  # it is what makes Postgres fall over
                        await postgres.run(
                            "create table heap as select repeat('x', 999) from generate_series(1, 99999)"
                        )
                    await until(lambda: "PANIC" in postgres.log(), what="Postgres does not mind")
                    await until(lambda: sum(act.status == 503 for act in run.acts) > 10)
                    ballast.unlink()
                    await postgres.restart("kill")
                    await until(lambda: run.acts[-1].status != 503, seconds=stretched(BACK))
                    await run.goes_on()
                run.going = False
            await is_right(cluster)
            assert run.worst < stretched(ANSWER)
            await postgres.stop()


async def _move_log(postgres: PostgresServer, room: Path) -> None:
    await postgres.stop("fast")
    log = postgres.data / "pg_wal"
    await asyncio.to_thread(subprocess.run, ["cp", "-a", f"{log}/.", room / "wal"], check=True)
    shutil.rmtree(log)
    log.symlink_to(room / "wal")
    await postgres.start(min_wal_size="32MB", max_wal_size="32MB", wal_keep_size="0")
