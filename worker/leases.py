"""What this worker has in hand: each mail by a lease that is renewed while it is being sent."""

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
    """Times are of time.monotonic(), which goes on while a process is stopped; `worker` is the name in the rows."""

    pool: Pool
    worker: str
    # When the lease was last asked for and got; minus infinity once Postgres said that it is another's.
    held: dict[Lease, float] = field(default_factory=dict)
    # Mails whose claim got no answer: they may be this worker's, and nobody would renew their lease.
    unconfirmed: set[UUID] = field(default_factory=set)
    _claiming: set[UUID] = field(default_factory=set)

    async def claim(self, mail_id: UUID) -> Claim | None:
        """None if there is nothing to claim, if somebody else here is at it, or while that is in doubt."""
        if mail_id in self._claiming or mail_id in self.unconfirmed:
            return None
        self._claiming.add(mail_id)
        try:
            return await self._claim(mail_id)
        except Exception as error:
            if db.find_fault(error):
                self.unconfirmed.add(mail_id)
            raise
        finally:
            self._claiming.discard(mail_id)

    async def release_unconfirmed(self, *, sent: set[UUID]) -> None:
        """Give back what was claimed without an answer, so that nobody waits for a lease that no one knows of.

        Not what is in hand by an earlier claim, nor what is known to be `sent` and not marked yet.
        """
        busy = self._claiming | sent | {lease.id for lease in self.held}
        if doubtful := self.unconfirmed - busy:
            await outbox.release(self.pool, list(doubtful), worker=self.worker)
            self.unconfirmed -= doubtful

    async def _claim(self, mail_id: UUID) -> Claim | None:
        if failpoints.armed:
            await failpoints.reach("worker.claim.before")
        claim = await outbox.claim(self.pool, mail_id, worker=self.worker, lease=LEASE)
        if failpoints.armed:
            await failpoints.reach("worker.claim.after")
        return claim

    @contextmanager
    def holding(self, claim: Claim, asked: float) -> Iterator[Lease]:
        """While the mail is in here `renew` keeps its lease."""
        # By attempt too: a worker that was held up may meet its own mail again.
        lease = Lease(claim.id, claim.attempts)
        self.held[lease] = asked
        try:
            yield lease
        finally:
            self.held.pop(lease, None)

    async def renew(self) -> None:
        """Keep the leases of what is being sent."""
        if self.held:
            await self._renew(list(self.held))

    async def is_valid(self, lease: Lease) -> bool:
        """Asked just before the words go out: only a worker that was held up for long needs to ask Postgres."""
        if time.monotonic() - self.held.get(lease, -math.inf) < LEASE / 2:
            return True
        await self._renew([lease])
        return self.held.get(lease, -math.inf) > -math.inf

    async def _renew(self, leases: list[Lease]) -> None:
        if failpoints.armed:
            await failpoints.reach("worker.renew.before")
        asked = time.monotonic()
        renewed = set(await outbox.renew(self.pool, leases, worker=self.worker, lease=LEASE))
        for lease in leases:
            if lease in self.held:
                self.held[lease] = asked if lease in renewed else -math.inf
        if failpoints.armed:
            await failpoints.reach("worker.renew.after")
