"""Wait for a cancelled task, or for an event with a deadline."""

import asyncio
from typing import Any


async def cancel_and_wait(task: asyncio.Task[Any]) -> None:
    """Cancel a task until it has ended: Python 3.11's wait_for, in redis-py, loses a cancel that meets an answer."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=2)


async def wait_until(event: asyncio.Event, *, until: float) -> None:
    """Wait for the event, at most until that time of the loop."""
    try:
        async with asyncio.timeout_at(until):
            await event.wait()
    except TimeoutError:
        pass
