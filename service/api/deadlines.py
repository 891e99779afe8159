"""Every request is answered in time: 503 where Postgres or anything else keeps it waiting (reliability.md P3, B9)."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web

# Seconds for an answer once the body is there, and for the body itself, whose own limit is shorter (bodies.py).
# A client is promised an answer within five seconds of any fault.
ANSWER, BODY = 4.5, 12.0


class Deadline:
    """Counts from when the whole body has come. Timers of the loop: asyncio.timeout costs three times as much.

    `pardoned` are the seconds of a task that don't count: a hash can't be stopped, and is work and no wait.
    """

    __slots__ = ("_loop", "_pardoned", "_since", "_task", "_timer", "passed")

    def __init__(self, request: web.Request, pardoned: Callable[["asyncio.Task[Any]"], float]) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._pardoned = pardoned
        self.passed = False
        self._since = self._loop.time()
        if not request.content.is_eof():
            self._since += BODY
            request.content.on_eof(self._body_came)
        self._timer = self._loop.call_at(self._since + ANSWER, self._pass)

    def _body_came(self) -> None:
        if not self._timer.cancelled():
            self._timer.cancel()
            self._since = self._loop.time()
            self._timer = self._loop.call_at(self._since + ANSWER, self._pass)

    def _pass(self) -> None:
        if self._task is None:
            return
        until = self._since + ANSWER + self._pardoned(self._task)
        if until > self._loop.time() + 0.01:
            self._timer = self._loop.call_at(until, self._pass)
        else:
            self.passed = True
            self._task.cancel()

    def is_ours(self) -> bool:
        """Whether a cancel that has arrived was this deadline's, and nobody else's."""
        return self.passed and self._task is not None and self._task.uncancel() == 0

    def end(self) -> None:
        self._timer.cancel()
