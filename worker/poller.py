"""Poll Postgres for due rows whose job was lost; maintain leases, relays, backlog and old rows on the way."""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass

from service.db import Pool
from service.store import events, log_checkpoints, outbox, sealed_rows, security_log, webhooks
from worker.account_ends import AccountEnds
from worker.delivery import Delivery
from worker.dispatcher import Dispatcher
from worker.leases import RENEWAL
from worker.relays import OURS
from worker.relays.route import run_probes
from worker.security_log import SecurityLogWriter
from worker.tidying import Tidying
from worker.waiting import run_every

log = logging.getLogger(__name__)
POLL_INTERVAL, GRACE, BACKLOG_INTERVAL, PURGE_INTERVAL = 1.0, 1.0, 15.0, 3600.0
# Rows of one statement: polled, rescheduled.
_BATCH, _RESCHEDULE_BATCH = 100, 500


@dataclass(slots=True)
class OutboxPoller:
    """Poller of all tables; `log_months`, `mail_days` and `event_days` are how long finished rows are kept."""

    pool: Pool
    delivery: Delivery
    log_writer: SecurityLogWriter
    log_months: int
    mail_days: int
    dispatcher: Dispatcher
    event_days: int

    async def run(self) -> None:
        """Poll until cancelled."""
        async with asyncio.TaskGroup() as group:
            for seconds, act in (
                (PURGE_INTERVAL, self.purge),
                (PURGE_INTERVAL, self.end_accounts),
                (PURGE_INTERVAL, self.reseal),
                (PURGE_INTERVAL, self.sign_log),
                (RENEWAL, self.delivery.recorder.leases.renew),
                (POLL_INTERVAL, self.poll_due),
                (BACKLOG_INTERVAL, self.update_backlog),
            ):
                away = min(seconds, POLL_INTERVAL)
                group.create_task(run_every(seconds, act, self.pool, away=away, report=_report_fault))
            group.create_task(run_probes(self.delivery.relays.shared))
            group.create_task(self.resume_after_outage())

    async def poll_due(self) -> None:
        """Record mails known to be sent, deliver overdue mails, write overdue events."""
        await self.delivery.recorder.record_unconfirmed()
        await self.delivery.recorder.release_unconfirmed()
        has_events = await events.has_overdue(self.pool, seconds=GRACE)
        self.dispatcher.grace.note_answer()
        if recovered := await self.delivery.relays.take_recovered():
            await self._reschedule_now(only=recovered)
        # A hanging session delays no other mail: it goes on beside the next polls.
        until = asyncio.get_running_loop().time() + POLL_INTERVAL
        await asyncio.wait(self.dispatcher.wake(polled=True), timeout=POLL_INTERVAL)
        for _ in range(2):  # the claims of projects' own relays, then what they began
            if begun := set(self.dispatcher.deliveries.values()):
                await asyncio.wait(begun, timeout=max(0, until - asyncio.get_running_loop().time()))
        self.delivery.recorder.metrics.add("polls")
        if has_events:  # last: an event that can't be written holds up no mail
            await self.log_writer.write_pending()

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
        metrics.log_partitions = await security_log.get_partitions(self.pool)
        metrics.checkpoints_overdue = await log_checkpoints.overdue(self.pool)
        metrics.webhooks = await webhooks.list_states(self.pool)
        metrics.backlog = await outbox.backlog(self.pool)
        if not self.delivery.relays.all_available():
            for mail in await outbox.list_expired(self.pool, most=_BATCH):
                await self.delivery.claim_and_send(mail)

    async def purge(self) -> None:
        await Tidying(self.pool, self.log_months, self.mail_days, self.event_days).run()

    async def end_accounts(self) -> None:
        await AccountEnds(self.pool, self.delivery.recorder.metrics, self.delivery.sender).run()

    async def sign_log(self) -> None:
        """Sign checkpoints of the security log that are due, once a day for each chain."""
        while await log_checkpoints.sign_due(self.pool, self.delivery.ring, most=_BATCH) == _BATCH:
            pass

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
