"""Keep the leases of the mails that are being claimed and sent."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from service import failpoints
from service.db import Pool
from service.store import outbox_leases
from service.store.outbox_claims import Claim
from service.store.outbox_leases import Lease
from worker.claims import Claims

LEASE, RENEWAL = 30.0, 10.0
# Seconds that a lease must have run out for; and seconds in which a live worker has renewed its leases once Postgres is
# back: it tries each second.
_TAKE_OVER, _GRACE = 1.0, 5.0


@dataclass(slots=True)
class LeaseGrace:
    """Patience with leases of others that ran out: after an outage of Postgres their workers may be alive.

    `_seen` is the time of its last answer; `_lost_at` that of the last one before an outage.
    """

    _seen: float = field(default_factory=time.monotonic)
    _lost_at: float = 0.0
    _grace_until: float = 0.0

    def patience(self) -> float:
        """Return the seconds that a lease must have run out for before its mail is claimed; ask before each query."""
        now = time.monotonic()
        self._notice_outage(now)
        return max(_TAKE_OVER, now - self._lost_at) if now < self._grace_until else _TAKE_OVER

    def note_answer(self) -> None:
        now = time.monotonic()
        self._notice_outage(now)
        self._seen = now

    def _notice_outage(self, now: float) -> None:
        if now - self._seen > LEASE / 3:
            self._lost_at, self._grace_until = self._seen, now + _GRACE


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
            await outbox_leases.release(self.pool, list(lost), worker=self.worker)
            self.claims.unconfirmed -= lost

    @contextmanager
    def holding(self, claim: Claim, claimed_at: float) -> Iterator[Lease]:
        """Have the lease renewed during the block; `claimed_at` is the time before the claim."""
        # The key has the attempt too: a worker that was paused may claim its own mail again.
        lease = Lease(claim.id, claim.attempts, claim.project_id)
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
        renewed = set(await outbox_leases.renew(self.pool, leases, worker=self.worker, lease=LEASE))
        for lease in leases:
            if lease in self.held:
                self.held[lease] = sent_at if lease in renewed else -math.inf
        if failpoints.armed:
            await failpoints.reach("worker.renew.after")
