"""Poll Postgres for due rows whose job was lost; maintain leases, relays, backlog and old rows on the way."""

import asyncio
import logging
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

from service.db import Pool
from service.store import events, outbox, sealed_rows
from worker.asyncio_tools import run_every
from worker.delivery import Delivery
from worker.leases import LEASE, RENEWAL
from worker.routes import run_probes
from worker.security_log import SecurityLogWriter
from worker.smtp import OURS
from worker.tidying import Tidying

log = logging.getLogger(__name__)
POLL_INTERVAL, GRACE, BACKLOG_INTERVAL, PURGE_INTERVAL = 1.0, 1.0, 15.0, 3600.0
# Rows of one statement: polled, rescheduled.
_BATCH, _RESCHEDULE_BATCH = 100, 500
# Seconds in which a live worker has renewed its leases once Postgres is back: it tries each second.
_GRACE = 5.0


@dataclass(slots=True)
class OutboxPoller:
    """Poller of all tables; `log_months` and `mail_days` are how long finished rows are kept."""

    pool: Pool
    delivery: Delivery
    log_writer: SecurityLogWriter
    log_months: int
    mail_days: int
    deliveries: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    # Time of the last poll that reached Postgres; of the last before an outage; until when leases have a grace period.
    _seen: float = field(default_factory=time.monotonic)
    _lost_at: float = 0.0
    _grace_until: float = 0.0

    async def run(self) -> None:
        """Poll until cancelled."""
        async with asyncio.TaskGroup() as group:
            for seconds, act in (
                (PURGE_INTERVAL, self.purge),
                (PURGE_INTERVAL, self.reseal),
                (RENEWAL, self.delivery.recorder.leases.renew),
                (POLL_INTERVAL, self.poll_due),
                (BACKLOG_INTERVAL, self.update_backlog),
            ):
                away = min(seconds, POLL_INTERVAL)
                group.create_task(run_every(seconds, act, self.pool, away=away, report=_report_fault))
            group.create_task(run_probes(self.delivery.relays.shared))
            group.create_task(self.resume_after_outage())

    async def poll_due(self) -> None:
        """Record mails known to be sent, write overdue events, deliver overdue mails."""
        await self.delivery.recorder.record_unconfirmed()
        await self.delivery.recorder.release_unconfirmed()
        if await events.has_overdue(self.pool, seconds=GRACE):
            await self.log_writer.write_pending()
        self._note_postgres_is_back()
        if recovered := await self.delivery.relays.take_recovered():
            await self._reschedule_now(only=recovered)
        due: list[UUID] = []
        while (choice := await self.delivery.relays.choose()) and not self.delivery.slots.is_closed():
            grace = self._lease_grace()
            before, due = (
                due,
                await outbox.list_due(
                    self.pool, seconds=GRACE, patience=grace, most=_BATCH, only=choice.only, but=choice.but
                ),
            )
            # A hanging session delays no other mail: it goes on beside the next polls.
            if begun := [self._start_delivery(mail_id) for mail_id in due if mail_id not in self.deliveries]:
                await asyncio.wait(begun, timeout=POLL_INTERVAL)
            if len(due) < _BATCH or due == before:
                break
        self.delivery.recorder.metrics.add("polls")

    def _note_postgres_is_back(self) -> None:
        """Note that Postgres answers, and whether it was away so long that leases of live workers ran out."""
        now = time.monotonic()
        if now - self._seen > LEASE / 3:
            self._lost_at, self._grace_until = self._seen, now + _GRACE
        self._seen = now

    def _lease_grace(self) -> float:
        """Return for how long a lease must have run out: after an outage its worker may be alive."""
        now = time.monotonic()
        return now - self._lost_at if now < self._grace_until else 0.0

    def _start_delivery(self, mail_id: UUID) -> asyncio.Task[None]:
        task = asyncio.create_task(self._deliver(mail_id))
        self.deliveries[mail_id] = task
        task.add_done_callback(lambda _: self.deliveries.pop(mail_id, None))
        return task

    async def _deliver(self, mail_id: UUID) -> None:
        """Deliver one mail; its errors stop no other."""
        try:
            await self.delivery.deliver(mail_id)
        except Exception as error:
            if not self.pool.note(error):
                log.exception(
                    "The worker could not try a mail that it found by polling; it tries again",
                    extra={"event": "poller.delivery_failed", "mail": str(mail_id)},
                )
        else:
            self.delivery.recorder.metrics.add("mails_polled")

    async def resume_after_outage(self) -> None:
        """Make the mails due that waited for the shared relay, the oldest first, whenever that has recovered.

        Also when the worker starts: an operator may have fixed the settings that the relay refused.
        """
        recovered = self.delivery.relays.shared.recovered
        recovered.set()
        while True:
            await recovered.wait()
            recovered.clear()
            try:
                await self._reschedule_now(but=self.delivery.relays.own())
            except Exception as error:  # the mails come due by themselves
                if not self.pool.note(error):
                    log.exception(
                        "The worker could not reschedule the mails that wait for the relay",
                        extra={"event": "poller.reschedule_failed"},
                    )

    async def _reschedule_now(self, *, only: list[str] | None = None, but: Collection[str] = ()) -> None:
        while number := await outbox.reschedule_now(self.pool, stages=OURS, most=_RESCHEDULE_BATCH, only=only, but=but):
            self.delivery.recorder.metrics.add("mails_rescheduled", number)
            log.info(
                "The worker tries the mails that waited for the relay",
                extra={"event": "poller.mails_rescheduled", "count": number},
            )

    async def update_backlog(self) -> None:
        """Update the backlog; while a relay is not available end the mails that have expired."""
        metrics = self.delivery.recorder.metrics
        metrics.events_lag = await events.lag(self.pool)
        metrics.backlog = await outbox.backlog(self.pool)
        if not self.delivery.relays.all_available():
            for mail_id in await outbox.list_expired(self.pool, most=_BATCH):
                await self.delivery.claim_and_send(mail_id)

    async def purge(self) -> None:
        await Tidying(self.pool, self.log_months, self.mail_days).run()

    async def reseal(self) -> None:
        """Seal under the first of SECRET_KEYS what is sealed under another, so that an operator can take that away."""
        done, refused = await sealed_rows.reseal(self.pool, self.delivery.ring)
        if done:
            log.info(
                "The worker has encrypted secrets under the first key",
                extra={"event": "secrets.resealed", "count": done},
            )
        for row in refused:
            place = {"purpose": row.place.purpose, "project": row.place.project_id, "user": row.place.user_id}
            log.error(
                "An encrypted secret can't be read", extra={"event": "secrets.unreadable", **place, "fault": row.fault}
            )


def _report_fault(error: Exception) -> None:
    log.error("A periodic task of the worker failed", exc_info=error, extra={"event": "poller.task_failed"})
