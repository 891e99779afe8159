"""Claim, send, mark: a mail's way out of the outbox (reliability.md B2)."""

import logging
import time
from dataclasses import dataclass, field, replace
from uuid import UUID

from service import db, email_addresses
from service.crypto.key_derivation import KeyRing
from service.db import Connection, Pool, transaction
from service.queue import RECORD_LOG, Bell
from service.store import events, outbox, tokens, users
from service.store.outbox import Claim, End, Lease
from service.store.tokens import Kind, Token
from service.store.users import User
from worker.concurrency import Turns
from worker.mail import compose
from worker.outcomes import Marks
from worker.sent_journal import Receipt
from worker.smtp import Accepted, Refused, Relay, TryLater

log = logging.getLogger(__name__)
# A row that can't even be read is our fault: it is tried a few times, never for ever.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Ended(Exception):
    """There is nothing to send, and why."""

    state: End
    fault: str


class NotYet(Exception):
    """It can't be sent as things stand here; the message says why."""


@dataclass(slots=True)
class Mailer:
    """Everything that a mail meets on its way."""

    pool: Pool
    relay: Relay
    bell: Bell
    ring: KeyRing = field(repr=False)
    sender: str
    public_url: str
    turns: Turns
    marks: Marks

    async def deliver(self, mail_id: UUID) -> None:
        """Send that mail if it is still to be sent. Safe to call at any time, any number of times."""
        if not self.relay.ready():
            return
        async with self.turns.take(self.relay.admit) as admitted:
            if admitted is not None and not await self.attempt(mail_id):
                self.relay.waive(admitted)

    async def attempt(self, mail_id: UUID) -> bool:
        """As `deliver`, without asking whether one more may go; whether the relay was asked to carry it."""
        asked = time.monotonic()
        claim = await self._claim(mail_id)
        if claim is None:
            return False
        self.marks.counts.add("attempts")
        if claim.stolen:
            self.marks.counts.add("leases_taken_over")
            log.warning("took over a lease that ran out", extra={"mail": str(claim.id), "attempt": claim.attempts})
        with self.marks.leases.holding(claim, asked) as lease:
            return await self._carry_out(claim, lease)

    async def _claim(self, mail_id: UUID) -> Claim | None:
        """A row that can't be read is tried again when its lease runs out, a few times."""
        try:
            return await self.marks.leases.claim(mail_id)
        except Exception as error:
            if db.diagnose(error) is None:
                fault = f"its row can't be read: {type(error).__name__}"
                await outbox.bury(self.pool, mail_id, worker=self.marks.leases.worker, tries=_TRIES, fault=fault)
            raise

    async def _carry_out(self, claim: Claim, lease: Lease) -> bool:
        try:
            accepted = await self._send(claim, lease)
        except Ended as end:
            await self.marks.ended(claim, end.state, fault=end.fault)
            return False
        except NotYet as fault:
            await self.marks.not_yet(claim, str(fault))
            return False
        except Refused as refusal:
            await self.marks.refused(claim, refusal)
        except TryLater as fault:
            await self.marks.later(claim, fault)
        except Exception as error:  # noqa: BLE001 - one poison mail must not stop the others
            await self.marks.stumbled(claim, error)
        else:
            await self.marks.sent(Receipt(lease, accepted.code, accepted.server), answer=accepted.text)
        return True

    async def _send(self, claim: Claim, lease: Lease) -> Accepted:
        token = await self._token(claim) if claim.token_id else None
        if claim.late:
            raise Ended("expired", "it could not be sent while it was of use")
        if token and token.kid not in self.ring:
            # Maybe a newer process has a key that this one will only have after its restart.
            raise NotYet(f"the key {token.kid} of its link is not among SECRET_KEYS")
        if token and claim.user_id and compose.is_sign_up(token):
            # There is an account: its owner is told so, and whoever signed up is told nothing.
            claim, token = replace(claim, letter="already_registered"), None
        if not email_addresses.is_plain(claim.recipient):
            raise Ended("failed", "its recipient is no address that can be mailed")
        if fault := compose.fault(claim, self.sender):
            raise NotYet(fault)
        try:
            message = compose.write(claim, token, self.ring, sender=self.sender, public_url=self.public_url)
        except compose.Forbidden:
            raise Ended("cancelled", "its link leads to a host that is no longer allowed") from None
        address = claim.sender_address or self.sender
        with self.marks.watching(claim, lease) as still_ours:
            accepted = await self.relay.send(address, claim.recipient, message, before_data=still_ours)
            # Nothing is awaited in between: what was taken is on record whatever happens next.
            self.marks.receipts.note(Receipt(lease, accepted.code, accepted.server))
        return accepted

    async def _token(self, claim: Claim) -> Token:
        """The live token whose secret is to be mailed; finds out whose it is where the API must not know."""
        token = compose.token_of(claim)
        if token is None:
            # The link may have died before anyone found out whom its event concerns.
            await events.settle(self.pool, claim.project_id, token_id=claim.token_id or "", user_id=claim.user_id)
            raise Ended("cancelled", "its link was used or made void")
        if token.kind in (Kind.MAGIC_URL, Kind.OTP):
            if claim.user_status == "blocked":
                # Its row stays: who guesses at its code must not tell by the time that taking it away would show.
                raise Ended("void", "the account of this address is blocked")
            return token
        if token.kind in (Kind.DISAVOWAL, Kind.EMAIL_UNDO):
            return token  # it is for the address that was the user's, whatever has happened since
        if compose.is_sign_up(token):
            if claim.user_status == "blocked":
                raise Ended("void", "the account of this address is blocked")
            return token
        if token.user_id is None:
            return await self._adopt(claim, token)
        fresh = claim.user_id == token.user_id and claim.email_version == token.email_version
        if not fresh or claim.user_status == "blocked":
            raise Ended("cancelled", "the address or the account has changed")
        return token

    async def _adopt(self, claim: Claim, token: Token) -> Token:
        """A link asked for by address: give it to the address's user, or note that there is nobody."""
        adopted = None
        async with transaction(self.pool) as tx:
            somebody = await self._owner(tx, token)
            if somebody:
                adopted = await tokens.adopt(
                    tx, token.project_id, token_id=token.id, user_id=somebody.id, email_version=somebody.email_version
                )
                await outbox.own(tx, claim, user_id=somebody.id)
            else:
                await tokens.drop(tx, token.project_id, token_id=token.id)
            owner_id = somebody.id if somebody else None
            settled = await events.settle(tx, token.project_id, token_id=token.id, user_id=owner_id)
        await self.bell.ring(RECORD_LOG, *settled)
        if adopted is None:
            raise Ended("void", "no account has this address") if not somebody else Ended("cancelled", "adopted twice")
        return adopted

    async def _owner(self, tx: Connection, token: Token) -> User | None:
        """Whose address it is now, locked: since the claim it may have gone to another account."""
        for _ in range(2):  # who is waited for may leave the address to somebody whom only a new look sees
            if user := await users.lock_by_email(tx, token.project_id, email=token.email):
                return user if user.status != "blocked" else None
        return None
