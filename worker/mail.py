"""Claim, send, mark: a mail's way out of the outbox (reliability.md B2)."""

import asyncio
import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID

from service import db, events, mails, tokens, users
from service.db import Pool, transaction
from service.jobs import RECORD_LOG, Bell
from service.keys import KeyRing
from service.mails import Claim, End
from service.tokens import Kind, Token
from worker import drafts
from worker.smtp import Refused, Relay, TryLater

log = logging.getLogger(__name__)
LEASE, RENEWAL = 30.0, 10.0
# Seconds before the next try; the last one repeats until the mail's deadline.
WAITS = (5, 15, 30, 60, 120, 300, 600, 900)
# A letter that can't even be written is our fault: it is tried a few times, never for ever.
_OUR_TRIES = 5
_OURS = "ours: "


@dataclass(frozen=True, slots=True)
class Ended(Exception):
    """There is nothing to send, and why."""

    state: End
    fault: str


class NotYet(Exception):
    """It can't be sent as things stand here; the message says why."""


@dataclass(slots=True)
class Mailer:
    """`worker` is this process's name in the leases."""

    pool: Pool
    relay: Relay
    bell: Bell
    ring: KeyRing = field(repr=False)
    worker: str
    sender: str
    public_url: str
    held: dict[UUID, float] = field(default_factory=dict)

    async def deliver(self, mail_id: UUID) -> None:
        """Send that mail if it is still to be sent. Safe to call at any time, any number of times."""
        asked = time.monotonic()
        claim = await mails.claim(self.pool, mail_id, worker=self.worker, lease=LEASE)
        if claim is None:
            return
        with self._holding(claim, asked):
            try:
                await self._send(claim)
            except Ended as end:
                await self._mark(claim, end.state, fault=end.fault)
            except Refused as refusal:
                await self._mark(claim, "failed", code=refusal.code, fault=f"{refusal.stage}: {refusal.text}")
            except NotYet as fault:
                await self._wait(claim, 0, str(fault))
            except TryLater as fault:
                await self._wait(claim, fault.code, f"{fault.stage}: {fault.text}")
            except Exception as error:  # noqa: BLE001 - one poison mail must not stop the others
                await self._stumble(claim, error)
            else:
                await self._mark(claim, "sent", code=250)

    @contextmanager
    def _holding(self, claim: Claim, asked: float) -> Iterator[None]:
        """While it is in here, `renew` keeps the lease."""
        self.held[claim.id] = asked
        try:
            yield
        finally:
            self.held.pop(claim.id, None)

    async def _send(self, claim: Claim) -> None:
        token = await self._token(claim) if claim.token_id else None
        if claim.late:
            raise Ended("expired", "it could not be sent while it was of use")
        if token and token.kid not in self.ring:
            # Maybe a newer process has a key that this one will only have after its restart.
            raise NotYet(f"the key {token.kid} of its link is not among SECRET_KEYS")
        if token and claim.user_id and _is_sign_up(token):
            # There is an account: its owner is told so, and whoever signed up is told nothing.
            claim, token = replace(claim, letter="already_registered"), None
        try:
            message = drafts.write(claim, token, self.ring, sender=self.sender, public_url=self.public_url)
        except drafts.Forbidden:
            raise Ended("cancelled", "its link leads to a host that is no longer allowed") from None
        address = claim.sender_address or self.sender
        await self.relay.send(address, claim.recipient, message, before_data=lambda: self._still_ours(claim))

    async def _token(self, claim: Claim) -> Token:
        """The live token whose secret is to be mailed; finds out whose it is where the API must not know."""
        token = drafts.token_of(claim)
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
        if _is_sign_up(token):
            if claim.user_status == "blocked":
                raise Ended("void", "the account of this address is blocked")
            return token
        if token.user_id is None:
            token = await self._adopt(claim, token)
        fresh = claim.user_id == token.user_id and claim.email_version == token.email_version
        if not fresh or claim.user_status == "blocked":
            raise Ended("cancelled", "the address or the account has changed")
        return token

    async def _adopt(self, claim: Claim, token: Token) -> Token:
        """A link asked for by address: give it to the address's user, or note that there is nobody."""
        somebody = claim.user_id if claim.user_status != "blocked" else None
        async with transaction(self.pool) as tx:
            if somebody and claim.email_version:
                await users.lock(tx, claim.project_id, user_id=somebody)
                adopted = await tokens.adopt(
                    tx, claim.project_id, token_id=token.id, user_id=somebody, email_version=claim.email_version
                )
                await mails.own(tx, claim, user_id=somebody)
            else:
                adopted = None
                await tokens.drop(tx, claim.project_id, token_id=token.id)
            settled = await events.settle(tx, claim.project_id, token_id=token.id, user_id=somebody)
        await self.bell.ring(RECORD_LOG, *settled)
        if adopted is None:
            raise Ended("void", "no account has this address") if not somebody else Ended("cancelled", "adopted twice")
        return adopted

    async def _still_ours(self, claim: Claim) -> bool:
        """Asked just before the words go out. Only a worker that was held up for long needs to ask Postgres."""
        if time.monotonic() - self.held[claim.id] < LEASE / 2:
            return True
        return await mails.holds(self.pool, claim)

    async def renew(self) -> None:
        """Keep the leases of what is being sent."""
        asked, held = time.monotonic(), list(self.held)
        if held:
            await mails.renew(self.pool, held, worker=self.worker, lease=LEASE)
            self.held.update({mail_id: asked for mail_id in held if mail_id in self.held})

    async def _mark(self, claim: Claim, state: End, *, code: int | None = None, fault: str | None = None) -> None:
        """What was sent must be marked: while Postgres is away this goes on for as long as the lease can be ours."""
        until = time.monotonic() + LEASE
        while True:
            try:
                await mails.end(self.pool, claim, state=state, code=code, fault=fault)
            except Exception as error:
                if db.diagnose(error) is None or time.monotonic() > until:
                    raise
                await asyncio.sleep(0.5)
            else:
                break
        if log.isEnabledFor(logging.INFO):
            log.info("mail ended", extra={"mail": str(claim.id), "state": state, "code": code, "fault": fault})

    async def _wait(self, claim: Claim, code: int, fault: str) -> None:
        seconds = WAITS[min(claim.attempts, len(WAITS)) - 1] * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
        await mails.postpone(self.pool, claim, seconds=seconds, code=code, fault=fault)
        log.warning("mail waits", extra={"mail": str(claim.id), "code": code, "fault": fault, "seconds": seconds})

    async def _stumble(self, claim: Claim, error: Exception) -> None:
        log.error("mail could not be written", exc_info=error, extra={"mail": str(claim.id)})
        fault = f"{_OURS}{type(error).__name__}"
        again = (claim.last_fault or "").startswith(_OURS)
        if db.diagnose(error) is None and claim.attempts >= _OUR_TRIES and again:
            await self._mark(claim, "failed", fault=fault)
        else:
            await self._wait(claim, 0, fault)


def _is_sign_up(token: Token) -> bool:
    """A private sign-up's: its account is made when it is used, under the id that was asked for."""
    return token.kind == Kind.VERIFICATION and token.user_id is None
