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
        if not calling.done():
            calling.cancel()
            await asyncio.wait({calling})
    if calling.cancelled():
        raise TimeoutError
    return calling.result()
