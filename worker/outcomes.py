"""What is written of a mail when a try is over: its state and its event, by one statement (service/store/outbox.py).

Longer than other files: each way that a try can end is a method here.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from service import db, failpoints
from service.db import Pool
from service.store import outbox
from service.store.outbox import AttemptReport, Cause, Claim, FinalState, Lease
from worker.leases import LEASE, Leases
from worker.metrics import Metrics
from worker.sent_journal import SentEntry, SentJournal
from worker.smtp import PermanentFailure, TemporaryFailure

log = logging.getLogger(__name__)
# Seconds before the next try; the last one repeats until the mail's deadline.
WAITS = (5, 15, 30, 60, 120, 300, 600, 900)
# A letter that can't even be written is our fault: it is tried a few times, never for ever.
_OUR_TRIES = 5
_LETTER = "letter"
# Seconds between two tries at Postgres, and for a letter that Postgres kept from being written.
_AGAIN, _MOMENT = 0.5, 1.0


@dataclass(slots=True)
class OutcomeRecorder:
    """`cut` are those whose content may have gone out when this worker was told to stop."""

    pool: Pool
    leases: Leases
    journal: SentJournal
    counts: Metrics
    interrupted: list[Claim] = field(default_factory=list)

    @contextmanager
    def fenced(self, claim: Claim, lease: Lease) -> Iterator[Callable[[], Awaitable[bool]]]:
        """Gives the question for just before DATA; remembers a mail that is cut off after it was answered yes."""
        passed = False

        async def still_ours() -> bool:
            nonlocal passed
            passed = await self.leases.is_valid(lease)
            return passed

        try:
            yield still_ours
        except asyncio.CancelledError:
            if passed:
                self.interrupted.append(claim)
            raise

    async def record_sent(self, receipt: SentEntry, *, answer: str = "") -> None:
        """While Postgres is away this goes on for as long as the lease can be ours; then it is left to `rest`."""
        if failpoints.armed:
            await failpoints.reach("worker.mark.before")
        marked = await self._retry_while_leased(lambda: self._confirm(receipt, answer), secure=True)
        self.journal.remove(receipt)
        self.counts.add("sent" if marked else "sent_unmarked")
        if log.isEnabledFor(logging.INFO):
            log.info("mail ended", extra={"mail": str(receipt.lease.id), "state": "sent", "code": receipt.code})
        if failpoints.armed:
            await failpoints.reach("worker.mark.after")

    async def record_unconfirmed(self) -> None:
        """What could not be marked when it was sent, unless it is being marked."""
        for lease, receipt in list(self.journal.open.items()):
            if lease not in self.leases.held:
                await self.record_sent(receipt)

    async def release_unconfirmed(self) -> None:
        """What was claimed and nobody heard of it goes back, unless the relay took it by an earlier claim."""
        await self.leases.release_unconfirmed(sent={lease.id for lease in self.journal.open})

    async def record_final(self, claim: Claim, state: FinalState, *, fault: str) -> None:
        await self._finish(claim, state, AttemptReport(self.leases.worker, fault=fault))

    async def record_refused(self, claim: Claim, refusal: PermanentFailure) -> None:
        await self._finish(claim, "failed", self._report(refusal))

    async def record_retry(self, claim: Claim, fault: TemporaryFailure) -> None:
        if fault.maybe_sent:
            self.counts.add("duplicates_suspected")
        await self._reschedule(claim, fault.cause, self._report(fault))

    async def record_blocked(self, claim: Claim, fault: str) -> None:
        await self._reschedule(claim, "ours", AttemptReport(self.leases.worker, fault=fault))

    async def record_error(self, claim: Claim, error: Exception) -> None:
        """A busy Postgres, or a machine that lacks something, is no fault of the letter.

        Anything else is, and is tried so often and not for ever.
        """
        fault = type(error).__name__
        if db.find_fault(error) is not None or isinstance(error, OSError):
            await self._reschedule(claim, "ours", AttemptReport(self.leases.worker, fault=fault), seconds=_MOMENT)
            return
        log.error("mail could not be written", exc_info=error, extra={"mail": str(claim.id)})
        report = AttemptReport(self.leases.worker, stage=_LETTER, fault=fault)
        if claim.attempts >= _OUR_TRIES and (claim.last_fault or "").startswith(f"{_LETTER}: "):
            await self._finish(claim, "failed", report)
        else:
            await self._reschedule(claim, "ours", report)

    async def release_all(self) -> None:
        """What is in hand and was not sent is anybody's at once; of what may have been the history says so."""
        if failpoints.armed:
            await failpoints.reach("worker.free.before")
        doubt = AttemptReport(
            self.leases.worker, stage="dot", code=0, fault="its worker stopped before the answer came"
        )
        while self.interrupted:
            await outbox.reschedule(self.pool, self.interrupted[-1], seconds=0, cause="ours", report=doubt)
            self.counts.add("duplicates_suspected")
            self.interrupted.pop()
        kept = [lease.id for lease in self.journal.open]
        self.counts.add("mails_handed_back", await outbox.release_all(self.pool, worker=self.leases.worker, kept=kept))
        if failpoints.armed:
            await failpoints.reach("worker.free.after")

    def _report(self, answer: PermanentFailure | TemporaryFailure) -> AttemptReport:
        return AttemptReport(self.leases.worker, answer.server, answer.stage, answer.code, answer.text)

    async def _confirm(self, receipt: SentEntry, answer: str) -> bool:
        return await outbox.mark_sent(
            self.pool, receipt.lease, worker=self.leases.worker, server=receipt.server, code=receipt.code, answer=answer
        )

    async def _finish(self, claim: Claim, state: FinalState, report: AttemptReport) -> None:
        if not await self._write_if_held(claim, partial(outbox.finish, self.pool, claim, state=state, report=report)):
            return
        self.counts.add(state)
        if log.isEnabledFor(logging.INFO):
            log.info("mail ended", extra={"mail": str(claim.id), "state": state} | _facts(report))

    async def _reschedule(self, claim: Claim, cause: Cause, report: AttemptReport, *, seconds: float = 0) -> None:
        """For so many seconds, or as many as this attempt has to; more or less, so that not all come at once."""
        seconds = seconds or WAITS[min(claim.attempts, len(WAITS)) - 1]
        seconds *= random.uniform(0.8, 1.2)  # noqa: S311 - jitter
        postpone = partial(outbox.reschedule, self.pool, claim, seconds=seconds, cause=cause, report=report)
        if not await self._write_if_held(claim, postpone):
            return
        self.counts.add(f"waits_{cause}")
        facts = {"mail": str(claim.id), "cause": cause, "seconds": round(seconds, 1)} | _facts(report)
        log.warning("mail waits", extra=facts)

    async def _write_if_held(self, claim: Claim, act: Callable[[], Awaitable[bool]]) -> bool:
        """Whether it was written; if it was not, another worker has claimed the mail since."""
        written = await self._retry_while_leased(act)
        if not written:
            log.warning("mail is not ours any more", extra={"mail": str(claim.id), "attempt": claim.attempts})
        return written

    async def _retry_while_leased(self, act: Callable[[], Awaitable[bool]], *, secure: bool = False) -> bool:
        """Its answer; while Postgres is away again and again, for as long as the lease can be ours."""
        until = time.monotonic() + LEASE
        while True:
            try:
                return await act()
            except Exception as error:
                if db.find_fault(error) is None or time.monotonic() > until:
                    raise
            if secure:
                await self.journal.fsync()
            await asyncio.sleep(_AGAIN)


def _facts(report: AttemptReport) -> dict[str, object]:
    """Of a report what a line of the log says."""
    return {"server": report.server, "stage": report.stage, "code": report.code, "fault": report.fault}
