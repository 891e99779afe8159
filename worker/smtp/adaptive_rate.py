"""The pace of mails to one server: slower once it has said that they are too many, and faster again step by step."""

from collections import deque

# Mails a minute: never fewer; and what is taken for the pace where too little was sent lately to tell.
FLOOR, UNKNOWN = 1.0, 60.0
# Seconds without a refusal after which a mail that is taken quickens the pace, and by how much.
STEP, FASTER = 30.0, 1.5
# Seconds without a refusal or a step after which nothing is left of it: the server has long begun to count anew.
LAPSE = 600.0
_MINUTE = 60.0


class AdaptiveRate:
    """Halves the pace at a refusal, and quickens it by half after each `STEP`; without limit until the first.

    `rate` is in mails a minute. Times are the loop's.
    """

    def __init__(self) -> None:
        self.rate: float | None = None
        self._ceiling = 0.0
        self._changed_at = 0.0
        self._next_at = 0.0
        # Turns that were given out before the mail was claimed, and are not used yet.
        self._granted = 0
        self._accepted: deque[float] = deque(maxlen=1000)

    def opens_at(self, now: float) -> float:
        """When the next mail may go."""
        if self.rate is not None and now - self._changed_at > LAPSE:
            self._lift()
        return self._next_at if self.rate is not None else 0.0

    def grant(self, now: float) -> None:
        """Give out a turn, for `enter` to use."""
        if self.rate is not None:
            self._take(now)
            self._granted += 1

    def give_back(self) -> None:
        """A turn that was given out is not needed."""
        if self._granted and self.rate is not None:
            self._granted -= 1
            self._next_at -= _MINUTE / self.rate

    def enter(self, now: float) -> bool:
        """Whether a mail may go now: it uses a turn that was given out, or takes the next if that is due."""
        if self.opens_at(now) == 0.0:
            return True
        if self._granted:
            self._granted -= 1
            return True
        if now < self._next_at:
            return False
        self._take(now)
        return True

    def slow(self, began: float, now: float) -> bool:
        """A mail that began then was refused for the pace. Whether that slowed it: those on their way count once."""
        if began < self._changed_at:
            return False
        if self.rate is None:
            self._ceiling = self.rate = self._lately(now)
            self._granted = 0
        self.rate = max(FLOOR, self.rate / 2)
        self._changed_at = now
        self._next_at = now + _MINUTE / self.rate
        return True

    def accepted(self, now: float) -> bool:
        """A mail was taken. Whether that lifted the last of the limit."""
        self._accepted.append(now)
        if self.rate is None or now - self._changed_at < STEP:
            return False
        self.rate *= FASTER
        self._changed_at = now
        if self.rate <= self._ceiling:
            return False
        self._lift()
        return True

    def _take(self, now: float) -> None:
        assert self.rate is not None  # noqa: S101 - only a limited pace has turns
        self._next_at = max(now, self._next_at) + _MINUTE / self.rate

    def _lift(self) -> None:
        self.rate, self._granted, self._next_at = None, 0, 0.0

    def _lately(self, now: float) -> float:
        """Mails a minute, by those that were taken in the last one."""
        while self._accepted and self._accepted[0] < now - _MINUTE:
            self._accepted.popleft()
        span = max(1.0, now - self._accepted[0]) if self._accepted else _MINUTE
        return max(UNKNOWN, len(self._accepted) * _MINUTE / span)
