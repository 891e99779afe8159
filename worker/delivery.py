"""Deliver one mail of the outbox: claim its row, compose its letter, send it, record the outcome."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial

from service import db, email_addresses, failpoints, tracing
from service.crypto.key_derivation import KeyRing
from service.db import Pool
from service.queue import JobQueue
from service.store import outbox_claims, outbox_leases, outbox_outcomes, suppressions, test_accounts
from service.store.branding import LogoCache
from service.store.outbox import DueMail
from service.store.outbox_claims import Claim
from service.store.outbox_leases import Lease
from service.store.tokens import Token
from service.template_overrides.language import OverrideFault
from worker.bounces.return_path import ReturnPath
from worker.concurrency import DeliverySlots
from worker.leases import LEASE
from worker.mail import branding, compose
from worker.mail.branding import InlineImage
from worker.mail.overrides import OverrideCache
from worker.mail.signing import MailSigner
from worker.outcomes import OutcomeRecorder
from worker.relays import Accepted, PermanentFailure, TemporaryFailure
from worker.relays.routing import Relays
from worker.sent_journal import SentEntry
from worker.token_resolver import TokenResolver
from worker.unsent import CannotSendYet, NothingToSend, Suppressed

log = logging.getLogger(__name__)
# Attempts at a row that can't be read, which is our fault: a few, not for ever.
_UNREADABLE_ATTEMPTS = 5


@dataclass(slots=True)
class Delivery:
    """Delivery of one mail at a time from the outbox to a relay."""

    pool: Pool
    relays: Relays
    job_queue: JobQueue
    ring: KeyRing = field(repr=False)
    sender: str
    public_url: str
    slots: DeliverySlots
    recorder: OutcomeRecorder
    return_path: ReturnPath | None = None
    # Postmark shows neither our Message-ID nor the return path in its webhooks, but what such a header says.
    names_mail_to_postmark: bool = False
    logos: LogoCache = field(init=False, repr=False)
    overrides: OverrideCache = field(init=False, repr=False)
    signer: MailSigner = field(init=False, repr=False)
    tokens: TokenResolver = field(init=False, repr=False)
    # Letters of a batch are composed in turn, one in a round of the event loop: relays' replies are read in between.
    _composing: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    def __post_init__(self) -> None:
        self.logos, self.overrides = LogoCache(self.pool), OverrideCache(self.pool)
        self.signer = MailSigner(self.pool, self.ring)
        self.tokens = TokenResolver(self.pool, self.job_queue)

    async def claim_and_send(self, mail: DueMail) -> bool:
        """Deliver without slot and rate limit; return whether the relay was tried."""
        claimed_at = time.monotonic()
        claims = await self.claim(mail)
        return bool(claims) and await self.send_claimed(claims[0], claimed_at)

    async def send_claimed(self, claim: Claim, claimed_at: float) -> bool:
        """Send a mail that was claimed by a claim begun then, and record the outcome; return as `claim_and_send`."""
        self.recorder.metrics.add("attempts")
        if claim.stolen:
            self.recorder.metrics.add("leases_taken_over")
            log.warning(
                "The worker took over a mail whose lease had expired",
                extra={"event": "mail.lease_taken_over", "mail": str(claim.id), "attempt": claim.attempts},
            )
        with self.recorder.leases.holding(claim, claimed_at) as lease, _span(claim):
            return await self._send_and_record(claim, lease)

    async def claim(self, *mails: DueMail) -> list[Claim]:
        """Claim the rows that are due. One that can't be read is tried again when its lease runs out, a few times."""
        leases = self.recorder.leases
        try:
            with leases.claims.claiming(*(mail.id for mail in mails)) as free:
                return await self._claim_rows([mail for mail in mails if mail.id in free]) if free else []
        except Exception as error:
            if db.find_fault(error) is not None:
                raise
            if len(mails) > 1:
                return await self._claim_one_by_one(mails)
            fault = f"its row can't be read: {type(error).__name__}"
            await outbox_outcomes.fail_unreadable(
                self.pool, mails[0], worker=leases.worker, tries=_UNREADABLE_ATTEMPTS, fault=fault
            )
            raise

    async def _claim_rows(self, mails: list[DueMail]) -> list[Claim]:
        if failpoints.armed:
            await failpoints.reach("worker.claim.before")
        claims = await outbox_claims.claim_all(self.pool, mails, worker=self.recorder.leases.worker, lease=LEASE)
        if failpoints.armed:
            await failpoints.reach("worker.claim.after")
        return await suppressions.confirm(self.pool, self.ring, claims)

    async def _claim_one_by_one(self, mails: Sequence[DueMail]) -> list[Claim]:
        """Claim rows of which one could not be read, which held up all others of its batch.

        A fault of Postgres ends it: what is claimed by then is sent, the others are still due.
        """
        await outbox_leases.release(self.pool, [mail.id for mail in mails], worker=self.recorder.leases.worker)
        claims: list[Claim] = []
        for mail in mails:
            try:
                claims += await self.claim(mail)
            except Exception as error:
                if self.pool.note(error):
                    break
                log.exception("A mail's row can't be read", extra={"event": "mail.unreadable", "mail": str(mail.id)})
        return claims

    async def _send_and_record(self, claim: Claim, lease: Lease) -> bool:
        try:
            with tracing.span("compose"):
                message = await self.signer.signed(claim, await self._compose(claim))
            accepted = await self._send(claim, lease, message)
        except NothingToSend as end:
            await self.recorder.record_final(claim, end.state, fault=end.fault)
            return False
        except Suppressed:
            await self.recorder.record_final(claim, "suppressed", fault="its mailbox refuses our mail")
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

    async def _compose(self, claim: Claim) -> bytes:
        """Resolve the token and compose the message. Raises NothingToSend, Suppressed, CannotSendYet."""
        token = await self.tokens.resolve(claim) if claim.token_id else None
        if claim.late:
            raise NothingToSend("expired", "it could not be sent while it was of use")
        if token and await self._has_fixed_code(claim, token):
            raise NothingToSend("void", "it is a test account, whose code is known")
        if claim.suppressed:
            raise Suppressed
        if token and token.kid not in self.ring:
            # A newer process may have a key that this one only gets at its restart.
            raise CannotSendYet(f"the key {token.kid} of its link is not among SECRET_KEYS")
        if token and claim.user_id and compose.is_sign_up(token):
            # There is an account already: its user gets a letter, and the client that signed up learns nothing.
            claim, token = replace(claim, letter="already_registered"), None
        if not email_addresses.is_plain(claim.recipient):
            raise NothingToSend("failed", "its recipient is no address that can be mailed")
        if fault := compose.fault(claim, self.sender):
            raise CannotSendYet(fault)
        logo = await self._logo(claim)
        override = await self.overrides.find(claim, compose.wanted_locales(claim))
        make = partial(
            compose.compose, claim, token, self.ring, sender=self.sender, public_url=self.public_url, logo=logo
        )
        try:
            async with self._composing:
                message = make(override=override)
                await asyncio.sleep(0)
                return message
        except OverrideFault as fault:
            await self._note_override_fault(claim, str(fault))
            return make()
        except compose.ForbiddenTarget:
            raise NothingToSend("cancelled", "its link leads to a host that is no longer allowed") from None

    async def _has_fixed_code(self, claim: Claim, token: Token) -> bool:
        """Tell whether the recipient is a test account, whose mailbox need not exist."""
        if not claim.at_test_domain or token.kind not in test_accounts.KINDS:
            return False
        return await test_accounts.has_code(self.pool, claim.project_id, email=claim.recipient)

    async def _note_override_fault(self, claim: Claim, fault: str) -> None:
        """Tell the operator that the project's own template is broken, and that ours goes out instead."""
        log.warning(
            "The project's own template can't be used; the letter is ours",
            extra={
                "event": "letter.override_failed",
                "mail": str(claim.id),
                "project": claim.project_id,
                "letter": claim.letter,
                "locale": compose.locale_of(claim),
                "fault": fault,
            },
        )
        await outbox_claims.note_override_fault(self.pool, claim, fault=f"try {claim.attempts}: {fault}")

    async def _logo(self, claim: Claim) -> InlineImage | None:
        """Find the logo that the project had at the claim; None if it has another one by now, or none."""
        digest = claim.logo_digest
        logo = await self.logos.find(claim.project_id, digest) if digest else None
        return branding.inline_image(logo, digest)

    async def _send(self, claim: Claim, lease: Lease, message: bytes) -> Accepted:
        """Send by the project's relay, and journal the acceptance. Raises PermanentFailure, TemporaryFailure."""
        address, relay = claim.sender_address or self.sender, await self.relays.relay_of(claim.project_id)
        if self.return_path:
            address = self.return_path.of(claim.id)
        if self.names_mail_to_postmark:
            message = f"X-PM-Metadata-mail: {claim.id.hex}\r\n".encode() + message
        with self.recorder.fenced(claim, lease) as lease_is_valid:
            sending = relay.send(address, claim.recipient, message, before_data=lease_is_valid)
            with tracing.span("send"):
                accepted = await self.recorder.metrics.observe_send(claim, sending)
            # Nothing is awaited in between: an accepted mail is in the journal whatever happens next.
            self.recorder.journal.append(SentEntry(lease, accepted.code, accepted.server))
        return accepted


def _span(claim: Claim) -> AbstractContextManager[object]:
    return tracing.row_span(
        "mail attempt",
        claim.traceparent,
        accounts__mail=str(claim.id),
        accounts__letter=claim.letter,
        accounts__attempt=claim.attempts,
    )
