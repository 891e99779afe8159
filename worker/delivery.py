"""Claim, send, mark: a mail's way out of the outbox (reliability.md B2)."""

import logging
import time
from dataclasses import dataclass, field, replace
from uuid import UUID

from service import db, email_addresses
from service.crypto.key_derivation import KeyRing
from service.db import Connection, Pool, transaction
from service.queue import RECORD_LOG, JobQueue
from service.store import events, outbox, tokens, users
from service.store.outbox import Claim, FinalState, Lease
from service.store.tokens import Kind, Token
from service.store.users import User
from worker.concurrency import DeliverySlots
from worker.mail import compose
from worker.outcomes import OutcomeRecorder
from worker.sent_journal import SentEntry
from worker.smtp import Accepted, PermanentFailure, RelayPool, TemporaryFailure

log = logging.getLogger(__name__)
# A row that can't even be read is our fault: it is tried a few times, never for ever.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class NothingToSend(Exception):
    """There is nothing to send, and why."""

    state: FinalState
    fault: str


class CannotSendYet(Exception):
    """It can't be sent as things stand here; the message says why."""


@dataclass(slots=True)
class Delivery:
    """Everything that a mail meets on its way."""

    pool: Pool
    relay: RelayPool
    job_queue: JobQueue
    ring: KeyRing = field(repr=False)
    sender: str
    public_url: str
    slots: DeliverySlots
    recorder: OutcomeRecorder

    async def deliver(self, mail_id: UUID) -> None:
        """Send that mail if it is still to be sent. Safe to call at any time, any number of times."""
        if not self.relay.is_available():
            return
        async with self.slots.acquire(self.relay.acquire_rate) as admitted:
            if admitted is not None and not await self.claim_and_send(mail_id):
                self.relay.release_rate(admitted)

    async def claim_and_send(self, mail_id: UUID) -> bool:
        """As `deliver`, without asking whether one more may go; whether the relay was asked to carry it."""
        asked = time.monotonic()
        claim = await self._claim(mail_id)
        if claim is None:
            return False
        self.recorder.counts.add("attempts")
        if claim.stolen:
            self.recorder.counts.add("leases_taken_over")
            log.warning("took over a lease that ran out", extra={"mail": str(claim.id), "attempt": claim.attempts})
        with self.recorder.leases.holding(claim, asked) as lease:
            return await self._record_outcome(claim, lease)

    async def _claim(self, mail_id: UUID) -> Claim | None:
        """A row that can't be read is tried again when its lease runs out, a few times."""
        try:
            return await self.recorder.leases.claim(mail_id)
        except Exception as error:
            if db.find_fault(error) is None:
                fault = f"its row can't be read: {type(error).__name__}"
                await outbox.fail_unreadable(
                    self.pool, mail_id, worker=self.recorder.leases.worker, tries=_TRIES, fault=fault
                )
            raise

    async def _record_outcome(self, claim: Claim, lease: Lease) -> bool:
        try:
            accepted = await self._compose_and_send(claim, lease)
        except NothingToSend as end:
            await self.recorder.record_final(claim, end.state, fault=end.fault)
            return False
        except CannotSendYet as fault:
            await self.recorder.record_blocked(claim, str(fault))
            return False
        except PermanentFailure as refusal:
            await self.recorder.record_refused(claim, refusal)
        except TemporaryFailure as fault:
            await self.recorder.record_retry(claim, fault)
        except Exception as error:  # noqa: BLE001 - one poison mail must not stop the others
            await self.recorder.record_error(claim, error)
        else:
            await self.recorder.record_sent(SentEntry(lease, accepted.code, accepted.server), answer=accepted.text)
        return True

    async def _compose_and_send(self, claim: Claim, lease: Lease) -> Accepted:
        token = await self._resolve_token(claim) if claim.token_id else None
        if claim.late:
            raise NothingToSend("expired", "it could not be sent while it was of use")
        if token and token.kid not in self.ring:
            # Maybe a newer process has a key that this one will only have after its restart.
            raise CannotSendYet(f"the key {token.kid} of its link is not among SECRET_KEYS")
        if token and claim.user_id and compose.is_sign_up(token):
            # There is an account: its owner is told so, and whoever signed up is told nothing.
            claim, token = replace(claim, letter="already_registered"), None
        if not email_addresses.is_plain(claim.recipient):
            raise NothingToSend("failed", "its recipient is no address that can be mailed")
        if fault := compose.fault(claim, self.sender):
            raise CannotSendYet(fault)
        try:
            message = compose.compose(claim, token, self.ring, sender=self.sender, public_url=self.public_url)
        except compose.ForbiddenTarget:
            raise NothingToSend("cancelled", "its link leads to a host that is no longer allowed") from None
        address = claim.sender_address or self.sender
        with self.recorder.fenced(claim, lease) as still_ours:
            accepted = await self.relay.send(address, claim.recipient, message, before_data=still_ours)
            # Nothing is awaited in between: what was taken is on record whatever happens next.
            self.recorder.journal.append(SentEntry(lease, accepted.code, accepted.server))
        return accepted

    async def _resolve_token(self, claim: Claim) -> Token:
        """The live token whose secret is to be mailed; finds out whose it is where the API must not know."""
        token = compose.token_of(claim)
        if token is None:
            # The link may have died before anyone found out whom its event concerns.
            await events.assign_user(self.pool, claim.project_id, token_id=claim.token_id or "", user_id=claim.user_id)
            raise NothingToSend("cancelled", "its link was used or made void")
        if token.kind in (Kind.MAGIC_URL, Kind.OTP):
            if claim.user_status == "blocked":
                # Its row stays: who guesses at its code must not tell by the time that taking it away would show.
                raise NothingToSend("void", "the account of this address is blocked")
            return token
        if token.kind in (Kind.ACCOUNT_UNDO, Kind.EMAIL_UNDO):
            return token  # it is for the address that was the user's, whatever has happened since
        if compose.is_sign_up(token):
            if claim.user_status == "blocked":
                raise NothingToSend("void", "the account of this address is blocked")
            return token
        if token.user_id is None:
            return await self._assign_user(claim, token)
        fresh = claim.user_id == token.user_id and claim.email_version == token.email_version
        if not fresh or claim.user_status == "blocked":
            raise NothingToSend("cancelled", "the address or the account has changed")
        return token

    async def _assign_user(self, claim: Claim, token: Token) -> Token:
        """A link asked for by address: give it to the address's user, or note that there is nobody."""
        adopted = None
        async with transaction(self.pool) as tx:
            somebody = await self._owner(tx, token)
            if somebody:
                adopted = await tokens.assign_user(
                    tx, token.project_id, token_id=token.id, user_id=somebody.id, email_version=somebody.email_version
                )
                await outbox.assign_user(tx, claim, user_id=somebody.id)
            else:
                await tokens.delete(tx, token.project_id, token_id=token.id)
            owner_id = somebody.id if somebody else None
            settled = await events.assign_user(tx, token.project_id, token_id=token.id, user_id=owner_id)
        await self.job_queue.enqueue(RECORD_LOG, *settled)
        if adopted is None:
            raise (
                NothingToSend("void", "no account has this address")
                if not somebody
                else NothingToSend("cancelled", "adopted twice")
            )
        return adopted

    async def _owner(self, tx: Connection, token: Token) -> User | None:
        """Whose address it is now, locked: since the claim it may have gone to another account."""
        for _ in range(2):  # who is waited for may leave the address to somebody whom only a new look sees
            if user := await users.lock_by_email(tx, token.project_id, email=token.email):
                return user if user.status != "blocked" else None
        return None
