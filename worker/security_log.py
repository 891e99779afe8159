"""Write pending events to the security log, with device and country, and to the feeds of projects that have one."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from service import tracing
from service.clientinfo import countries, user_agents
from service.db import Pool, transaction
from service.store import event_feed, events, security_log
from service.store.log_chain import End, Key
from service.store.security_log import Entry
from worker.wake_ups import WakeUps

log = logging.getLogger(__name__)
_BATCH, _REMEMBERED = 100, 1000


@dataclass(slots=True)
class SecurityLogWriter:
    """Writer of one batch at a time; events that come meanwhile are in the next.

    `owed` is called when webhooks are owed some of them.
    """

    pool: Pool
    owed: Callable[[], None] = lambda: None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _wake_ups: WakeUps = field(init=False)
    # Where chains ended after the last batches of this worker.
    _ends: dict[Key, End] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._wake_ups = WakeUps(self.write_pending, self._report)

    def wake(self) -> None:
        """Have the events written that are pending after this moment."""
        self._wake_ups.wake()

    async def stop(self) -> None:
        await self._wake_ups.stop()

    def _report(self, error: Exception) -> None:
        if not self.pool.note(error):
            log.error(
                "The worker could not write the security log; it tries again by polling",
                exc_info=error,
                extra={"event": "security_log.write_failed"},
            )

    async def write_pending(self) -> None:
        """Write all pending events. Safe to call at any time: one transaction removes and writes an event."""
        async with self._lock:
            more = True
            while more:
                found = await events.list_projects(self.pool, most=_BATCH)
                written = [await self._write_batch(each.project_id) for each in found]
                # More than were looked at may be due, unless another worker writes them all.
                more = any(written) and (sum(each.events for each in found) == _BATCH or _BATCH in written)

    async def _write_batch(self, project_id: str) -> int:
        owed = 0
        ends: dict[Key, End] = {}
        async with transaction(self.pool) as tx:
            pending = await events.dequeue(tx, project_id, most=_BATCH)
            if pending:
                with _span(pending):
                    ends = await security_log.write(tx, [_entry(event) for event in pending], self._ends)
                    owed = await event_feed.append(tx, pending)
        if len(self._ends) > _REMEMBERED:
            self._ends.clear()
        self._ends |= ends
        if owed:
            self.owed()
        return len(pending)


def _span(pending: Sequence[events.PendingEvent]) -> AbstractContextManager[object]:
    """Make a span in the trace of the first event that has one, linked to those of the others."""
    found = [event.traceparent for event in pending if event.traceparent] if tracing.is_on() else []
    if not found:
        return nullcontext()
    return tracing.span("file events", "consumer", parent=found[0], links=found[1:], accounts__events=len(pending))


def _entry(event: events.PendingEvent) -> tuple[Entry, user_agents.Device]:
    entry = Entry(event.project_id, event.id, event.user_id, event.name, event.ip, event.at, countries.code(event.ip))
    return entry, user_agents.parse(event.user_agent)
