"""What somebody else wrote under our keys in Redis is thrown away: the rows know what is left to do."""

import logging

from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix, retry_key_prefix

from service.queue import QUEUE

log = logging.getLogger(__name__)
_BATCH = 500
_PREFIXES = (job_key_prefix, in_progress_key_prefix, retry_key_prefix)


async def repair_queue(redis: ArqRedis) -> int:
    """How many keys and members were not what arq takes them for; they are gone. Raises what Redis raises."""
    if await redis.type(QUEUE) not in (b"zset", b"none"):
        await redis.delete(QUEUE)
        log.warning("the queue was no queue, and is thrown away")
        return 1
    mended, seen = 0, 0
    while members := await redis.zrange(QUEUE, seen, seen + _BATCH - 1):
        bad = [member for member in members if not await _is_sound(redis, member)]
        if bad:
            await redis.zrem(QUEUE, *bad)
        seen += len(members) - len(bad)
        mended += len(bad)
    if mended:
        log.warning("jobs that were none are thrown away", extra={"count": mended})
    return mended


async def _is_sound(redis: ArqRedis, member: bytes) -> bool:
    """Whether arq can read the job's name and its keys; those of another kind are deleted."""
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
