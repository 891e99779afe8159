"""Log lines of an event that each request has, made without most of what the library spends on a record."""

import logging
from collections.abc import Mapping

Facts = Mapping[str, str | int | float | None]


class EventHandler(logging.Handler):
    """Handler that can write an event without a record of it."""

    def handle_event(self, logger: str, message: str, facts: Facts) -> None:
        """Write the line that a record at level INFO with these facts would have."""
        raise NotImplementedError


class EventLogger:
    """Front of a logger for events at level INFO, whose message never has values in it.

    The library copies the facts into a record, among thirty facts of its own, for a formatter to find them again:
    that was a twentieth of a read. It is done where more than our own handler is to see the record.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def info(self, message: str, *, extra: Facts) -> None:
        if handler := self._only_handler():
            handler.handle_event(self._logger.name, message, extra)
        else:
            self._logger.info(message, extra=extra)

    def is_enabled(self) -> bool:
        return self._logger.isEnabledFor(logging.INFO)

    def _only_handler(self) -> EventHandler | None:
        """Find the one handler that the library would give the record to; None if there are others, or filters."""
        logger = self._logger
        if logger.filters:
            return None
        while not logger.handlers and logger.propagate and logger.parent:
            logger = logger.parent
        alone = len(logger.handlers) == 1 and not (logger.propagate and logger.parent)
        handler = logger.handlers[0] if alone else None
        if not isinstance(handler, EventHandler) or handler.filters or handler.level > logging.INFO:
            return None
        return handler
