"""Patience with Redis: its own time counts, and no lag of this process."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

Result = TypeVar("Result")
_STEPS = 10


async def within(seconds: float, call: Awaitable[Result]) -> Result:
    """Wait for a call to Redis. Raises TimeoutError if Redis is slow, not if this process is.

    The time is waited in steps. A lag of our own event loop, however long, uses up one of them.
    """
    patience = _Patience(seconds / _STEPS)
    try:
        return await call
    except asyncio.CancelledError:
        if patience.is_over():
            raise TimeoutError from None
        raise
    finally:
        patience.end()


class _Patience:
    """Cancels the task that made it after so many steps, by a timer: a task for the call would cost as much as that.

    Again and again: asyncio.wait_for of Python 3.11, by which the client may send, loses a cancellation that comes just
    when its call ends, and then the client would wait for the answer as long as its socket's timeout.
    """

    __slots__ = ("_cancelled", "_handle", "_left", "_loop", "_step", "_task")

    def __init__(self, step: float) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._step, self._left, self._cancelled = step, _STEPS, 0
        self._handle = self._loop.call_later(step, self._tick)

    def _tick(self) -> None:
        self._left -= 1
        if self._left <= 0 and self._task is not None:
            self._cancelled += 1
            self._task.cancel()
        self._handle = self._loop.call_later(self._step, self._tick)

    def is_over(self) -> bool:
        """Take back the cancellations; False if another one came too."""
        if self._task is None or not self._cancelled:
            return False
        for _ in range(self._cancelled):
            self._task.uncancel()
        return self._task.cancelling() == 0

    def end(self) -> None:
        self._handle.cancel()
