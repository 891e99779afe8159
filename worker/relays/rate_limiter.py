"""Limit mails a minute: of the whole worker, as configured, and of each server, as it accepts them."""

import asyncio
from collections import deque

from worker.waiting import wait_until

# Mails a minute: the least; and the rate assumed where too few mails were sent lately to measure one.
FLOOR, UNKNOWN = 1.0, 60.0
# Seconds without a refusal after which an accepted mail raises the rate, and the factor.
STEP, FASTER = 30.0, 1.5
# Seconds without a refusal or a step after which the limit ends: the server has begun a new count by then.
LAPSE = 600.0
_MINUTE = 60.0


class RateLimiter:
    """At most `most` mails in any span of `span` seconds; 0 is no limit."""

    def __init__(self, most: int, span: float = 60.0) -> None:
        self._most = most
        self._span = span
        self._starts: deque[float] = deque()
        self._queue = asyncio.Lock()
        self._released = asyncio.Event()

    async def acquire(self) -> float:
        """Wait until a mail may be sent, first come first served; the result is for `release`."""
        loop = asyncio.get_running_loop()
        if not self._most:
            return loop.time()
        async with self._queue:
            while (wait := self._wait(loop.time())) > 0:
                self._released.clear()
                await wait_until(self._released, until=loop.time() + wait)
            at = loop.time()
            self._starts.append(at)
            return at

    def is_free(self, now: float) -> bool:
        return not self._most or self._wait(now) <= 0

    def release(self, at: float) -> None:
        """Free the place of a mail that was not sent."""
        if at in self._starts:
            self._starts.remove(at)
            self._released.set()

    def _wait(self, now: float) -> float:
        """Return the seconds until the oldest mail of a full span is out of it."""
        while self._starts and self._starts[0] <= now - self._span:
            self._starts.popleft()
        return self._starts[0] + self._span - now if len(self._starts) >= self._most else 0.0


class AdaptiveRate:
    """Rate of one server: halved at a refusal, raised by half after each `STEP`; without limit until the first refusal.

    `rate` is in mails a minute. Times are the loop's.
    """

    def __init__(self) -> None:
        self.rate: float | None = None
        self._ceiling = 0.0
        self._changed_at = 0.0
        self._next_send_at = 0.0
        # Reservations that were made before a mail was claimed, and are not used yet.
        self._reserved = 0
        self._accepted: deque[float] = deque(maxlen=1000)

    def next_send_at(self, now: float) -> float:
        """Return the time of the next mail."""
        if self.rate is not None and now - self._changed_at > LAPSE:
            self._remove_limit()
        return self._next_send_at if self.rate is not None else 0.0

    def reserve(self, now: float) -> None:
        """Reserve the next place, for `admit` to use."""
        if self.rate is not None:
            self._schedule_next(now)
            self._reserved += 1

    def cancel(self) -> None:
        """Cancel a reservation that is not needed."""
        if self._reserved and self.rate is not None:
            self._reserved -= 1
            self._next_send_at -= _MINUTE / self.rate

    def admit(self, now: float) -> bool:
        """Return whether a mail may be sent now: by a reservation, or because the next place is due."""
        if self.next_send_at(now) == 0.0:
            return True
        if self._reserved:
            self._reserved -= 1
            return True
        if now < self._next_send_at:
            return False
        self._schedule_next(now)
        return True

    def reduce(self, began: float, now: float) -> bool:
        """Halve the rate after a refusal of a mail that began then; False if it began before the last change."""
        if began < self._changed_at:
            return False
        if self.rate is None:
            self._ceiling = self.rate = self._recent_rate(now)
            self._reserved = 0
        self.rate = max(FLOOR, self.rate / 2)
        self._changed_at = now
        self._next_send_at = now + _MINUTE / self.rate
        return True

    def record_accepted(self, now: float) -> bool:
        """Count an accepted mail, raise the rate if it is time; return whether that removed the limit."""
        self._accepted.append(now)
        if self.rate is None or now - self._changed_at < STEP:
            return False
        self.rate *= FASTER
        self._changed_at = now
        if self.rate <= self._ceiling:
            return False
        self._remove_limit()
        return True

    def _schedule_next(self, now: float) -> None:
        assert self.rate is not None  # noqa: S101 - called only while a limit is set
        self._next_send_at = max(now, self._next_send_at) + _MINUTE / self.rate

    def _remove_limit(self) -> None:
        self.rate, self._reserved, self._next_send_at = None, 0, 0.0

    def _recent_rate(self, now: float) -> float:
        """Measure mails a minute by those accepted in the last one."""
        while self._accepted and self._accepted[0] < now - _MINUTE:
            self._accepted.popleft()
        span = max(1.0, now - self._accepted[0]) if self._accepted else _MINUTE
        return max(UNKNOWN, len(self._accepted) * _MINUTE / span)
