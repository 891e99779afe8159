"""Settings, name, connections and metrics of one worker, which all its parts share."""

from dataclasses import dataclass

from arq.connections import ArqRedis

from service.db import Pool
from service.outages import Peers
from service.queue import JobQueue, connect
from service.settings import Settings
from worker.metrics import Metrics
from worker.worker_name import WorkerName


@dataclass(frozen=True, slots=True)
class WorkerContext:
    settings: Settings
    identity: WorkerName
    peers: Peers
    pool: Pool
    redis: ArqRedis
    job_queue: JobQueue
    metrics: Metrics

    async def close(self) -> None:
        await self.redis.aclose(close_connection_pool=True)
        await self.pool.close()
        self.identity.release()


def open_context(settings: Settings, identity: WorkerName) -> WorkerContext:
    database_url, redis_url = settings.database_url.get_secret_value(), settings.redis_url.get_secret_value()
    peers = Peers(database_url, redis_url)
    pool = Pool(
        database_url, size=settings.database_connections, name="accounts-worker", patience=10, outage=peers.postgres
    )
    redis = connect(redis_url)
    return WorkerContext(settings, identity, peers, pool, redis, JobQueue(redis, peers.redis), Metrics())
