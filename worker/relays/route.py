"""The way of a mail: a relay, and what a project's own one may take of its worker."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from service.cancellation import cancel_and_wait
from service.store.project_relays import ProjectRelay
from worker.concurrency import DeliverySlots
from worker.relays import Accepted, RateReservation, RelayPool, TemporaryFailure

log = logging.getLogger(__name__)
# Deliveries at a time by a project's own relay.
_MOST = 10
# Seconds until probes that ended with an error are run again.
_RESTART = 1.0


class UnusableRelay:
    """Stands for a project's relay that an operator has to mend: its mails wait, and their history says why."""

    def __init__(self, server: str, fault: str) -> None:
        self._server, self._fault = server, fault

    def is_available(self) -> bool:
        return True

    async def acquire_rate(self) -> RateReservation:
        return RateReservation(0.0, None)

    async def acquire_free_rates(self, most: int) -> list[RateReservation]:
        return [RateReservation(0.0, None)] * most

    def release_rate(self, reservation: RateReservation) -> None:
        pass

    async def send(self, *_mail: object, **_options: object) -> Accepted:
        raise TemporaryFailure(0, self._fault, "connect", "ours", self._server)


Relay = RelayPool | UnusableRelay


@dataclass(slots=True, eq=False)
class Route:
    """A relay, with the settings of its project if it is a project's own.

    `recovered` is set when an own relay works again. `busy` is the number of mails in hand.
    """

    relay: Relay
    settings: ProjectRelay | None = None
    recovered: asyncio.Event = field(default_factory=asyncio.Event)
    probes: "asyncio.Task[None] | None" = None
    busy: int = 0

    def is_open(self) -> bool:
        """Return whether a mail can be delivered now: the relay is available, and not busy with as many as it may."""
        return self.relay.is_available() and (self.settings is None or self.busy < _MOST)

    def room(self) -> int:
        """Return how many more mails a project's own relay may have in hand."""
        return _MOST - self.busy

    def is_half_empty(self) -> bool:
        """Return whether so few mails of a project's own relay are in hand that the next batch is worth a claim."""
        return self.busy <= _MOST // 2

    @asynccontextmanager
    async def reserve(self, slots: DeliverySlots, most: int) -> AsyncIterator[list[RateReservation]]:
        """Wait for a slot and for the relay's rate; yield reservations for at most so many mails, busy from the start.

        Each is to be held by its mail's task or released; there is none if the worker stops before that.
        An own relay takes none of the slots: one that hangs, or wants a mail a minute, must not delay other mails.
        """
        acquire = slots.acquire_many if self.settings is None else slots.admit_many
        waiting = most
        self.busy += waiting
        try:
            async with acquire(most, self.relay.acquire_rate, self.relay.acquire_free_rates) as reservations:
                self.busy -= waiting - len(reservations)
                waiting = 0
                yield reservations
        finally:
            self.busy -= waiting

    def hold(self, slots: DeliverySlots, task: "asyncio.Task[None]") -> None:
        """Have a mail's task keep what a reservation stands for until it ends."""
        (slots.hold if self.settings is None else slots.watch)(task)
        task.add_done_callback(self._end)

    def release(self, slots: DeliverySlots, reservation: RateReservation) -> None:
        """Release a reservation that no task holds, for another mail."""
        self.relay.release_rate(reservation)
        if self.settings is None:
            slots.release()
        self.busy -= 1

    def _end(self, _task: object) -> None:
        self.busy -= 1

    async def close(self) -> None:
        if self.probes:
            await cancel_and_wait(self.probes)
        if isinstance(self.relay, RelayPool):
            await self.relay.close()


async def run_probes(relay: RelayPool) -> None:
    """Run a relay's probes, again after any error."""
    while True:
        try:
            await relay.run_probes()
        except Exception:
            log.exception("The worker could not probe the relays", extra={"event": "relay.probe_failed"})
        await asyncio.sleep(_RESTART)
