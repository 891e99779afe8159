"""Batches of due mails: find them, claim those of a project by one statement, and send each in a task of its own."""

import asyncio
import logging
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

from service.store import outbox
from service.store.outbox import DueMail
from service.store.outbox_claims import Claim
from worker.delivery import Delivery
from worker.leases import LeaseGrace
from worker.relays import RateReservation
from worker.relays.route import Route

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Batches:
    """Batches of one worker. `tasks` are those under way, by mail: of its delivery, or of its batch's claim."""

    delivery: Delivery
    grace: LeaseGrace = field(default_factory=LeaseGrace)
    tasks: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)

    async def find_due(self, most: int, *, only: list[str] | None = None, but: Collection[str] = ()) -> list[DueMail]:
        """Find due mails of some projects, or of all but some, the longest due first."""
        due = await outbox.find_due(
            self.delivery.pool, seconds=0, patience=self.grace.patience(), most=most, only=only, but=but
        )
        self.grace.note_answer()
        return due

    def is_free(self, mail_id: UUID) -> bool:
        """Return whether a due mail is in nobody's hands here, nor in doubt."""
        return mail_id not in self.tasks and self.delivery.recorder.leases.claims.is_free(mail_id)

    async def claim(self, route: Route, mails: list[DueMail]) -> tuple[int, list[asyncio.Task[None]]]:
        """Claim as many mails as slots and rate allow, and begin to send them; return how many were tried, and tasks.

        Waits until one can be sent, before the claim, so that no lease runs meanwhile.
        """
        slots = self.delivery.slots
        async with route.reserve(slots, len(mails)) as reservations:
            claimed_at = time.monotonic()
            claims: list[Claim] = []
            try:
                if reservations:
                    claims = await self.delivery.claim(*mails[: len(reservations)])
            finally:
                for reservation in reservations[len(claims) :]:
                    route.release(slots, reservation)
            begun = [
                asyncio.create_task(self._deliver(route, claim, claimed_at, reservation))
                for claim, reservation in zip(claims, reservations, strict=False)
            ]
            for claim, task in zip(claims, begun, strict=True):
                route.hold(slots, task)
                self.register(task, claim.id)
        return len(reservations), begun

    def register(self, task: asyncio.Task[None], *mail_ids: UUID) -> None:
        """Remember the task that has these mails in hand, until it ends or another has."""
        self.tasks.update(dict.fromkeys(mail_ids, task))
        task.add_done_callback(lambda _: self._forget(task, mail_ids))

    def _forget(self, task: asyncio.Task[None], mail_ids: Collection[UUID]) -> None:
        for mail_id in mail_ids:
            if self.tasks.get(mail_id) is task:
                del self.tasks[mail_id]

    async def _deliver(self, route: Route, claim: Claim, claimed_at: float, reservation: RateReservation) -> None:
        """Deliver one mail; its errors stop no other."""
        try:
            if not await self.delivery.send_claimed(claim, claimed_at):
                route.relay.release_rate(reservation)
        except Exception as error:
            if not self.delivery.pool.note(error):
                log.exception(
                    "The worker could not try a mail that is due; it tries again",
                    extra={"event": "dispatcher.delivery_failed", "mail": str(claim.id)},
                )

    def report(self, error: Exception) -> None:
        """Log an error that kept a batch from being found or claimed."""
        if not self.delivery.pool.note(error):
            log.error(
                "The worker could not look for due mails", exc_info=error, extra={"event": "dispatcher.dispatch_failed"}
            )
