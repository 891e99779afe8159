"""How many mails a minute: turns that are waited for before a mail is claimed, so that no lease runs meanwhile."""

import asyncio
from collections import deque

from worker.asyncio_tools import wait_until


class RateLimiter:
    """At most `most` turns in any span of `span` seconds; 0 is no limit."""

    def __init__(self, most: int, span: float = 60.0) -> None:
        self._most = most
        self._span = span
        self._taken: deque[float] = deque()
        self._queue = asyncio.Lock()
        self._given_back = asyncio.Event()

    async def acquire(self) -> float:
        """Wait for a turn, first come first served; the answer is what `give_back` wants."""
        loop = asyncio.get_running_loop()
        if not self._most:
            return loop.time()
        async with self._queue:
            while (wait := self._wait(loop.time())) > 0:
                self._given_back.clear()
                await wait_until(self._given_back, until=loop.time() + wait)
            turn = loop.time()
            self._taken.append(turn)
            return turn

    def release(self, turn: float) -> None:
        """Nothing was sent in that turn, so it is another's."""
        if turn in self._taken:
            self._taken.remove(turn)
            self._given_back.set()

    def _wait(self, now: float) -> float:
        """Seconds until the oldest of a full span is past."""
        while self._taken and self._taken[0] <= now - self._span:
            self._taken.popleft()
        return self._taken[0] + self._span - now if len(self._taken) >= self._most else 0.0
