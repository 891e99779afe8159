"""Log records of an event that each request has, made without most of what the library spends on one."""

import logging
import time
from collections.abc import Mapping


class EventRecord(logging.LogRecord):
    """Copy of a prepared record, at the present time; `own` are the event's keys, which are attributes as well.

    The library looks up thread, process and file, compares each key with its own names, and leaves a formatter to find
    the keys again: together that was a tenth of a read.
    """

    own: Mapping[str, object]

    def __init__(self, prepared: Mapping[str, object], own: Mapping[str, object]) -> None:
        self.__dict__ = {**prepared, **own, "created": time.time(), "own": own}


class EventLogger:
    """Front of a logger for events at level INFO, whose message never has values in it."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._prepared: dict[str, Mapping[str, object]] = {}

    def info(self, message: str, *, extra: Mapping[str, object]) -> None:
        prepared = self._prepared.get(message)
        if prepared is None:
            record = logging.LogRecord(self._logger.name, logging.INFO, "", 0, message, None, None)
            prepared = self._prepared[message] = record.__dict__
        self._logger.handle(EventRecord(prepared, extra))

    def is_enabled(self) -> bool:
        return self._logger.isEnabledFor(logging.INFO)
