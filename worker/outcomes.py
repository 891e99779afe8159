"""Record the outcome of an attempt: the mail's state and its event by one statement (store/outbox_outcomes.py).

Longer than other files: each outcome is a method here.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from service import db, failpoints, tracing
from service.db import Pool
from service.store import outbox_leases, outbox_outcomes
from service.store.outbox_claims import Claim
from service.store.outbox_leases import Lease
from service.store.outbox_outcomes import Acceptance, AttemptReport, Cause, FinalState
from worker import retries
from worker.leases import LEASE, Leases
from worker.metrics import Metrics
from worker.relays import PermanentFailure, TemporaryFailure
from worker.sent_journal import SentEntry, SentJournal
from worker.sent_marks import SentMarks

log = logging.getLogger(__name__)
# Seconds before the next attempt; the last one repeats until the mail's deadline.
WAITS = (5, 15, 30, 60, 120, 300, 600, 900)
# A letter that can't be composed is our fault: it is tried a few times, not for ever.
_COMPOSE_ATTEMPTS = 5
_LETTER = "letter"
# Seconds before the next attempt at a letter that Postgres prevented.
_SHORT_WAIT = 1.0


@dataclass(slots=True)
class OutcomeRecorder:
    """Recorder of one worker; `interrupted` are mails that may have been sent when it was stopped."""

    pool: Pool
    leases: Leases
    journal: SentJournal
    metrics: Metrics
    interrupted: list[Claim] = field(default_factory=list)
    marks: SentMarks = field(init=False)

    def __post_init__(self) -> None:
        self.marks = SentMarks(self.pool, self.leases.worker)

    @contextmanager
    def fenced(self, claim: Claim, lease: Lease) -> Iterator[Callable[[], Awaitable[bool]]]:
        """Yield the lease check for just before DATA; a mail cancelled after it passed is kept as interrupted."""
        passed = False

        async def lease_is_valid() -> bool:
            nonlocal passed
            passed = await self.leases.is_valid(lease)
            return passed

        try:
            yield lease_is_valid
        except asyncio.CancelledError:
            if passed:
                self.interrupted.append(claim)
            raise

    async def record_sent(self, entry: SentEntry, *, answer: str = "") -> None:
        """Record an acceptance, again while Postgres is away until the lease ends; then `record_unconfirmed` does."""
        if failpoints.armed:
            await failpoints.reach("worker.record.before")
        marked = await retries.retry_while_leased(
            lambda: self.marks.mark(Acceptance(entry.lease, entry.code, entry.server, answer)),
            LEASE,
            between=self.journal.fsync,
        )
        self.journal.remove(entry)
        self.metrics.add("sent" if marked else "sent_unrecorded")
        tracing.annotate(accounts__outcome="sent", server=entry.server)
        if log.isEnabledFor(logging.INFO):
            log.info(
                "The relay accepted the mail",
                extra={"event": "mail.sent", "mail": str(entry.lease.id), "code": entry.code},
            )
        if failpoints.armed:
            await failpoints.reach("worker.record.after")

    async def record_unconfirmed(self) -> None:
        """Record the journal's open entries, except those that `record_sent` is working on."""
        entries = [entry for lease, entry in self.journal.open.items() if lease not in self.leases.held]
        if entries:
            await asyncio.gather(*(self.record_sent(entry) for entry in entries))

    async def release_unconfirmed(self) -> None:
        """Release mails whose claim got no answer, unless a relay accepted them by an earlier claim."""
        await self.leases.release_unconfirmed(sent={lease.id for lease in self.journal.open})

    async def record_final(self, claim: Claim, state: FinalState, *, fault: str) -> None:
        await self._finish(claim, state, AttemptReport(self.leases.worker, fault=fault))

    async def record_refused(self, claim: Claim, refusal: PermanentFailure) -> None:
        await self._finish(claim, "failed", self._report(refusal))

    async def record_retry(self, claim: Claim, fault: TemporaryFailure) -> None:
        if fault.maybe_sent:
            self.metrics.add("duplicates_suspected")
        await self._reschedule(claim, fault.cause, self._report(fault))

    async def record_blocked(self, claim: Claim, fault: str) -> None:
        await self._reschedule(claim, "ours", AttemptReport(self.leases.worker, fault=fault))

    async def record_error(self, claim: Claim, error: Exception) -> None:
        """Record an unexpected error: retry soon if Postgres or the machine is the cause, else a few times only."""
        fault = type(error).__name__
        if db.find_fault(error) is not None or isinstance(error, OSError):
            await self._reschedule(claim, "ours", AttemptReport(self.leases.worker, fault=fault), seconds=_SHORT_WAIT)
            return
        log.error(
            "An unexpected error kept the worker from sending the mail",
            exc_info=error,
            extra={"event": "mail.unexpected_error", "mail": str(claim.id)},
        )
        report = AttemptReport(self.leases.worker, stage=_LETTER, fault=fault)
        if claim.attempts >= _COMPOSE_ATTEMPTS and (claim.last_fault or "").startswith(f"{_LETTER}: "):
            await self._finish(claim, "failed", report)
        else:
            await self._reschedule(claim, "ours", report)

    async def release_all(self) -> None:
        """Release every mail that was not sent; record in the history those that may have been."""
        if failpoints.armed:
            await failpoints.reach("worker.release.before")
        doubt = AttemptReport(
            self.leases.worker, stage="dot", code=0, fault="its worker stopped before the answer came"
        )
        while self.interrupted:
            await outbox_outcomes.reschedule(self.pool, self.interrupted[-1], seconds=0, cause="ours", report=doubt)
            self.metrics.add("duplicates_suspected")
            self.interrupted.pop()
        await self.marks.flush()
        kept = [lease.id for lease in self.journal.open]
        released = await outbox_leases.release_all(self.pool, worker=self.leases.worker, kept=kept)
        self.metrics.add("mails_released", released)
        if failpoints.armed:
            await failpoints.reach("worker.release.after")

    def _report(self, answer: PermanentFailure | TemporaryFailure) -> AttemptReport:
        return AttemptReport(self.leases.worker, answer.server, answer.stage, answer.code, answer.text)

    async def _finish(self, claim: Claim, state: FinalState, report: AttemptReport) -> None:
        finish = partial(outbox_outcomes.finish, self.pool, claim, state=state, report=report)
        if not await self._write_if_held(claim, finish):
            return
        self.metrics.add(state)
        tracing.annotate(accounts__outcome=state, server=report.server or None)
        if log.isEnabledFor(logging.INFO):
            log.info(
                "The mail ended without being sent",
                extra={"event": "mail.not_sent", "mail": str(claim.id), "state": state} | _facts(report),
            )

    async def _reschedule(self, claim: Claim, cause: Cause, report: AttemptReport, *, seconds: float = 0) -> None:
        """Reschedule after `seconds`, by default this attempt's wait, give or take a fifth as jitter."""
        seconds = retries.jittered(seconds or retries.wait_after(claim.attempts, WAITS))
        postpone = partial(outbox_outcomes.reschedule, self.pool, claim, seconds=seconds, cause=cause, report=report)
        if not await self._write_if_held(claim, postpone):
            return
        self.metrics.add(f"waits_{cause}")
        tracing.annotate(accounts__outcome="waits", accounts__cause=cause, server=report.server or None)
        facts = {"mail": str(claim.id), "cause": cause, "seconds": round(seconds, 1)} | _facts(report)
        log.warning("The mail waits for another attempt", extra={"event": "mail.rescheduled"} | facts)

    async def _write_if_held(self, claim: Claim, act: Callable[[], Awaitable[bool]]) -> bool:
        """Write if the lease is still ours; False if another worker has claimed the mail since."""
        written = await retries.retry_while_leased(act, LEASE)
        if not written:
            log.warning(
                "Another worker has claimed the mail; this attempt is not recorded",
                extra={"event": "mail.lease_lost", "mail": str(claim.id), "attempt": claim.attempts},
            )
        return written


def _facts(report: AttemptReport) -> dict[str, object]:
    """Return the fields of a report that are logged."""
    return {"server": report.server, "stage": report.stage, "code": report.code, "fault": report.fault}
