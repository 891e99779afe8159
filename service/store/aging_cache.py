"""Cache of what is read for nearly every request and seldom changes: a project and what belongs to it."""

import re
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Row = TypeVar("Row")
_PROJECT_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,35}")


class AgingCache(Generic[Row]):
    """Rows by project id, at most a second old, absent ones too."""

    _AGE, _MOST = 1.0, 1024

    def __init__(self, load: Callable[[str], Awaitable[Row | None]]) -> None:
        self._load = load
        self._seen: dict[str, tuple[float, Row | None]] = {}

    async def find(self, project_id: str) -> Row | None:
        known = self._seen.get(project_id)
        if known and time.monotonic() - known[0] < self._AGE:
            return known[1]
        return await self.find_anew(project_id)

    async def find_anew(self, project_id: str) -> Row | None:
        """Find a row as it is now, and remember that."""
        now = time.monotonic()
        row = await self._load(project_id) if _PROJECT_ID.fullmatch(project_id) else None
        if len(self._seen) >= self._MOST:
            self._seen.clear()
        self._seen[project_id] = (now, row)
        return row
