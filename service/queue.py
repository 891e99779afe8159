"""The doorbell: after COMMIT a worker is told an id. A lost ring delays and loses nothing (design.md 1)."""

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

from service import failpoints, outages, redis_errors
from service.outages import Outage

QUEUE = "accounts:jobs"
# These names stay for ever: arq throws away a job whose function a worker does not know.
SEND_MAIL, RECORD_LOG = "send_mail", "record_log"
# No request waits longer than this for Redis; one that hangs is left alone for a moment.
_PATIENCE, _REST = 0.05, 1.0
# Seconds after which a rested connection is asked whether it still stands.
_CHECKED = 15


def serialize(job: dict[str, Any]) -> bytes:
    """JSON instead of arq's pickle: whoever can write to Redis must not run code here."""
    return orjson.dumps(job, default=lambda value: type(value).__name__)


def deserialize(raw: bytes) -> dict[str, Any]:
    """What arq needs of a job, and nothing that is not ours: one of two names, one UUID."""
    job = orjson.loads(raw)
    match job:
        case {"f": ("send_mail" | "record_log"), "a": [str(ident)], "k": {}} if len(raw) <= 512:
            UUID(ident)
            return {"t": job.get("t"), "f": job["f"], "a": [ident], "k": {}, "et": job.get("et", 0)}
    raise ValueError("not a job of ours")


class _Pipeline(Pipeline):
    """redis-py 5 loses a watching pipeline's connection if a cancel or a hung Redis meets its farewell."""

    async def reset(self) -> None:
        """Gives the connection back once and for sure: what can't be unwatched is closed first."""
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
    """As redis-py does, without a PING between: a Redis that wants a password refuses it, which begins all anew."""
    connection.next_health_check = asyncio.get_running_loop().time() + _CHECKED
    await connection.on_connect()


def connect(url: str, *, timeout: float = 1.0) -> ArqRedis:
    """A pool of its own with time limits: arq's default waits for ever on a Redis that hangs."""
    # A local socket has no keep-alive, and redis-py's class for it refuses the word.
    network = {} if url.lower().startswith("unix:") else {"socket_keepalive": True}
    pool = ConnectionPool.from_url(
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
    """Rings for rows that were committed. Never raises: the sweep finds what was not rung for."""

    def __init__(self, redis: ArqRedis, outage: Outage | None = None) -> None:
        """Those of one process that ask Redis share an `outage`, so that the log is told once."""
        self._redis = redis
        self._outage = outage or outages.of_redis("")
        self._rest_until = 0.0
        self.failed_enqueues = 0

    async def enqueue(self, function: str, *row_ids: UUID) -> None:
        """One job a row, under the row's own id so that ringing twice queues once."""
        if time.monotonic() < self._rest_until:
            self.failed_enqueues += len(row_ids)
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                if failpoints.armed:
                    await failpoints.reach("redis.ring.before")
                for row_id in row_ids:
                    await self._redis.enqueue_job(function, str(row_id), _job_id=str(row_id))
                if failpoints.armed:
                    await failpoints.reach("redis.ring.after")
        except Exception as error:  # noqa: BLE001 - the act is committed: whatever the way to Redis does, its answer is true
            self.failed_enqueues += len(row_ids)
            if isinstance(error, TimeoutError):
                self._rest_until = time.monotonic() + _REST
            self._outage.record_failure(redis_errors.fault(error))
        else:
            if self._outage.ongoing:
                self._outage.record_success()
