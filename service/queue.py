"""Job queue in Redis: after COMMIT a worker gets a row's id. A lost job delays the row; the poller finds it."""

import asyncio
import time
from typing import Any
from uuid import UUID

import orjson
from arq.connections import ArqRedis
from redis.asyncio import Connection, ConnectionPool
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from service import failpoints, outages, redis_errors, redis_sentinel, sentinel_url
from service.outages import Outage

QUEUE = "accounts:jobs"
# These names stay for ever: arq throws away a job whose function a worker does not know.
SEND_MAIL, SEND_SMS, RECORD_LOG = "send_mail", "send_sms", "record_log"
# No request waits longer than this for Redis; one that hangs is not asked for a moment.
_PATIENCE, _REST = 0.05, 1.0
# Seconds after which an idle connection is checked before use.
_CHECKED = 15


def serialize(job: dict[str, Any]) -> bytes:
    """Serialize as JSON instead of arq's pickle: a client that can write to Redis must not run code here."""
    return orjson.dumps(job, default=lambda value: type(value).__name__)


def deserialize(raw: bytes) -> dict[str, Any]:
    """Parse a job with arq's fields and nothing but this service's: one of three names, one UUID."""
    job = orjson.loads(raw)
    match job:
        case {"f": ("send_mail" | "send_sms" | "record_log"), "a": [str(ident)], "k": {}} if len(raw) <= 512:
            UUID(ident)
            return {"t": job.get("t"), "f": job["f"], "a": [ident], "k": {}, "et": job.get("et", 0)}
    raise ValueError("not a job of ours")


class _Pipeline(Pipeline):
    """Fix of redis-py 5, which loses a watching pipeline's connection if a cancel or a hung Redis meets its reset."""

    async def reset(self) -> None:
        """Give the connection back once and for sure: one that can't be unwatched is closed first."""
        connection, watching = self.connection, self.watching
        self.connection, self.watching, self.explicit_transaction = None, False, False
        self.command_stack, self.scripts = [], set()
        if connection is None:
            return
        try:
            if watching:
                await connection.send_command("UNWATCH")
                await connection.read_response()
        except BaseException as error:
            await connection.disconnect(nowait=True)
            if not isinstance(error, RedisConnectionError):
                raise
        finally:
            await self.connection_pool.release(connection)


class _Redis(ArqRedis):
    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return _Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


async def _greet(connection: Connection) -> None:
    """Connect as redis-py does, without a PING: a Redis that wants a password refuses it, which begins all anew."""
    connection.next_health_check = asyncio.get_running_loop().time() + _CHECKED
    await connection.on_connect()


def connect(url: str, *, timeout: float = 1.0) -> ArqRedis:
    """Make a pool of its own with time limits: arq's default waits for ever on a Redis that hangs."""
    # A local socket has no keep-alive, and redis-py's class for it refuses the argument.
    network = {} if url.lower().startswith("unix:") else {"socket_keepalive": True}
    make_pool = redis_sentinel.pool if sentinel_url.is_sentinel(url) else ConnectionPool.from_url
    pool = make_pool(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        health_check_interval=_CHECKED,
        redis_connect_func=_greet,
        **network,
        retry=Retry(NoBackoff(), 1),
        retry_on_error=[ConnectionError, OSError],
    )
    return _Redis(pool, job_serializer=serialize, job_deserializer=deserialize, default_queue_name=QUEUE)


class JobQueue:
    """Enqueues jobs for committed rows. Never raises: the poller finds a row whose job was not enqueued."""

    def __init__(self, redis: ArqRedis, outage: Outage | None = None) -> None:
        """Create a queue. Clients of Redis in one process share an `outage`, so that the log has one line."""
        self._redis = redis
        self._outage = outage or outages.of_redis("")
        self._rest_until = 0.0
        self.failed_enqueues = 0

    async def enqueue(self, function: str, *row_ids: UUID) -> None:
        """Enqueue one job a row, under the row's own id so that a second call adds none."""
        if time.monotonic() < self._rest_until:
            self.failed_enqueues += len(row_ids)
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                if failpoints.armed:
                    await failpoints.reach("redis.enqueue.before")
                for row_id in row_ids:
                    await self._redis.enqueue_job(function, str(row_id), _job_id=str(row_id))
                if failpoints.armed:
                    await failpoints.reach("redis.enqueue.after")
        except Exception as error:  # noqa: BLE001 - the rows are committed: an error of Redis does not change the response
            self.failed_enqueues += len(row_ids)
            if isinstance(error, TimeoutError):
                self._rest_until = time.monotonic() + _REST
            self._outage.record_failure(redis_errors.fault(error))
        else:
            if self._outage.ongoing:
                self._outage.record_success()
