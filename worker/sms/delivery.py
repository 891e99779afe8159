"""Deliver one SMS of the outbox: claim its row, derive its text, hand it over, record the outcome."""

import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from uuid import UUID

from service import db, phone_numbers, tracing
from service.crypto.key_derivation import KeyRing
from service.db import Pool
from service.store import sms, token_secrets
from service.store.sms import FinalState, SmsClaim
from service.store.tokens import Token
from worker import retries
from worker.concurrency import DeliverySlots
from worker.metrics import Metrics
from worker.relays.outcomes import PermanentFailure, TemporaryFailure
from worker.sms import text
from worker.sms.attempts import LEASE, SmsAttempts
from worker.sms.webhook import Message, Sender
from worker.unsent import CannotSendYet, NothingToSend

log = logging.getLogger(__name__)
# Attempts that may have reached the phone. Its owner pays attention to the first one.
MOST_SENDS = 3
# Seconds before the next attempt; the last one repeats until the code expires.
WAITS = (2, 5, 10, 20, 30, 60)


@dataclass(slots=True)
class SmsDelivery:
    """Delivery of one SMS at a time. Without a sender, SMS wait for a worker that has one, or expire."""

    pool: Pool
    sender: Sender | None
    ring: KeyRing = field(repr=False)
    worker: str
    slots: DeliverySlots
    metrics: Metrics
    attempts: SmsAttempts = field(init=False)

    def __post_init__(self) -> None:
        self.attempts = SmsAttempts(self.pool, self.worker)

    async def deliver(self, sms_id: UUID, project_id: str = "") -> None:
        """Send an SMS if it is still due. Safe to call at any time, any number of times.

        Its project is looked up if it isn't given: a job of the release before names none.
        """
        if self.sender is None or not self.sender.is_open():
            return
        async with self.slots.acquire(_admit) as admitted:
            if admitted is not None and self.sender.is_open():
                await self.claim_and_send(sms_id, project_id)

    async def claim_and_send(self, sms_id: UUID, project_id: str = "") -> None:
        """Deliver without a slot; one that has expired ends without a sender too."""
        claimed_at = time.monotonic()
        claim = await self.attempts.claim(sms_id, project_id)
        if claim is None:
            return
        self.metrics.add("sms_attempts")
        with self.attempts.holding(claim), _span(claim):
            await self._send_and_record(claim, claimed_at)

    async def _send_and_record(self, claim: SmsClaim, claimed_at: float) -> None:
        try:
            status = await self._send(claim, claimed_at)
        except NothingToSend as end:
            await self._finish(claim, end.state, None, end.fault)
        except CannotSendYet as fault:
            await self._reschedule(claim, None, str(fault), unsent=True)
        except PermanentFailure as refusal:
            await self._finish(claim, "failed", refusal.code, refusal.text)
        except TemporaryFailure as fault:
            await self._reschedule(claim, fault.code or None, fault.text, unsent=not fault.maybe_sent)
        except Exception as error:
            if db.find_fault(error) is None:
                log.exception(
                    "An unexpected error kept the worker from sending the SMS",
                    extra={"event": "sms.unexpected_error", "sms": str(claim.id)},
                )
            await self._reschedule(claim, None, type(error).__name__, unsent=False)
        else:
            await self._finish(claim, "sent", status or None, "")

    async def _send(self, claim: SmsClaim, claimed_at: float) -> int:
        token = self._token(claim)
        if self.sender is None:
            raise CannotSendYet("SMS_URL is empty")
        message = Message(
            str(claim.id),
            claim.recipient,
            text.render(
                code=token_secrets.secret_of(self.ring, token),
                project_name=claim.project_name,
                hostnames=claim.hostnames,
                locale=claim.locale,
            ),
            claim.kind,
            claim.project_id,
        )
        if time.monotonic() - claimed_at > LEASE / 2:
            raise CannotSendYet("the worker was too slow; another one may have the SMS by now")
        return await self.sender.send(message)

    def _token(self, claim: SmsClaim) -> Token:
        """Return the live token of the code. Raises NothingToSend, CannotSendYet."""
        token = claim.token()
        if claim.late:
            raise NothingToSend("expired", "it could not be sent while its code was of use")
        if token is None:
            raise NothingToSend("cancelled", "its code was used or made void")
        if claim.sends > MOST_SENDS:
            raise NothingToSend("failed", f"it may have arrived {MOST_SENDS} times")
        if claim.owner_status == "blocked":
            raise NothingToSend("void", "the account of this number is blocked")
        if claim.owner_status is None and not claim.may_sign_up:
            raise NothingToSend("void", "no account has this number, and none may be made for it")
        same = claim.owner_phone == claim.recipient and claim.owner_phone_version == claim.token_version
        if token.user_id is not None and not same:
            raise NothingToSend("cancelled", "the number of the account has changed")
        if not phone_numbers.is_within(claim.recipient, claim.sms_countries):
            raise NothingToSend("failed", "the project sends no SMS to such numbers")
        if token.kid not in self.ring:
            # A newer process may have a key that this one only gets at its restart.
            raise CannotSendYet(f"the key {token.kid} of its code is not among SECRET_KEYS")
        return token

    async def _finish(self, claim: SmsClaim, state: FinalState, code: int | None, fault: str) -> None:
        async def write() -> bool:
            return await sms.finish(self.pool, claim, state=state, code=code, fault=fault)

        if not await self._write(claim, write):
            return
        self.metrics.add(f"sms_{state}")
        tracing.annotate(accounts__outcome=state)
        facts: dict[str, object] = {"sms": str(claim.id), "project": claim.project_id, "code": code, "fault": fault}
        if state == "failed":
            log.warning("The SMS was not sent", extra={"event": "sms.failed"} | facts)
        else:
            log.info("The SMS has ended", extra={"event": "sms.ended", "state": state} | facts)

    async def _reschedule(self, claim: SmsClaim, code: int | None, fault: str, *, unsent: bool) -> None:
        seconds = retries.jittered(retries.wait_after(claim.attempts, WAITS))

        async def write() -> bool:
            return await sms.reschedule(self.pool, claim, seconds=seconds, unsent=unsent, code=code, fault=fault)

        if await self._write(claim, write):
            self.metrics.add("sms_waits")
            tracing.annotate(accounts__outcome="waits")
            facts: dict[str, object] = {"sms": str(claim.id), "project": claim.project_id, "code": code, "fault": fault}
            log.warning("The SMS waits for another attempt", extra={"event": "sms.rescheduled"} | facts)

    async def _write(self, claim: SmsClaim, act: Callable[[], Awaitable[bool]]) -> bool:
        """Write an outcome if the lease is still ours; False if another worker has claimed the SMS since."""
        written = await retries.retry_while_leased(act, LEASE)
        if not written:
            log.warning(
                "Another worker has claimed the SMS; this attempt is not recorded",
                extra={"event": "sms.lease_lost", "sms": str(claim.id), "attempt": claim.attempts},
            )
        return written


def _span(claim: SmsClaim) -> AbstractContextManager[object]:
    return tracing.row_span(
        "SMS attempt",
        claim.traceparent,
        accounts__sms=str(claim.id),
        accounts__attempt=claim.attempts,
    )


async def _admit() -> bool:
    return True
