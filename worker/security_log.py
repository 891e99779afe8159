"""Files what happened in the security log, with device and country."""

import asyncio
from dataclasses import dataclass, field

from service.clientinfo import countries, user_agents
from service.db import Pool, transaction
from service.store import events, security_log
from service.store.security_log import Entry

_BATCH = 100


@dataclass(slots=True)
class SecurityLogWriter:
    """One batch at a time: events that ring while it works are in the next."""

    pool: Pool
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def write_pending(self) -> None:
        """File all that waits. Safe to call at any time: an event is removed by the transaction that files it."""
        async with self._lock:
            while await self._write_batch() == _BATCH:
                pass

    async def _write_batch(self) -> int:
        async with transaction(self.pool) as tx:
            waiting = await events.dequeue(tx, most=_BATCH)
            if waiting:
                await security_log.write(tx, [_entry(event) for event in waiting])
        return len(waiting)


def _entry(event: events.PendingEvent) -> tuple[Entry, user_agents.Device]:
    entry = Entry(event.project_id, event.id, event.user_id, event.name, event.ip, event.at, countries.code(event.ip))
    return entry, user_agents.parse(event.user_agent)
