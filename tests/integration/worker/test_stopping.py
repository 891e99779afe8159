"""A worker that is told to stop stops, whatever becomes of a cancel on its way."""

import asyncio

from arq.worker import Worker
from redis.asyncio import Redis

from service import outages
from service.db import Pool
from service.queue import JobQueue, connect
from service.settings import Settings
from testkit.patience import PATIENCE
from tests.integration.worker.conftest import staffed
from worker.queue_consumer import QueueConsumer
from worker.relays import RelayPool, SmtpUrl
from worker.security_log import SecurityLogWriter
from worker.sms.delivery import SmsDelivery


class Deafened(QueueConsumer):
    """The first cancel is lost, as Python 3.11's wait_for loses one that comes just as what it waits for is there."""

    def _worker(self) -> Worker:
        worker, listen = super()._worker(), Worker.main

        async def main() -> None:
            try:
                await listen(worker)
            except asyncio.CancelledError:
                await listen(worker)

        worker.main = main
        return worker


async def test_a_lost_cancel_does_not_keep_a_worker(pool: Pool, settings: Settings, redis: Redis, redis_url: str):
    """The listener ends within its time although redis-py has swallowed the word to end."""
    own, stop = connect(redis_url), asyncio.Event()
    relay = RelayPool(SmtpUrl("127.0.0.1", 1, tls="none"), connections=1)
    delivery = staffed(pool, relay, JobQueue(own), settings, "one")
    outage = outages.of_redis(redis_url)
    sms_delivery = SmsDelivery(pool, None, settings.key_ring, "one", delivery.slots, delivery.recorder.metrics)
    consumer = Deafened(redis_url, delivery, sms_delivery, SecurityLogWriter(pool), jobs=1, name="test", outage=outage)
    listening = asyncio.create_task(consumer.run(stop))
    async with asyncio.timeout(PATIENCE):
        while not await redis.keys("*health*"):  # noqa: ASYNC110 - Redis's own keys can't be awaited
            await asyncio.sleep(0.02)
    stop.set()
    try:
        await asyncio.wait_for(asyncio.shield(listening), PATIENCE)
    finally:
        listening.cancel()
        await asyncio.wait({listening}, timeout=5)
        await relay.close()
        await own.aclose(close_connection_pool=True)
