"""Keep the leases of the mails that are being claimed and sent."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from service import db, failpoints
from service.db import Pool
from service.store import outbox
from service.store.outbox import Claim, Lease

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
    # Mails whose claim got no answer: they may be leased to this worker, which does not renew them.
    unconfirmed: set[UUID] = field(default_factory=set)
    _claiming: set[UUID] = field(default_factory=set)

    @contextmanager
    def claiming(self, mail_id: UUID) -> Iterator[bool]:
        """Yield True if the mail may be claimed: no other task is claiming it, and its last claim was answered."""
        if mail_id in self._claiming or mail_id in self.unconfirmed:
            yield False
            return
        self._claiming.add(mail_id)
        try:
            yield True
        except Exception as error:
            if db.find_fault(error):
                self.unconfirmed.add(mail_id)
            raise
        finally:
            self._claiming.discard(mail_id)

    async def release_unconfirmed(self, *, sent: set[UUID]) -> None:
        """Release the mails whose claim got no answer, so that they need not wait for the lease to run out.

        Not those held by an earlier claim, nor those `sent` and not recorded yet.
        """
        busy = self._claiming | sent | {lease.id for lease in self.held}
        if unconfirmed := self.unconfirmed - busy:
            await outbox.release(self.pool, list(unconfirmed), worker=self.worker)
            self.unconfirmed -= unconfirmed

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
