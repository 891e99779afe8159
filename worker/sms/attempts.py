"""Attempts of one worker at SMS, so that a claim whose answer was lost counts as no send."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from service.db import Pool
from service.store import sms
from service.store.outbox_leases import Lease
from service.store.sms import SmsClaim
from worker.claims import Claims

# Longer than an exchange with the webhook; a worker that was paused for half of it hands nothing over.
LEASE = 30.0


@dataclass(slots=True)
class SmsAttempts:
    """`held` are the attempts in hand; `unrecorded` the SMS of attempts whose outcome could not be recorded."""

    pool: Pool
    worker: str
    claims: Claims = field(default_factory=Claims)
    held: set[Lease] = field(default_factory=set)
    unrecorded: set[UUID] = field(default_factory=set)

    async def claim(self, sms_id: UUID, project_id: str = "") -> SmsClaim | None:
        """Claim an SMS; None if it is not due, or if a claim of it is in doubt. Without a project that is looked up."""
        project_id = project_id or await sms.find_project(self.pool, sms_id) or ""
        with self.claims.claiming(sms_id) as free:
            return await sms.claim(self.pool, project_id, sms_id, worker=self.worker, lease=LEASE) if free else None

    @contextmanager
    def holding(self, claim: SmsClaim) -> Iterator[None]:
        """Hold an attempt; an error in the block means that its outcome was not recorded."""
        lease = Lease(claim.id, claim.attempts)
        self.held.add(lease)
        try:
            yield
        except BaseException:
            self.unrecorded.add(claim.id)
            raise
        else:
            self.unrecorded.discard(claim.id)
        finally:
            self.held.discard(lease)

    async def release_unconfirmed(self) -> None:
        """Undo the claims that got no answer, with the send that each has counted: nothing was handed over.

        Where an earlier attempt was not recorded, the row may be as that one left it: its send stays counted, and its
        lease runs out.
        """
        if lost := self.claims.lost(busy={lease.id for lease in self.held}):
            await sms.undo_claims(self.pool, list(lost - self.unrecorded), worker=self.worker)
            self.claims.unconfirmed -= lost
