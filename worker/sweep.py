"""Finds what no bell was heard for: Postgres is the record, so a lost Redis delays and loses nothing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from service import db, events, logs, mails, sessions, tokens
from service.db import Pool
from worker.logs import Clerk
from worker.mail import RENEWAL, Mailer

log = logging.getLogger(__name__)
PAUSE, GRACE, BEAT, HOURLY = 1.0, 1.0, 5.0, 3600.0
_BATCH = 100


@dataclass(slots=True)
class Sweeper:
    pool: Pool
    mailer: Mailer
    clerk: Clerk
    heartbeat: Path
    log_months: int
    mail_days: int

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_every(HOURLY, self.tidy))
            group.create_task(_every(RENEWAL, self.mailer.renew))
            group.create_task(_every(PAUSE, self.sweep))
            group.create_task(_every(BEAT, self.beat))

    async def sweep(self) -> None:
        """Deliver what is overdue, file what is late."""
        if await events.any_late(self.pool, seconds=GRACE):
            await self.clerk.file()
        while due := await mails.list_due(self.pool, seconds=GRACE, most=_BATCH):
            await asyncio.gather(*(self._deliver(mail_id) for mail_id in due))
            if len(due) < _BATCH:
                break

    async def beat(self) -> None:
        """Show that we live: a relay or a database that hangs is no reason to be started anew."""
        self.heartbeat.touch()

    async def _deliver(self, mail_id: UUID) -> None:
        """One mail's trouble is not the others'."""
        try:
            await self.mailer.deliver(mail_id)
        except Exception:
            log.exception("a swept mail was left for the next round", extra={"mail": str(mail_id)})

    async def tidy(self) -> None:
        await logs.keep_partitions(self.pool, months=self.log_months)
        await tokens.drop_expired(self.pool)
        await sessions.drop_expired(self.pool)
        await mails.drop_ended(self.pool, days=self.mail_days)


async def _every(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await act()
        except Exception as error:
            if db.diagnose(error) is None:
                log.exception("a round of the sweep failed")
            else:
                log.warning("postgres is not available", extra={"cause": type(error).__name__})
        await asyncio.sleep(seconds)
