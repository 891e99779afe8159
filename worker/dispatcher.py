"""Dispatch due mails: claim them in batches, and deliver each in a task of its own.

Mails of projects that have a relay of their own are claimed one by one, when that relay takes them.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from service.queue import SEND_MAIL
from service.store import outbox
from service.store.outbox import Claim, DueMail
from worker.delivery import Delivery
from worker.leases import LeaseGrace
from worker.smtp import RateReservation
from worker.wake_ups import WakeUps

log = logging.getLogger(__name__)
_BATCH = 100


@dataclass(slots=True)
class Dispatcher:
    """Dispatcher of one worker. `deliveries` are the tasks under way, by mail."""

    delivery: Delivery
    grace: LeaseGrace = field(default_factory=LeaseGrace)
    deliveries: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    # A shared relay whose rate is waited for must not hold up the projects' own.
    _shared: WakeUps = field(init=False)
    _own: WakeUps = field(init=False)
    _batched: int = 0
    # Set while so few mails of batches are in hand that the next batch is worth a claim.
    _room: asyncio.Event = field(default_factory=asyncio.Event)
    _polled: bool = True

    def __post_init__(self) -> None:
        self._shared = WakeUps(self._dispatch_shared, self._report)
        self._own = WakeUps(self._dispatch_own, self._report)
        self._room.set()

    def wake(self, *, polled: bool = False) -> "set[asyncio.Task[None]]":
        """Have due mails dispatched; return the tasks that do. `polled` ones were found without a job."""
        self._polled = self._polled and polled
        return {self._shared.wake(), self._own.wake()}

    async def stop(self) -> None:
        await self._shared.stop()
        await self._own.stop()

    async def _dispatch_own(self) -> None:
        """Begin deliveries until no relay of a project takes more: a long backlog of one holds up no other."""
        while (projects := (await self.delivery.relays.choose()).own) and not self.delivery.slots.is_closed():
            due = await self._find_due(_BATCH, only=projects)
            new = [mail for mail in due if mail.id not in self.deliveries]
            for mail in new:
                self._begin(mail.id, partial(self.delivery.deliver, mail.id, mail.project_id))
            if not new or len(due) < _BATCH:
                return
            await asyncio.sleep(0)  # each has begun, or found its relay busy

    async def _dispatch_shared(self) -> None:
        """Dispatch batches until nothing is due, or nothing can be sent now."""
        polled, self._polled = self._polled, True
        more = True
        while more and not self.delivery.slots.is_closed() and (await self.delivery.relays.choose()).shared:
            await self._room.wait()
            more = await self._dispatch_batch(polled=polled)

    async def _dispatch_batch(self, *, polled: bool) -> bool:
        """Begin the deliveries of one batch; return whether more mails may be due."""
        delivery = self.delivery
        most = min(_BATCH, delivery.slots.most - self._batched)
        due = [mail.id for mail in await self._find_due(most, but=delivery.relays.own())]
        if len(due) == most:
            # There may be more than this worker can send: another one looks too.
            delivery.job_queue.enqueue(SEND_MAIL, due[-1])
        free = [each for each in due if each not in self.deliveries and delivery.recorder.leases.claims.is_free(each)]
        if not free:
            return False
        tried, claimed = await self._claim(free)
        if polled:
            delivery.recorder.metrics.add("mails_polled", claimed)
        return claimed > 0 and (tried < len(free) or len(due) == most)

    async def _find_due(self, most: int, *, only: list[str] | None = None, but: Collection[str] = ()) -> list[DueMail]:
        due = await outbox.find_due(
            self.delivery.pool, seconds=0, patience=self.grace.patience(), most=most, only=only, but=but
        )
        self.grace.note_answer()
        return due

    async def _claim(self, mail_ids: list[UUID]) -> tuple[int, int]:
        """Claim as many mails as slots and rate allow, and begin to send them; return how many were tried and claimed.

        Waits until one can be sent, before the claim, so that no lease runs meanwhile.
        """
        slots, relay = self.delivery.slots, self.delivery.relays.shared
        async with slots.acquire_many(len(mail_ids), relay.acquire_rate, relay.acquire_free_rates) as reservations:
            claimed_at = time.monotonic()
            claims: list[Claim] = []
            try:
                if reservations:
                    claims = await self.delivery.claim(*mail_ids[: len(reservations)])
            finally:
                for reservation in reservations[len(claims) :]:
                    relay.release_rate(reservation)
                    slots.release()
            for claim, reservation in zip(claims, reservations, strict=False):
                self._batched += 1
                task = self._begin(claim.id, partial(self._deliver, claim, claimed_at, reservation))
                slots.hold(task)
                task.add_done_callback(self._count_down)
            if self._batched >= slots.most:
                self._room.clear()
        return len(reservations), len(claims)

    def _begin(self, mail_id: UUID, deliver: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._run(mail_id, deliver))
        self.deliveries[mail_id] = task
        task.add_done_callback(lambda _: self.deliveries.pop(mail_id, None))
        return task

    def _count_down(self, _task: asyncio.Task[None]) -> None:
        self._batched -= 1
        if self._batched <= self.delivery.slots.most // 2:
            self._room.set()

    async def _deliver(self, claim: Claim, claimed_at: float, reservation: RateReservation) -> None:
        if not await self.delivery.send_claimed(claim, claimed_at):
            self.delivery.relays.shared.release_rate(reservation)

    async def _run(self, mail_id: UUID, deliver: Callable[[], Awaitable[None]]) -> None:
        """Run one delivery; its errors stop no other."""
        try:
            await deliver()
        except Exception as error:
            if not self.delivery.pool.note(error):
                log.exception(
                    "The worker could not try a mail that is due; it tries again",
                    extra={"event": "dispatcher.delivery_failed", "mail": str(mail_id)},
                )

    def _report(self, error: Exception) -> None:
        if not self.delivery.pool.note(error):
            log.error(
                "The worker could not look for due mails", exc_info=error, extra={"event": "dispatcher.dispatch_failed"}
            )
