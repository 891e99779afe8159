"""Patience with Redis ends when it says, whatever the client library does with a cancellation."""

import asyncio
import contextlib

import pytest

from service import redis_patience


async def test_a_lost_cancellation_is_repeated():
    """asyncio.wait_for of Python 3.11 loses one that comes just when its call ends, and the client sends with it."""

    async def answerless() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async with asyncio.timeout(20) as guard:
        with pytest.raises(TimeoutError):
            await redis_patience.within(0.05, answerless())
    assert not guard.expired()
