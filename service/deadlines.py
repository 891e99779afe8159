"""The deadline of a request, known to everything that it waits for: hashes, Postgres, Redis.

There is one deadline for all of them together. Work that can't be done within it isn't begun, and running work is
cancelled; only a COMMIT is neither torn nor left without a moment for its answer.
"""

import asyncio
import math
from contextvars import ContextVar

# Seconds by which a response may be late because something of it is being, or was, committed.
GRACE = 0.4


class Deadline:
    """Deadline that cancels the task that made it. A timer of the loop: asyncio.timeout costs three times as much."""

    __slots__ = ("_loop", "_task", "_timer", "_token", "commits", "passed", "until")

    def __init__(self, until: float) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self.until, self.passed, self.commits = until, False, False
        self._timer = self._loop.call_at(until, self._pass)
        self._token = _CURRENT.set(self)

    def move(self, until: float) -> None:
        """Move the deadline to another time of the loop, unless it has passed or is of no more use."""
        if not self._timer.cancelled() and not self.passed:
            self._timer.cancel()
            self.until = until
            self._timer = self._loop.call_at(until, self._pass)

    def _pass(self) -> None:
        late = self.until + GRACE
        if self.commits and self._loop.time() < late:
            self._timer = self._loop.call_at(late, self._pass)
        elif self._task is not None:
            self.passed = True
            self._task.cancel()

    def is_ours(self) -> bool:
        """Tell whether an arrived cancel came from this deadline."""
        return self.passed and self._task is not None and self._task.uncancel() == 0

    def end(self) -> None:
        self._timer.cancel()
        _CURRENT.reset(self._token)


_CURRENT: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def seconds_left() -> float:
    """Return the seconds left; infinite outside a request."""
    deadline = _CURRENT.get()
    return math.inf if deadline is None else deadline.until - asyncio.get_running_loop().time()


def mark_committing() -> None:
    """Extend the deadline before a COMMIT, whose answer is worth a moment more."""
    if (deadline := _CURRENT.get()) is not None:
        deadline.commits = True
