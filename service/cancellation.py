"""Cancellation of tasks, in the API and in workers."""

import asyncio
from typing import Any


async def cancel_and_wait(task: asyncio.Task[Any]) -> None:
    """Cancel a task until it has ended: Python 3.11's wait_for, in redis-py, loses a cancel that meets an answer."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=2)
