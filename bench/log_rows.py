"""Rows of the security log that one worker writes in a second."""

import asyncio
import time

from bench.ground import AGENT, PROJECT, Ground
from bench.programs import Program
from bench.rounds import Tally, busy
from bench.table import Row
from service import ids
from service.queue import JobQueue, connect
from service.store import events
from service.store.events import Actor, Event
from service.store.unit_of_work import unit_of_work

GOAL = 2_400.0
_BY = Actor("127.0.0.1", AGENT)


async def measure(ground: Ground, user_id: str, *, worker: Program, count: int, rounds: int) -> list[Row]:
    """Have so many events filed in each round; a first one is not counted."""
    redis = connect(ground.settings.redis_url.get_secret_value())
    job_queue = JobQueue(redis)
    tallies = [await _file(ground, user_id, job_queue, worker, count) for _ in range(rounds + 1)][1:]
    await redis.aclose(close_connection_pool=True)
    return [Row("rows of the security log, one worker", tuple(t.rate for t in tallies), "row/s", GOAL, busy(tallies))]


async def _file(ground: Ground, user_id: str, job_queue: JobQueue, worker: Program, count: int) -> Tally:
    """Write events that wait for their user; then tell it, which makes all ready at once and enqueues their job."""
    token_id = ids.new()
    async with unit_of_work(ground.pool, None) as tx:
        for _ in range(count):
            await events.record(tx, PROJECT, event=Event.SESSION_CREATE, user_id=None, by=_BY, token_id=token_id)
    used = worker.cpu()
    async with unit_of_work(ground.pool, job_queue) as tx:
        await events.assign_user(tx, PROJECT, token_id=token_id, user_id=user_id)
    began = time.perf_counter()
    while await events.lag(ground.pool):  # noqa: ASYNC110 - another process files them
        await asyncio.sleep(0.002)
    return Tally(count, time.perf_counter() - began, worker.cpu() - used)
