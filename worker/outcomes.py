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
from service.store.outbox import Cause, Claim, End, Lease, Report
from worker.leases import LEASE, Leases
from worker.metrics import Counts
from worker.sent_journal import Receipt, Receipts
from worker.smtp import Refused, TryLater

log = logging.getLogger(__name__)
# Seconds before the next try; the last one repeats until the mail's deadline.
WAITS = (5, 15, 30, 60, 120, 300, 600, 900)
# A letter that can't even be written is our fault: it is tried a few times, never for ever.
_OUR_TRIES = 5
_LETTER = "letter"
# Seconds between two tries at Postgres, and for a letter that Postgres kept from being written.
_AGAIN, _MOMENT = 0.5, 1.0


@dataclass(slots=True)
class Marks:
    """`cut` are those whose content may have gone out when this worker was told to stop."""

    pool: Pool
    leases: Leases
    receipts: Receipts
    counts: Counts
    cut: list[Claim] = field(default_factory=list)

    @contextmanager
    def watching(self, claim: Claim, lease: Lease) -> Iterator[Callable[[], Awaitable[bool]]]:
        """Gives the question for just before DATA; remembers a mail that is cut off after it was answered yes."""
        passed = False

        async def still_ours() -> bool:
            nonlocal passed
            passed = await self.leases.stands(lease)
            return passed

        try:
            yield still_ours
        except asyncio.CancelledError:
            if passed:
                self.cut.append(claim)
            raise

    async def sent(self, receipt: Receipt, *, answer: str = "") -> None:
        """While Postgres is away this goes on for as long as the lease can be ours; then it is left to `rest`."""
        if failpoints.armed:
            await failpoints.reach("worker.mark.before")
        marked = await self._insist(lambda: self._confirm(receipt, answer), secure=True)
        self.receipts.drop(receipt)
        self.counts.add("sent" if marked else "sent_unmarked")
        if log.isEnabledFor(logging.INFO):
            log.info("mail ended", extra={"mail": str(receipt.lease.id), "state": "sent", "code": receipt.code})
        if failpoints.armed:
            await failpoints.reach("worker.mark.after")

    async def rest(self) -> None:
        """What could not be marked when it was sent, unless it is being marked."""
        for lease, receipt in list(self.receipts.open.items()):
            if lease not in self.leases.held:
                await self.sent(receipt)

    async def settle(self) -> None:
        """What was claimed and nobody heard of it goes back, unless the relay took it by an earlier claim."""
        await self.leases.settle(sent={lease.id for lease in self.receipts.open})

    async def ended(self, claim: Claim, state: End, *, fault: str) -> None:
        await self._end(claim, state, Report(self.leases.worker, fault=fault))

    async def refused(self, claim: Claim, refusal: Refused) -> None:
        await self._end(claim, "failed", self._report(refusal))

    async def later(self, claim: Claim, fault: TryLater) -> None:
        if fault.maybe_sent:
            self.counts.add("duplicates_suspected")
        await self._wait(claim, fault.cause, self._report(fault))

    async def not_yet(self, claim: Claim, fault: str) -> None:
        await self._wait(claim, "ours", Report(self.leases.worker, fault=fault))

    async def stumbled(self, claim: Claim, error: Exception) -> None:
        """A busy Postgres, or a machine that lacks something, is no fault of the letter.

        Anything else is, and is tried so often and not for ever.
        """
        fault = type(error).__name__
        if db.diagnose(error) is not None or isinstance(error, OSError):
            await self._wait(claim, "ours", Report(self.leases.worker, fault=fault), seconds=_MOMENT)
            return
        log.error("mail could not be written", exc_info=error, extra={"mail": str(claim.id)})
        report = Report(self.leases.worker, stage=_LETTER, fault=fault)
        if claim.attempts >= _OUR_TRIES and (claim.last_fault or "").startswith(f"{_LETTER}: "):
            await self._end(claim, "failed", report)
        else:
            await self._wait(claim, "ours", report)

    async def hand_back(self) -> None:
        """What is in hand and was not sent is anybody's at once; of what may have been the history says so."""
        if failpoints.armed:
            await failpoints.reach("worker.free.before")
        doubt = Report(self.leases.worker, stage="dot", code=0, fault="its worker stopped before the answer came")
        while self.cut:
            await outbox.postpone(self.pool, self.cut[-1], seconds=0, cause="ours", report=doubt)
            self.counts.add("duplicates_suspected")
            self.cut.pop()
        kept = [lease.id for lease in self.receipts.open]
        self.counts.add("mails_handed_back", await outbox.hand_back(self.pool, worker=self.leases.worker, kept=kept))
        if failpoints.armed:
            await failpoints.reach("worker.free.after")

    def _report(self, answer: Refused | TryLater) -> Report:
        return Report(self.leases.worker, answer.server, answer.stage, answer.code, answer.text)

    async def _confirm(self, receipt: Receipt, answer: str) -> bool:
        return await outbox.confirm(
            self.pool, receipt.lease, worker=self.leases.worker, server=receipt.server, code=receipt.code, answer=answer
        )

    async def _end(self, claim: Claim, state: End, report: Report) -> None:
        if not await self._settled(claim, partial(outbox.end, self.pool, claim, state=state, report=report)):
            return
        self.counts.add(state)
        if log.isEnabledFor(logging.INFO):
            log.info("mail ended", extra={"mail": str(claim.id), "state": state} | _facts(report))

    async def _wait(self, claim: Claim, cause: Cause, report: Report, *, seconds: float = 0) -> None:
        """For so many seconds, or as many as this attempt has to; more or less, so that not all come at once."""
        seconds = seconds or WAITS[min(claim.attempts, len(WAITS)) - 1]
        seconds *= random.uniform(0.8, 1.2)  # noqa: S311 - jitter
        postpone = partial(outbox.postpone, self.pool, claim, seconds=seconds, cause=cause, report=report)
        if not await self._settled(claim, postpone):
            return
        self.counts.add(f"waits_{cause}")
        facts = {"mail": str(claim.id), "cause": cause, "seconds": round(seconds, 1)} | _facts(report)
        log.warning("mail waits", extra=facts)

    async def _settled(self, claim: Claim, act: Callable[[], Awaitable[bool]]) -> bool:
        """Whether it was written; if it was not, another worker has claimed the mail since."""
        written = await self._insist(act)
        if not written:
            log.warning("mail is not ours any more", extra={"mail": str(claim.id), "attempt": claim.attempts})
        return written

    async def _insist(self, act: Callable[[], Awaitable[bool]], *, secure: bool = False) -> bool:
        """Its answer; while Postgres is away again and again, for as long as the lease can be ours."""
        until = time.monotonic() + LEASE
        while True:
            try:
                return await act()
            except Exception as error:
                if db.diagnose(error) is None or time.monotonic() > until:
                    raise
            if secure:
                await self.receipts.secure()
            await asyncio.sleep(_AGAIN)


def _facts(report: Report) -> dict[str, object]:
    """Of a report what a line of the log says."""
    return {"server": report.server, "stage": report.stage, "code": report.code, "fault": report.fault}
