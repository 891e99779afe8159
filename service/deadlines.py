"""The deadline of a request, known to everything that it waits for: hashes, Postgres, Redis.

There is one deadline for all of them together. Work that can't be done within it isn't begun, and running work is
cancelled; only a COMMIT is neither torn nor left without a moment for its answer.
"""

import asyncio
import math
from contextvars import ContextVar

# Seconds by which a response may be late because something of it is being, or was, committed.
GRACE = 0.4
# The loop's timers are exact to a millisecond, and no deadline passes early.
_ROUNDING = 0.001


class _Timer:
    """The one timer of a loop for all deadlines that run in it.

    A request sets and cancels nothing: nearly every deadline is later than the one that the timer waits for, and has
    ended by then.
    """

    __slots__ = ("_at", "_handle", "loop", "running")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.running: set[Deadline] = set()
        self._at = math.inf
        self._handle: asyncio.TimerHandle | None = None

    def wake_by(self, at: float) -> None:
        if at < self._at:
            if self._handle is not None:
                self._handle.cancel()
            self._at, self._handle = at, self.loop.call_at(at + _ROUNDING, self._wake)

    def _wake(self) -> None:
        self._at, self._handle = math.inf, None
        now = self.loop.time()
        for deadline in [each for each in self.running if each.due <= now]:
            deadline.pass_by(now)
        if self.running:
            self.wake_by(min(each.due for each in self.running))


_timer: _Timer | None = None


def _timer_of(loop: asyncio.AbstractEventLoop) -> _Timer:
    """Return the timer of a loop; a process has one loop, and only tests have several, one after the other."""
    global _timer  # noqa: PLW0603 - a dictionary by loop would cost each request more
    if _timer is None or _timer.loop is not loop:
        _timer = _Timer(loop)
    return _timer


class Deadline:
    """Deadline that cancels the task that made it."""

    __slots__ = ("_task", "_timer", "_token", "commits", "due", "passed", "until")

    def __init__(self, until: float, loop: asyncio.AbstractEventLoop) -> None:
        self._task = asyncio.current_task(loop)
        self.until, self.passed, self.commits = until, False, False
        # When the timer has to look at it; later than `until` while a COMMIT is under way.
        self.due = until
        self._timer = _timer_of(loop)
        self._timer.running.add(self)
        self._timer.wake_by(until)
        self._token = _CURRENT.set(self)

    def move(self, until: float) -> None:
        """Move the deadline to another time of the loop, unless it has passed or is of no more use."""
        if self in self._timer.running:
            self.until = self.due = until
            self._timer.wake_by(until)

    def pass_by(self, now: float) -> None:
        late = self.until + GRACE
        if self.commits and now < late:
            self.due = late
            return
        self._timer.running.discard(self)
        if self._task is not None:
            self.passed = True
            self._task.cancel()

    def is_ours(self) -> bool:
        """Tell whether an arrived cancel came from this deadline."""
        return self.passed and self._task is not None and self._task.uncancel() == 0

    def end(self) -> None:
        self._timer.running.discard(self)
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
