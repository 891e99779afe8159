"""Finds what no bell was heard for: Postgres is the record, so a lost Redis delays and loses nothing."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from service.db import Pool
from service.store import events, outbox, security_log, sessions, tokens
from worker.delivery import Delivery
from worker.leases import LEASE, RENEWAL
from worker.security_log import SecurityLogWriter
from worker.smtp import OURS

log = logging.getLogger(__name__)
PAUSE, GRACE, LOOK, HOURLY = 1.0, 1.0, 15.0, 3600.0
# Swept at once, ended or hastened by one statement, forgotten by one.
_BATCH, _HASTE, _DROP = 100, 500, 2000
# Seconds in which a worker that lives has renewed its leases once Postgres is back: it tries each second.
_GRACE = 5.0


@dataclass(slots=True)
class OutboxPoller:
    """`log_months` and `mail_days` say how long what is over is kept."""

    pool: Pool
    delivery: Delivery
    log_writer: SecurityLogWriter
    log_months: int
    mail_days: int
    under_way: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    # When a round last found Postgres; when one had last done so before it was away, and until when that matters.
    _seen: float = field(default_factory=time.monotonic)
    _lost_at: float = 0.0
    _grace_until: float = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for seconds, act in (
                (HOURLY, self.purge),
                (RENEWAL, self.delivery.recorder.leases.renew),
                (PAUSE, self.poll_due),
                (LOOK, self.update_backlog),
            ):
                group.create_task(_every(seconds, act, self.pool))
            group.create_task(self.maintain_relays())
            group.create_task(self.resume_after_outage())

    async def poll_due(self) -> None:
        """Mark what is known to be sent, file what is late, deliver what is overdue."""
        await self.delivery.recorder.record_unconfirmed()
        await self.delivery.recorder.release_unconfirmed()
        if await events.has_overdue(self.pool, seconds=GRACE):
            await self.log_writer.write_pending()
        self._collect_due()
        due: list[UUID] = []
        while self.delivery.relay.is_available() and not self.delivery.slots.is_closed():
            before, due = (
                due,
                await outbox.list_due(self.pool, seconds=GRACE, patience=self._grace_period(), most=_BATCH),
            )
            # A hanging dialogue holds up nobody: it goes on beside the next rounds.
            if begun := [self._start_delivery(mail_id) for mail_id in due if mail_id not in self.under_way]:
                await asyncio.wait(begun, timeout=PAUSE)
            if len(due) < _BATCH or due == before:
                break
        self.delivery.recorder.counts.add("sweeps")

    def _collect_due(self) -> None:
        """Note that Postgres is there, and whether it was away for so long that leases ran out because of that."""
        now = time.monotonic()
        if now - self._seen > LEASE / 3:
            self._lost_at, self._grace_until = self._seen, now + _GRACE
        self._seen = now

    def _grace_period(self) -> float:
        """For how long a lease must have run out; those that did while Postgres was away have living workers."""
        now = time.monotonic()
        return now - self._lost_at if now < self._grace_until else 0.0

    def _start_delivery(self, mail_id: UUID) -> asyncio.Task[None]:
        task = asyncio.create_task(self._deliver(mail_id))
        self.under_way[mail_id] = task
        task.add_done_callback(lambda _: self.under_way.pop(mail_id, None))
        return task

    async def _deliver(self, mail_id: UUID) -> None:
        """One mail's trouble is not the others'."""
        try:
            await self.delivery.deliver(mail_id)
        except Exception as error:
            if not self.pool.note(error):
                log.exception("a swept mail was left for the next round", extra={"mail": str(mail_id)})
        else:
            self.delivery.recorder.counts.add("mails_swept")

    async def resume_after_outage(self) -> None:
        """When the relay is back, what waited for it goes out now, the oldest first.

        And when the worker starts: an operator may have put right what the relay disliked.
        """
        recovered = self.delivery.relay.recovered
        recovered.set()
        while True:
            await recovered.wait()
            recovered.clear()
            try:
                await self._reschedule_now()
            except Exception as error:  # their own time comes all the same
                if not self.pool.note(error):
                    log.exception("nothing could be hastened")

    async def maintain_relays(self) -> None:
        """Whatever happens to its keeper, the relay is not left alone for long."""
        while True:
            try:
                await self.delivery.relay.run_probes()
            except Exception:
                log.exception("the relay's keeper stumbled")
            await asyncio.sleep(PAUSE)

    async def _reschedule_now(self) -> None:
        while number := await outbox.reschedule_now(self.pool, stages=OURS, most=_HASTE):
            self.delivery.recorder.counts.add("mails_hastened", number)
            log.info("what waited for the relay goes out", extra={"count": number})

    async def update_backlog(self) -> None:
        """Count what is owed; end what can't be of use any more while there is no relay to carry it."""
        self.delivery.recorder.counts.backlog = await outbox.backlog(self.pool)
        if not self.delivery.relay.is_available():
            for mail_id in await outbox.list_expired(self.pool, most=_BATCH):
                await self.delivery.claim_and_send(mail_id)

    async def purge(self) -> None:
        await security_log.maintain_partitions(self.pool, months=self.log_months)
        await tokens.delete_expired(self.pool)
        await sessions.delete_expired(self.pool)
        while await outbox.delete_finished(self.pool, days=self.mail_days, most=_DROP) == _DROP:
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
