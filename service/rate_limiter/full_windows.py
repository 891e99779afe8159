"""Windows that Postgres has just found full, to keep a flood without Redis from Postgres."""

import time
from collections import OrderedDict
from collections.abc import Sequence

from service.rate_limiter.rules import Rule, Usage

# Seconds for which a count is trusted, and windows that are remembered.
_FRESH, _MOST = 0.2, 50_000
# More calls than any rule allows.
_ENDLESS = 2**31


class FullWindows:
    """Postgres's last count of full windows, while it is fresh."""

    def __init__(self) -> None:
        # Until when a window's count is trusted, and when a place falls free.
        self.notes: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def remember(self, names: Sequence[str], rules: Sequence[Rule], used: Sequence[Usage]) -> None:
        """Note those of the windows that are full."""
        now = time.monotonic()
        for name, rule, each in zip(names, rules, used, strict=True):
            if each.before >= rule.limit:
                self.notes[name] = now + _FRESH, now + each.wait / 1_000_000
                self.notes.move_to_end(name)
        while len(self.notes) > _MOST:
            self.notes.popitem(last=False)

    def recall(self, names: Sequence[str]) -> list[Usage] | None:
        """Return the usages if one of the windows is known to be full."""
        now = time.monotonic()
        notes = [self.notes.get(name, (0.0, 0.0)) for name in names]
        if not any(until > now for until, _ in notes):
            return None
        return [Usage(_ENDLESS if until > now else 0, max(0, int((free - now) * 1_000_000))) for until, free in notes]
