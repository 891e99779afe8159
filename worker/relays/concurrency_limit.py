"""Mails at a time over one relay server, as many as it takes."""

import asyncio
from collections import deque

# Seconds after which the limit grows by one. Each trial may cost a 421, so it is not done often.
GROWTH = 60.0


class ConcurrencyLimit:
    """Semaphore whose `limit` adapts between 1 and `most`: fewer mails at a time after the server refused one more."""

    def __init__(self, most: int) -> None:
        self.most = self.limit = most
        self.busy = 0
        self._changed_at = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        """Wait for a slot, first come first served."""
        loop = asyncio.get_running_loop()
        if self.limit < self.most and loop.time() > self._changed_at + GROWTH:
            self._set(self.limit + 1, loop.time())
        if self.busy < self.limit and not self._waiting:
            self.busy += 1
            return
        slot = loop.create_future()
        self._waiting.append(slot)
        try:
            await slot
        except asyncio.CancelledError:
            if not slot.cancelled():
                self.release()
            raise

    def release(self) -> None:
        self.busy -= 1
        self._wake()

    def shrink(self, limit: int, now: float) -> None:
        """Allow no more than `limit` (at least one) until `GROWTH` seconds have passed."""
        self._set(max(1, min(limit, self.most)), now)

    def _set(self, limit: int, now: float) -> None:
        self.limit, self._changed_at = limit, now
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self.busy < self.limit:
            slot = self._waiting.popleft()
            if not slot.done():
                self.busy += 1
                slot.set_result(None)
