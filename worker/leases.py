"""Keep the leases of the mails that are being claimed and sent."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from service import failpoints
from service.db import Pool
from service.store import outbox
from service.store.outbox import Claim, Lease
from worker.claims import Claims

LEASE, RENEWAL = 30.0, 10.0


@dataclass(slots=True)
class Leases:
    """Leases of one worker. Times are of time.monotonic(), which goes on while a process is stopped.

    `worker` is the name in the rows.
    """

    pool: Pool
    worker: str
    # Time of the last successful claim or renewal; minus infinity once the lease belongs to another worker.
    held: dict[Lease, float] = field(default_factory=dict)
    claims: Claims = field(default_factory=Claims)

    async def release_unconfirmed(self, *, sent: set[UUID]) -> None:
        """Release the mails whose claim got no answer, so that they need not wait for the lease to run out.

        Not those held by an earlier claim, nor those `sent` and not recorded yet.
        """
        if lost := self.claims.lost(busy=sent | {lease.id for lease in self.held}):
            await outbox.release(self.pool, list(lost), worker=self.worker)
            self.claims.unconfirmed -= lost

    @contextmanager
    def holding(self, claim: Claim, claimed_at: float) -> Iterator[Lease]:
        """Have the lease renewed during the block; `claimed_at` is the time before the claim."""
        # The key has the attempt too: a worker that was paused may claim its own mail again.
        lease = Lease(claim.id, claim.attempts)
        self.held[lease] = claimed_at
        try:
            yield lease
        finally:
            self.held.pop(lease, None)

    async def renew(self) -> None:
        """Renew all leases held."""
        if self.held:
            await self._renew(list(self.held))

    async def is_valid(self, lease: Lease) -> bool:
        """Return whether the lease is still this worker's; asks Postgres only if it was not renewed lately."""
        if time.monotonic() - self.held.get(lease, -math.inf) < LEASE / 2:
            return True
        await self._renew([lease])
        return self.held.get(lease, -math.inf) > -math.inf

    async def _renew(self, leases: list[Lease]) -> None:
        if failpoints.armed:
            await failpoints.reach("worker.renew.before")
        sent_at = time.monotonic()
        renewed = set(await outbox.renew(self.pool, leases, worker=self.worker, lease=LEASE))
        for lease in leases:
            if lease in self.held:
                self.held[lease] = sent_at if lease in renewed else -math.inf
        if failpoints.armed:
            await failpoints.reach("worker.renew.after")
