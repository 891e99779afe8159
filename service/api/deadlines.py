"""Every request is answered in time: 503 where Postgres or anything else keeps it waiting (reliability.md P3, B9)."""

import asyncio

from aiohttp import web

# Seconds for an answer once the body is there, and for the body itself, whose own limit is shorter (bodies.py).
# A client is promised an answer within five seconds of any fault.
ANSWER, BODY = 4.5, 12.0


class Deadline:
    """Counts from when the whole body has come. Timers of the loop: asyncio.timeout costs three times as much."""

    __slots__ = ("_loop", "_task", "_timer", "passed")

    def __init__(self, request: web.Request) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self.passed = False
        if request.content.is_eof():
            self._timer = self._loop.call_later(ANSWER, self._pass)
        else:
            self._timer = self._loop.call_later(BODY + ANSWER, self._pass)
            request.content.on_eof(self._body_came)

    def _body_came(self) -> None:
        if not self._timer.cancelled():
            self._timer.cancel()
            self._timer = self._loop.call_later(ANSWER, self._pass)

    def _pass(self) -> None:
        self.passed = True
        if self._task is not None:
            self._task.cancel()

    def is_ours(self) -> bool:
        """Whether a cancel that has arrived was this deadline's, and nobody else's."""
        return self.passed and self._task is not None and self._task.uncancel() == 0

    def end(self) -> None:
        self._timer.cancel()
