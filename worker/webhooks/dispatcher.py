"""Find webhooks that are owed an event, and deliver to each beside the others, to none more than a few at a time."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from service.crypto.key_derivation import KeyRing
from service.crypto.sealing import CannotUnseal
from service.crypto.secret import Secret
from service.db import Pool
from service.store import webhooks
from service.store.webhooks import Claim, DueEndpoint, Endpoint
from worker.concurrency import DeliverySlots
from worker.waiting import run_every
from worker.wake_ups import WakeUps
from worker.webhooks.delivery import LEASE, WebhookDelivery

log = logging.getLogger(__name__)
POLL_INTERVAL = 1.0
# Exchanges at a time of one worker with one webhook, and with one whose last attempt failed.
AT_ONCE, AT_ONCE_FAILING = 8, 1
# All of a worker.
_AT_ONCE_IN_ALL = 400
# Seconds until a webhook whose secrets can't be opened is looked at again.
_SEALED_PAUSE = 60.0
_Place = tuple[str, str]


@dataclass(slots=True)
class WebhookDispatcher:
    """Dispatcher of one worker; deliveries under way are drained with `slots`."""

    pool: Pool
    delivery: WebhookDelivery
    ring: KeyRing = field(repr=False)
    worker: str
    slots: DeliverySlots
    _busy: Counter[_Place] = field(default_factory=Counter)
    _wake_ups: WakeUps = field(init=False)

    def __post_init__(self) -> None:
        self._wake_ups = WakeUps(self._dispatch, self._report)

    async def run(self) -> None:
        """Look each second until cancelled: for what other workers have filed, and for what is due again."""
        try:
            await run_every(POLL_INTERVAL, self.dispatch, self.pool, away=POLL_INTERVAL, report=self._report)
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Claim no more. Deliveries under way are the slots' to drain."""
        await self._wake_ups.stop()

    def wake(self) -> None:
        """Look soon."""
        if not self.slots.is_closed():
            self._wake_ups.wake()

    async def dispatch(self) -> None:
        """Begin what is due."""
        await self._wake_ups.wake()

    async def _dispatch(self) -> None:
        for due in await webhooks.list_due(self.pool):
            if self.slots.is_closed():
                return
            most = AT_ONCE_FAILING if due.failing else AT_ONCE
            free = min(most - self._busy[due.project_id, due.id], _AT_ONCE_IN_ALL - self._busy.total())
            if free > 0:
                await self._begin(due, free)

    async def _begin(self, due: DueEndpoint, most: int) -> None:
        """Claim for one webhook, and begin to deliver."""
        place, claimed_at = (due.project_id, due.id), time.monotonic()
        claims = await webhooks.claim(self.pool, *place, worker=self.worker, lease=LEASE, most=most)
        if not claims:
            return
        endpoint = await webhooks.find(self.pool, *place)
        try:
            secrets = await webhooks.live_secrets(self.pool, self.ring, *place)
        except CannotUnseal as fault:
            await self._postpone(claims, str(fault))
            return
        if endpoint is None:  # deleted since, with all that it was owed
            return
        for claim in claims:
            task = asyncio.create_task(self._run(claim, endpoint, secrets, claimed_at))
            self._busy[place] += 1
            self.slots.watch(task)

    async def _run(self, claim: Claim, endpoint: Endpoint, secrets: Sequence[Secret], claimed_at: float) -> None:
        place = (endpoint.project_id, endpoint.id)
        try:
            await self.delivery.deliver(claim, endpoint, secrets, claimed_at)
        except Exception as error:
            if not self.pool.note(error):
                log.exception(
                    "The worker could not deliver to a webhook; it tries again once the lease has run out",
                    extra={"event": "webhook.delivery_failed", "project": place[0], "webhook": place[1]},
                )
        finally:
            self._busy[place] -= 1
            if not self._busy[place]:
                del self._busy[place]
        self.wake()

    async def _postpone(self, claims: list[Claim], fault: str) -> None:
        """Release the claims of a webhook whose secrets can't be opened, for a while."""
        for claim in claims:
            await webhooks.release(self.pool, claim, seconds=_SEALED_PAUSE)
        found = claims[0].delivery
        log.error(
            "A webhook's secret can't be opened",
            extra={"event": "webhook.cannot_unseal", "project": found.project_id, "webhook": found.endpoint_id}
            | {"cause": fault},
        )

    def _report(self, error: Exception) -> None:
        if not self.pool.note(error):
            log.error("A periodic task for webhooks failed", exc_info=error, extra={"event": "webhook.task_failed"})
