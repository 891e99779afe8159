"""How many mails one server is given at a time: fewer once it has said that these are too many."""

import asyncio
from collections import deque

# Seconds after which one more is tried. Each trial may cost a 421, so it is not done often.
GROWTH = 60.0


class ConcurrencyLimit:
    """Places for mails in hand, first come first served; `limit` moves between 1 and `most`."""

    def __init__(self, most: int) -> None:
        self.most = self.limit = most
        self.busy = 0
        self._changed_at = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        """Wait for a place; every one taken is to be given back."""
        loop = asyncio.get_running_loop()
        if self.limit < self.most and loop.time() > self._changed_at + GROWTH:
            self._set(self.limit + 1, loop.time())
        if self.busy < self.limit and not self._waiting:
            self.busy += 1
            return
        place = loop.create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():
                self.release()
            raise

    def release(self) -> None:
        self.busy -= 1
        self._wake()

    def shrink(self, limit: int, now: float) -> None:
        """No more than so many, but one, for the next while."""
        self._set(max(1, min(limit, self.most)), now)

    def _set(self, limit: int, now: float) -> None:
        self.limit, self._changed_at = limit, now
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self.busy < self.limit:
            place = self._waiting.popleft()
            if not place.done():
                self.busy += 1
                place.set_result(None)
