"""A request's time: it counts from when the body is there, and leaves out what the request hashes itself."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from service.api.deadlines import ANSWER, Deadline


@dataclass
class Asked:
    """All that a deadline looks at of a request."""

    content: Any


async def hang(content: Any, pardon: float = 0.0) -> float:
    """A handler that never ends: after how many seconds its deadline ended it."""
    loop = asyncio.get_running_loop()
    began, deadline = loop.time(), Deadline(Asked(content), lambda _: pardon)
    try:
        await loop.create_future()
    except asyncio.CancelledError:
        assert deadline.is_ours()
    finally:
        deadline.end()
    return loop.time() - began


async def test_nothing_takes_longer_than_promised():
    """4.5 s for the answer, more only for a body that comes late and for hashes, which are work."""
    loop = asyncio.get_running_loop()
    late = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    loop.call_later(1, late.feed_eof)
    plain, hashing, slow = await asyncio.gather(hang(EMPTY_PAYLOAD), hang(EMPTY_PAYLOAD, 0.5), hang(late))
    assert plain >= ANSWER
    assert hashing >= ANSWER + 0.5
    assert slow >= ANSWER + 1
    assert max(plain, hashing, slow) < 2 * ANSWER


async def test_who_is_cancelled_by_somebody_else_is_cancelled():
    """A process that stops ends its requests, and no deadline makes answers of that."""
    task = asyncio.create_task(hang(EMPTY_PAYLOAD))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(AssertionError):
        await task
