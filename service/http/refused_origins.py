"""Log lines about refused origins: a browser hides the 403 from its page, so an operator finds the reason here."""

import logging
import time
from collections.abc import Callable

from service.store.projects import Project

log = logging.getLogger(__name__)
_SECONDS = 60.0
# Anybody can send any origin, so only so many are remembered; while that many are, further ones get no line.
_REMEMBERED = 500


class RefusedOrigins:
    """Log each refused origin of a project at most once a minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged: dict[tuple[str, str], float] = {}

    def note(self, project: Project | None, origin: str) -> None:
        """Log the origin and what the project lists. `origin` is the part of a page's address before its path."""
        pair = (project.id if project else "", origin[:256])
        if not self._is_due(pair):
            return
        log.warning(
            "The origin is none of the project's platforms; the request is refused",
            extra={
                "event": "origin.refused",
                "origin": origin,
                "project": project.id if project else None,
                "hosts": [*project.hostnames, *project.apps] if project else [],
            },
        )

    def _is_due(self, pair: tuple[str, str]) -> bool:
        now = self._clock()
        if pair in self._logged and now - self._logged[pair] < _SECONDS:
            return False
        if len(self._logged) >= _REMEMBERED:
            self._logged = {known: at for known, at in self._logged.items() if now - at < _SECONDS}
        if len(self._logged) >= _REMEMBERED:
            return False
        self._logged[pair] = now
        return True
