"""Dispatch due mails in batches: those of the shared relay here, those of projects' own relays beside them."""

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

from service.queue import SEND_MAIL
from worker.batches import Batches
from worker.delivery import Delivery
from worker.leases import LeaseGrace
from worker.own_relay_dispatcher import OwnRelayDispatcher
from worker.wake_ups import WakeUps

_BATCH = 100


@dataclass(slots=True)
class Dispatcher:
    """Dispatcher of one worker."""

    delivery: Delivery
    _batches: Batches = field(init=False)
    # A shared relay whose rate is waited for must not hold up the projects' own.
    _shared: WakeUps = field(init=False)
    _own: OwnRelayDispatcher = field(init=False)
    # Set while so few mails of batches are in hand that the next batch is worth a claim.
    _room: asyncio.Event = field(default_factory=asyncio.Event)
    _polled: bool = True

    def __post_init__(self) -> None:
        self._batches = Batches(self.delivery)
        self._shared = WakeUps(self._dispatch_shared, self._batches.report)
        self._own = OwnRelayDispatcher(self._batches)
        self._room.set()

    @property
    def deliveries(self) -> dict[UUID, asyncio.Task[None]]:
        """Return the tasks under way, by mail."""
        return self._batches.tasks

    @property
    def grace(self) -> LeaseGrace:
        return self._batches.grace

    def wake(self, *, polled: bool = False) -> "set[asyncio.Task[None]]":
        """Have due mails dispatched; return the tasks that do. `polled` ones were found without a job."""
        self._polled = self._polled and polled
        return {self._shared.wake(), self._own.wake_ups.wake()}

    async def stop(self) -> None:
        await self._shared.stop()
        await self._own.wake_ups.stop()

    async def _dispatch_shared(self) -> None:
        """Dispatch batches until nothing is due, or nothing can be sent now."""
        polled, self._polled = self._polled, True
        more = True
        while more and not self.delivery.slots.is_closed() and (await self.delivery.relays.choose()).shared:
            await self._room.wait()
            more = await self._dispatch_batch(polled=polled)

    async def _dispatch_batch(self, *, polled: bool) -> bool:
        """Begin the deliveries of one batch; return whether more mails may be due."""
        delivery, route = self.delivery, self.delivery.relays.shared_route
        most = min(_BATCH, delivery.slots.most - route.busy)
        due = await self._batches.find_due(most, but=delivery.relays.own())
        if len(due) == most:
            # There may be more than this worker can send: another one looks too.
            delivery.job_queue.enqueue(SEND_MAIL, due[-1].id)
        free = [mail for mail in due if self._batches.is_free(mail.id)]
        if not free:
            return False
        tried, begun = await self._batches.claim(route, free)
        if polled:
            delivery.recorder.metrics.add("mails_polled", len(begun))
        for task in begun:
            task.add_done_callback(self._make_room)
        if route.busy >= delivery.slots.most:
            self._room.clear()
        return bool(begun) and (tried < len(free) or len(due) == most)

    def _make_room(self, _task: object) -> None:
        if self.delivery.relays.shared_route.busy <= self.delivery.slots.most // 2:
            self._room.set()
