"""Poll Postgres for due SMS whose job was lost; end those that have expired, watch for toll fraud."""

import asyncio
import logging
from dataclasses import dataclass, field
from uuid import UUID

from service.db import Pool
from service.store import sms
from worker.sms.delivery import SmsDelivery
from worker.waiting import run_every

log = logging.getLogger(__name__)
POLL_INTERVAL, GRACE, HOURLY = 1.0, 1.0, 3600.0
_BATCH = 100
# Fewer used codes than this of so many SMS are a sign of numbers that nobody signs in with.
_LAST, _LEAST = 100, 10
# SMS that the worker tries at a time.
_AT_A_TIME = 20


@dataclass(slots=True)
class SmsPoller:
    """Poller of the table of SMS."""

    pool: Pool
    delivery: SmsDelivery
    deliveries: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)

    async def run(self) -> None:
        """Poll until cancelled."""
        async with asyncio.TaskGroup() as group:
            for seconds, act in ((POLL_INTERVAL, self.poll_due), (HOURLY, self.watch)):
                group.create_task(run_every(seconds, act, self.pool, away=seconds, report=_report_fault))

    async def poll_due(self) -> None:
        """Deliver overdue SMS, or end those that have expired while none can be sent."""
        await self.delivery.attempts.release_unconfirmed()
        sender = self.delivery.sender
        is_open = sender is not None and sender.is_open()
        for due in await sms.list_due(self.pool, seconds=GRACE, most=_BATCH, expired=not is_open):
            if not is_open:
                await self.delivery.claim_and_send(due.id, due.project_id)
            elif len(self.deliveries) < _AT_A_TIME:
                self.begin(due.id, due.project_id)

    def begin(self, sms_id: UUID, project_id: str) -> None:
        """Begin to deliver an SMS, if that is not under way."""
        if sms_id in self.deliveries:
            return
        task = asyncio.create_task(self._deliver(sms_id, project_id))
        self.deliveries[sms_id] = task
        task.add_done_callback(lambda _: self.deliveries.pop(sms_id, None))

    async def _deliver(self, sms_id: UUID, project_id: str) -> None:
        """Deliver one SMS; its errors stop no other."""
        try:
            await self.delivery.deliver(sms_id, project_id)
        except Exception as error:
            if not self.pool.note(error):
                log.exception(
                    "The worker could not try an SMS; it finds it again by polling",
                    extra={"event": "sms.delivery_failed", "sms": str(sms_id)},
                )

    async def watch(self) -> None:
        """Tell the operator of projects whose codes hardly anybody types in."""
        for found in await sms.low_conversions(self.pool, most=_LAST, least=_LEAST):
            log.error(
                "Hardly any code of the project's last SMS was used: it may be toll fraud",
                extra={"event": "sms.low_conversion", "project": found.project_id, "sent": found.sent}
                | {"used": found.used},
            )


def _report_fault(error: Exception) -> None:
    log.error("A periodic task for SMS failed", exc_info=error, extra={"event": "sms.task_failed"})
