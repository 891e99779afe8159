"""Postgres goes away and comes back (F01-F03): nobody starts anything again, nothing accepted is lost."""

import time
from pathlib import Path

import aiohttp
import pytest

from testkit.cluster import House, Seat, house
from testkit.full import rarely
from testkit.history import gather
from testkit.invariants import breaches
from testkit.load import load
from testkit.patience import stretched
from testkit.proxy import Way
from testkit.waiting import until

# Seconds. The promise is 3 after a restart and 5 otherwise; tests do three times as long on a busy machine.
BACK, ANSWER = 9.0, 6.5


async def is_right(whole: House) -> None:
    """Everything ends, and the history of the run breaks no invariant."""
    await whole.all_ended()
    assert breaches(await gather(whole)) == []


async def ready(seat: Seat) -> int:
    """The status of its health port, 0 while nobody listens there."""
    try:
        async with aiohttp.ClientSession() as client, client.get(f"{seat.health}/ready") as answer:
            return answer.status
    except aiohttp.ClientError:
        return 0


async def test_f01_api_and_worker_start_before_postgres(tmp_path: Path):
    """Both wait: the API answers 503 and says that it is not ready; when Postgres is there both work, unaided."""
    async with house(tmp_path) as whole:
        client = whole.client()
        ann = await client.sign_up("ann")
        api, worker = whole.apis[0], whole.workers[0]
        with whole.fault():
            await api.stop()
            await worker.stop()
            await whole.postgres.stop("fast")
            await api.launch()
            await worker.launch()
            await until(lambda: _is(api, 503), what="the health port does not answer")
            act, _, _ = await client.call("recovery", "POST", "/v1/account/recovery", {"email": ann.email})
            assert (act.status, act.seconds < stretched(ANSWER)) == (503, True)
            await whole.postgres.start()
            await until(lambda: _is(api, 200), seconds=stretched(BACK))
            token = await client.recover(ann.email, user=ann.user)
        assert await client.use_recovery(ann, token)
        assert api.running, "nobody had to start it again"
        assert worker.running, "nobody had to start it again"
        await is_right(whole)


async def _is(seat: Seat, status: int) -> bool:
    return await ready(seat) == status


@pytest.mark.parametrize("how", ["immediate", rarely("fast"), rarely("kill")])
async def test_f02_postgres_restarts_under_load(tmp_path: Path, how: str):
    """Each request gets its answer within 5 s, the first success comes within 3 s, what was accepted arrives."""
    async with house(tmp_path, apis=2, workers=2) as whole, load(whole) as run:
        await run.goes_on()
        for _ in range(2):
            with whole.fault():
                await whole.postgres.restart(how)
                await run.succeeds(time.monotonic(), seconds=stretched(BACK))
            await run.goes_on()
        run.going = False
        await is_right(whole)
        assert run.worst < stretched(ANSWER)


@pytest.mark.parametrize("cut", [("down", False), rarely(("up", True)), rarely(("up", False))], ids=str)
async def test_f03_commits_are_cut_off_under_load(tmp_path: Path, cut: tuple[Way, bool]):
    """A connection after the other ends during COMMIT, the API's and the worker's: the history is as if none had."""
    async with house(tmp_path) as whole, load(whole, clients=3) as run:
        with whole.fault():
            for _ in range(20):
                whole.db.cut_at(b"COMMIT", way=cut[0], arrives=cut[1])
                await until(lambda: not whole.db.cues, what="nobody commits")
            await run.goes_on()
        run.going = False
        await is_right(whole)
        assert run.worst < stretched(ANSWER)
