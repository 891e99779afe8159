"""Progress of a long command on a terminal; nothing where standard error goes elsewhere."""

import sys
import time

_WIDTH, _PAUSE = 30, 0.1


class Progress:
    """A bar for `total` units of work, a count where the total is unknown; lines can be printed meanwhile."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._shown = sys.stderr.isatty()
        self._next = 0.0

    def advance(self, done: int, text: str) -> None:
        """Show how far the work is, ten times a second at most."""
        now = time.monotonic()
        if self._shown and now >= self._next:
            self._next = now + _PAUSE
            sys.stderr.write(f"\r\x1b[K{self._bar(done)}{text}")
            sys.stderr.flush()

    def line(self, text: str) -> None:
        """Print a line above the bar."""
        self.clear()
        sys.stderr.write(f"{text}\n")
        self._next = 0.0

    def clear(self) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")

    def _bar(self, done: int) -> str:
        if not self._total:
            return ""
        part = min(1.0, done / self._total)
        return f"[{('#' * round(part * _WIDTH)).ljust(_WIDTH, '.')}] {part:4.0%}  "
