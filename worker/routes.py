"""The way of a mail: a relay, and what a project's own one may take of its worker."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from service.store.project_relays import ProjectRelay
from worker.asyncio_tools import cancel_and_wait
from worker.concurrency import DeliverySlots
from worker.smtp import Accepted, RateReservation, RelayPool, TemporaryFailure

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

    def release_rate(self, reservation: RateReservation) -> None:
        pass

    async def send(self, *_mail: object, **_options: object) -> Accepted:
        raise TemporaryFailure(0, self._fault, "connect", "ours", self._server)


Relay = RelayPool | UnusableRelay


@dataclass(slots=True, eq=False)
class Route:
    """A relay, with the settings of its project if it is a project's own.

    `recovered` is set when an own relay works again.
    """

    relay: Relay
    settings: ProjectRelay | None = None
    recovered: asyncio.Event = field(default_factory=asyncio.Event)
    probes: "asyncio.Task[None] | None" = None
    busy: int = 0

    def is_open(self) -> bool:
        """Return whether a mail can be delivered now: the relay is available, and not busy with as many as it may."""
        return self.relay.is_available() and (self.settings is None or self.busy < _MOST)

    @asynccontextmanager
    async def slot(self, slots: DeliverySlots) -> AsyncIterator[RateReservation | None]:
        """Wait for a slot and for the relay's rate; busy from the start.

        An own relay takes none of the slots: one that hangs, or wants a mail a minute, must not delay other mails.
        """
        acquire = slots.acquire if self.settings is None else slots.admit
        self.busy += 1
        try:
            async with acquire(self.relay.acquire_rate) as reservation:
                yield reservation
        finally:
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
