"""Finds what no bell was heard for: Postgres is the record, so a lost Redis delays and loses nothing."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from service.db import Pool
from service.store import events, outbox, security_log, sessions, tokens
from worker.delivery import Mailer
from worker.leases import LEASE, RENEWAL
from worker.security_log import Clerk
from worker.smtp import OURS

log = logging.getLogger(__name__)
PAUSE, GRACE, LOOK, HOURLY = 1.0, 1.0, 15.0, 3600.0
# Swept at once, ended or hastened by one statement, forgotten by one.
_BATCH, _HASTE, _DROP = 100, 500, 2000
# Seconds in which a worker that lives has renewed its leases once Postgres is back: it tries each second.
_PATIENCE = 5.0


@dataclass(slots=True)
class Sweeper:
    """`log_months` and `mail_days` say how long what is over is kept."""

    pool: Pool
    mailer: Mailer
    clerk: Clerk
    log_months: int
    mail_days: int
    under_way: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    # When a round last found Postgres; when one had last done so before it was away, and until when that matters.
    _seen: float = field(default_factory=time.monotonic)
    _lost_at: float = 0.0
    _patient_until: float = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for seconds, act in (
                (HOURLY, self.tidy),
                (RENEWAL, self.mailer.marks.leases.renew),
                (PAUSE, self.sweep),
                (LOOK, self.look),
            ):
                group.create_task(_every(seconds, act, self.pool))
            group.create_task(self.keep())
            group.create_task(self.watch())

    async def sweep(self) -> None:
        """Mark what is known to be sent, file what is late, deliver what is overdue."""
        await self.mailer.marks.rest()
        await self.mailer.marks.settle()
        if await events.any_late(self.pool, seconds=GRACE):
            await self.clerk.file()
        self._mind()
        due: list[UUID] = []
        while self.mailer.relay.ready() and not self.mailer.turns.is_closed():
            before, due = due, await outbox.list_due(self.pool, seconds=GRACE, patience=self._patience(), most=_BATCH)
            # A hanging dialogue holds up nobody: it goes on beside the next rounds.
            if begun := [self._begin(mail_id) for mail_id in due if mail_id not in self.under_way]:
                await asyncio.wait(begun, timeout=PAUSE)
            if len(due) < _BATCH or due == before:
                break
        self.mailer.marks.counts.add("sweeps")

    def _mind(self) -> None:
        """Note that Postgres is there, and whether it was away for so long that leases ran out because of that."""
        now = time.monotonic()
        if now - self._seen > LEASE / 3:
            self._lost_at, self._patient_until = self._seen, now + _PATIENCE
        self._seen = now

    def _patience(self) -> float:
        """For how long a lease must have run out; those that did while Postgres was away have living workers."""
        now = time.monotonic()
        return now - self._lost_at if now < self._patient_until else 0.0

    def _begin(self, mail_id: UUID) -> asyncio.Task[None]:
        task = asyncio.create_task(self._deliver(mail_id))
        self.under_way[mail_id] = task
        task.add_done_callback(lambda _: self.under_way.pop(mail_id, None))
        return task

    async def _deliver(self, mail_id: UUID) -> None:
        """One mail's trouble is not the others'."""
        try:
            await self.mailer.deliver(mail_id)
        except Exception as error:
            if not self.pool.note(error):
                log.exception("a swept mail was left for the next round", extra={"mail": str(mail_id)})
        else:
            self.mailer.marks.counts.add("mails_swept")

    async def watch(self) -> None:
        """When the relay is back, what waited for it goes out now, the oldest first.

        And when the worker starts: an operator may have put right what the relay disliked.
        """
        recovered = self.mailer.relay.recovered
        recovered.set()
        while True:
            await recovered.wait()
            recovered.clear()
            try:
                await self._hasten()
            except Exception as error:  # their own time comes all the same
                if not self.pool.note(error):
                    log.exception("nothing could be hastened")

    async def keep(self) -> None:
        """Whatever happens to its keeper, the relay is not left alone for long."""
        while True:
            try:
                await self.mailer.relay.keep()
            except Exception:
                log.exception("the relay's keeper stumbled")
            await asyncio.sleep(PAUSE)

    async def _hasten(self) -> None:
        while number := await outbox.hasten(self.pool, stages=OURS, most=_HASTE):
            self.mailer.marks.counts.add("mails_hastened", number)
            log.info("what waited for the relay goes out", extra={"count": number})

    async def look(self) -> None:
        """Count what is owed; end what can't be of use any more while there is no relay to carry it."""
        self.mailer.marks.counts.backlog = await outbox.backlog(self.pool)
        if not self.mailer.relay.ready():
            for mail_id in await outbox.list_late(self.pool, most=_BATCH):
                await self.mailer.attempt(mail_id)

    async def tidy(self) -> None:
        await security_log.keep_partitions(self.pool, months=self.log_months)
        await tokens.drop_expired(self.pool)
        await sessions.drop_expired(self.pool)
        while await outbox.drop_ended(self.pool, days=self.mail_days, most=_DROP) == _DROP:
            pass


async def _every(seconds: float, act: Callable[[], Awaitable[None]], pool: Pool) -> None:
    """While Postgres is away it is tried each second. A fault of ours that lasts is told with its place once."""
    told = ""
    while True:
        away = False
        try:
            await act()
        except Exception as error:
            away = pool.note(error)
            if not away and (kind := type(error).__name__) != told:
                log.exception("a round of the sweep failed")
                told = kind
        else:
            told = ""
        await asyncio.sleep(min(seconds, PAUSE) if away else seconds)
