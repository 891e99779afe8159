"""Job queue in Redis: after COMMIT a worker gets a row's project and id. The poller finds a row whose job was lost."""

import asyncio
import hashlib
import re
import time
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from arq.connections import ArqRedis
from arq.jobs import serialize_job
from arq.utils import timestamp_ms
from redis.asyncio import Connection, ConnectionPool
from redis.asyncio.client import Pipeline
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import HiredisRespSerializer
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError

from service import failpoints, outages, redis_errors, redis_patience, redis_sentinel, sentinel_url
from service.committed import Committed
from service.outages import Outage
from service.redis_exchange import exchange

QUEUE = "accounts:jobs"
_SCRIPT = Path(__file__).with_suffix(".lua").read_text()
_SHA = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()
# These names stay for ever: arq throws away a job whose function a worker does not know.
SEND_MAIL, SEND_SMS, RECORD_LOG = "send_mail", "send_sms", "record_log"
# Jobs of which one is enough for many rows, since it finds all of them, and the ids that such a job may have.
_WAKE_UPS, _IDS = frozenset({SEND_MAIL, RECORD_LOG}), 8
# A Redis that takes longer than this for a round is not asked for a moment. No request waits for it.
_PATIENCE, _REST = 0.25, 1.0
# Between two rounds. The first job after a while goes at once; under load one message carries those of many requests.
_PAUSE = 0.005
_HIREDIS = HiredisRespSerializer()
# Jobs that wait for their round at a time; rows beyond are left to the poller.
_MOST = 10_000
# What a project's id is made of, by its table's constraint.
_PROJECT_ID = re.compile(r"[a-zA-Z0-9._-]{1,36}")
# Seconds for a new connection, and after which an idle one is checked before use.
_CONNECT, _CHECKED = 1.0, 15
# A key of no use but to be written.
_PROBE = "accounts:probe"


def serialize(job: dict[str, Any]) -> bytes:
    """Serialize as JSON instead of arq's pickle: a client that can write to Redis must not run code here.

    The project stands beside the arguments, where workers of the release before, which know jobs by ids only, pass it
    over: they refuse a job of two arguments.
    """
    match job:
        case {"a": (row_id, project_id)}:
            job = job | {"a": [row_id], "p": project_id}
    return orjson.dumps(job, default=lambda value: type(value).__name__)


def deserialize(raw: bytes) -> dict[str, Any]:
    """Parse a job with arq's fields and nothing but this service's: one of three names, one UUID, one project.

    Of a job that a process of the release before has written, and of one for rows of several projects, that is "".
    """
    job = orjson.loads(raw)
    match job:
        case {"f": ("send_mail" | "send_sms" | "record_log"), "a": [str(row_id)], "k": {}} if len(raw) <= 512:
            UUID(row_id)
            project_id = job.get("p", "")
            if project_id == "" or (isinstance(project_id, str) and _PROJECT_ID.fullmatch(project_id)):
                return {"t": job.get("t"), "f": job["f"], "a": [row_id, project_id], "k": {}, "et": job.get("et", 0)}
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


class _Packing(AbstractConnection):
    """Packs commands by hiredis, as redis-py does where it is not asynchronous: a quarter of the cost."""

    def pack_command(self, *args: Any) -> list[bytes]:
        packed: list[bytes] = _HIREDIS.pack(*args)
        return packed


async def _greet(connection: Connection) -> None:
    """Connect as redis-py does, without a PING: a Redis that wants a password refuses it, which begins all anew."""
    connection.next_health_check = asyncio.get_running_loop().time() + _CHECKED
    await connection.on_connect()


def connect(url: str, *, timeout: float | None = _CONNECT) -> ArqRedis:
    """Make a pool of its own with time limits: arq's default waits for ever on a Redis that hangs.

    None is for callers that bound each call themselves: redis-py bounds a call by a task and a timer of its own.
    """
    # A local socket has no keep-alive, and redis-py's class for it refuses the argument.
    network = {} if url.lower().startswith("unix:") else {"socket_keepalive": True}
    make_pool = redis_sentinel.pool if sentinel_url.is_sentinel(url) else ConnectionPool.from_url
    pool = make_pool(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout or _CONNECT,
        health_check_interval=_CHECKED,
        redis_connect_func=_greet,
        **network,
        retry=Retry(NoBackoff(), 1),
        retry_on_error=[ConnectionError, OSError],
    )
    pool.connection_class = type("Packing", (_Packing, pool.connection_class), {})
    return _Redis(pool, job_serializer=serialize, job_deserializer=deserialize, default_queue_name=QUEUE)


async def probe(redis: ArqRedis) -> None:
    """Write a key. Raises redis-py's error; a replica or a full Redis would answer PING, and takes nothing."""
    await redis.set(_PROBE, "", px=1)


@dataclass(slots=True)
class _Job:
    """A job of the next round, for `rows` rows; `ids` is how many ids it may have (queue.lua)."""

    function: str
    row_id: UUID
    project_id: str
    ids: int
    rows: int = 0


class JobQueue:
    """Enqueues jobs for committed rows, all that wait in one call, beside the requests that wrote them.

    Never raises, and nobody waits for it: the poller finds a row whose job was not enqueued.
    """

    def __init__(
        self,
        redis: ArqRedis,
        outage: Outage | None = None,
        on_commit: Callable[[Committed], None] = lambda _work: None,
    ) -> None:
        """Create a queue. Clients of Redis in one process share an `outage`, so that the log has one line.

        `on_commit` counts what was committed.
        """
        self.on_commit = on_commit
        self._redis = redis
        self._outage = outage or outages.of_redis("")
        self._waiting: dict[str, _Job] = {}
        self._rounds: asyncio.Task[None] | None = None
        self._rest_until = 0.0
        # Rows since the start whose job Redis has, and has not.
        self.enqueued = self.failed_enqueues = 0

    def enqueue(self, function: str, *row_ids: UUID, project_id: str = "") -> None:
        """Enqueue jobs for rows with the next round: one a row under its own id, or one that wakes for all of them.

        No project if they are of several: the worker looks it up.
        """
        if time.monotonic() < self._rest_until:
            self.failed_enqueues += len(row_ids)
            return
        for row_id in row_ids:
            wakes = function in _WAKE_UPS
            job_id = function if wakes else str(row_id)
            if len(self._waiting) >= _MOST and job_id not in self._waiting:
                self.failed_enqueues += 1
                continue
            self._waiting.setdefault(job_id, _Job(function, row_id, project_id, _IDS if wakes else 1)).rows += 1
        if self._waiting and (self._rounds is None or self._rounds.done()):
            # Not in the context of this request: it serves others too.
            self._rounds = asyncio.create_task(self._run_rounds(), context=Context())

    async def drain(self) -> None:
        """Wait until every job was enqueued or given up, before Redis is left."""
        if self._rounds is not None:
            await asyncio.wait({self._rounds})

    async def _run_rounds(self) -> None:
        while self._waiting:
            jobs, self._waiting = self._waiting, {}
            await self._run_round(jobs)
            await asyncio.sleep(_PAUSE)

    async def _run_round(self, jobs: dict[str, _Job]) -> None:
        rows = sum(job.rows for job in jobs.values())
        try:
            if failpoints.armed:
                await failpoints.reach("redis.enqueue.before")
            await redis_patience.within(_PATIENCE, self._write(jobs))
            if failpoints.armed:
                await failpoints.reach("redis.enqueue.after")
        except Exception as error:  # noqa: BLE001 - the rows are committed: an error of Redis changes nothing for them
            self.failed_enqueues += rows
            if isinstance(error, TimeoutError):
                self._rest_until = time.monotonic() + _REST
            self._outage.record_failure(redis_errors.fault(error))
        else:
            self.enqueued += rows
            if self._outage.ongoing:
                self._outage.record_success()

    async def _write(self, jobs: dict[str, _Job]) -> None:
        """Write jobs as arq's enqueue_job does, in one round trip instead of four each."""
        arguments: list[str | int | bytes] = [1, self._redis.default_queue_name, self._redis.expires_extra_ms]
        for job_id, job in jobs.items():
            named = (str(job.row_id), job.project_id)
            raw = serialize_job(job.function, named, {}, None, timestamp_ms(), serializer=serialize)
            arguments += (job.ids, job_id, raw)
        (answer,) = await exchange(self._redis, [("EVALSHA", _SHA, *arguments)])
        if isinstance(answer, NoScriptError):
            (answer,) = await exchange(self._redis, [("EVAL", _SCRIPT, *arguments)])
        if isinstance(answer, Exception):
            raise answer
