"""The stop of a worker: the first signal asks for it, a second one for haste."""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from service.cancellation import cancel_and_wait
from service.supervision import STOPPING, Supervision
from worker.concurrency import DeliverySlots

log = logging.getLogger("worker")
# Seconds for deliveries to finish when the worker is stopped.
_DRAIN = 10.0


@dataclass(frozen=True, slots=True)
class Shutdown:
    """`requested` by the first SIGTERM or SIGINT, `hurried` by the second: deliveries then have no time to finish."""

    requested: asyncio.Event = field(default_factory=asyncio.Event)
    hurried: asyncio.Event = field(default_factory=asyncio.Event)

    def listen(self, starter: Supervision) -> None:
        """Take signals from now on; the starter is told of the first."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._take_signal, starter)

    def _take_signal(self, starter: Supervision) -> None:
        if self.requested.is_set():
            log.info("The worker stops at once", extra={"event": "worker.stopping_now"})
            self.hurried.set()
        else:
            log.info("The worker is stopping", extra={"event": "worker.stopping"})
            starter.report(STOPPING)
            self.requested.set()

    async def run_until_requested(self, act: Coroutine[Any, Any, None]) -> bool:
        """Run `act`, or cancel it when told to stop; return whether it finished."""
        acting, stopping = asyncio.create_task(act), asyncio.create_task(self.requested.wait())
        await asyncio.wait({acting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        done = acting.done()
        await cancel_and_wait(stopping)
        await cancel_and_wait(acting)
        return done

    async def drain(self, slots: DeliverySlots) -> None:
        """Wait for the stop, then for the deliveries that are under way."""
        await self.requested.wait()
        await slots.drain(seconds=_DRAIN, hurry=self.hurried)
