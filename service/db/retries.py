"""Retries of a request's work in Postgres that a fault undid as a whole (docs/reliability.md F02, F10)."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

from service.db.error_mapping import DatabaseFault, classify, is_rolled_back

Result = TypeVar("Result")
log = logging.getLogger(__name__)
# Number of retries after each fault, and the wait before each, in seconds: a server that is gone
# needs a moment, two that collided must not meet again at once.
_MAX_RETRIES = {DatabaseFault.LOST: 1, DatabaseFault.READ_ONLY: 1, DatabaseFault.CLASH: 3}
_PAUSES = {DatabaseFault.LOST: 0.2, DatabaseFault.READ_ONLY: 0.2, DatabaseFault.CLASH: 0.03}


@dataclass(slots=True)
class RetryState:
    """State of the retries; `written` once something is, or may be, committed: from then on there are none."""

    written: bool = False
    faults: Counter[DatabaseFault] = field(default_factory=Counter)

    def pause(self, error: Exception) -> float | None:
        """Return the seconds to wait before another run; None if there may be none, or if it is of no use."""
        fault = classify(error)
        # A request that has waited for a hanging server has no time left to wait for it again.
        if fault is None or self.written or not is_rolled_back(error) or isinstance(error, TimeoutError):
            return None
        self.faults[fault] += 1
        if self.faults[fault] > _MAX_RETRIES.get(fault, 0):
            return None
        return _PAUSES[fault] * self.faults[fault] * random.uniform(0.5, 1.5)  # noqa: S311 - jitter


_STATE: ContextVar[RetryState | None] = ContextVar("retry_state", default=None)


def mark_committed() -> None:
    """Mark that something is, or may be, committed; the pool and transactions call it."""
    state = _STATE.get()
    if state is not None:
        state.written = True


async def run_with_retry(work: Callable[[], Awaitable[Result]]) -> Result:
    """Run the work, and again if a fault of Postgres certainly left nothing of it behind."""
    state = RetryState()
    token = _STATE.set(state)
    try:
        while True:
            try:
                return await work()
            except Exception as error:
                pause = state.pause(error)
                if pause is None:
                    raise
                log.warning(
                    "A fault of Postgres undid the work; it is run again",
                    extra={"event": "postgres.work_retried", "cause": type(error).__name__},
                )
            await asyncio.sleep(pause)
    finally:
        _STATE.reset(token)
