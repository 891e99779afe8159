"""Patience with Redis: its own time counts, and no lag of this process."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")
_STEPS = 10


async def within(seconds: float, call: Coroutine[Any, Any, Result]) -> Result:
    """Wait for a call to Redis. Raises TimeoutError if Redis is slow, not if this process is.

    The time is waited in steps. A lag of our own event loop, however long, uses up one of them.
    """
    calling = asyncio.ensure_future(call)
    try:
        for _ in range(_STEPS):
            await asyncio.wait({calling}, timeout=seconds / _STEPS)
            if calling.done():
                break
        else:
            raise TimeoutError
    finally:
        # Again and again: asyncio.wait_for of Python 3.11, by which the client sends, loses a cancellation that comes
        # just when its call ends, and then the client would wait for the answer as long as its socket's timeout.
        while not calling.done():
            calling.cancel()
            await asyncio.wait({calling}, timeout=seconds / _STEPS)
    if calling.cancelled():
        raise TimeoutError
    return calling.result()
