"""Repair the arq queue: delete what others wrote under its keys. No mail is lost, since the rows are the record."""

import logging

from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix, retry_key_prefix

from service.queue import QUEUE

log = logging.getLogger(__name__)
_BATCH = 500
_PREFIXES = (job_key_prefix, in_progress_key_prefix, retry_key_prefix)


async def repair_queue(redis: ArqRedis) -> int:
    """Delete keys and members that arq can't read; return their number. Raises redis-py's errors."""
    if await redis.type(QUEUE) not in (b"zset", b"none"):
        await redis.delete(QUEUE)
        log.warning(
            "The key of the queue held something else; the worker deleted it", extra={"event": "queue.key_deleted"}
        )
        return 1
    repaired, seen = 0, 0
    while members := await redis.zrange(QUEUE, seen, seen + _BATCH - 1):
        bad = [member for member in members if not await _is_readable(redis, member)]
        if bad:
            await redis.zrem(QUEUE, *bad)
        seen += len(members) - len(bad)
        repaired += len(bad)
    if repaired:
        log.warning(
            "The queue held entries that are no jobs; the worker deleted them",
            extra={"event": "queue.entries_deleted", "count": repaired},
        )
    return repaired


async def _is_readable(redis: ArqRedis, member: bytes) -> bool:
    """Return whether arq can read the job's name and keys; delete keys of a wrong type."""
    try:
        name = member.decode()
    except UnicodeDecodeError:
        return False
    keys = [prefix + name for prefix in _PREFIXES]
    async with redis.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.type(key)
        kinds = await pipe.execute()
    wrong = [key for key, kind in zip(keys, kinds, strict=True) if kind not in (b"string", b"none")]
    if wrong:
        await redis.delete(*wrong)
    return not wrong
