"""Take in one mail that came to a return path, whichever way it came."""

import asyncio
import logging
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

from service.crypto.key_derivation import KeyRing
from service.db import Executor
from service.store import delivery_reports
from service.store.delivery_reports import DeliveryReport
from worker.bounces import bounce_mail
from worker.bounces.bounce_mail import UnreadableBounce
from worker.bounces.return_path import ReturnPath

log = logging.getLogger(__name__)
# Return paths in one mail that are looked at.
_PATHS = 20


class ForeignBounce(ValueError):
    """It is about no mail of ours, or does not say which."""


@dataclass(slots=True)
class BounceIntake:
    """Intake; `days` is how long a mailbox that refuses our mail gets none."""

    conn: Executor
    return_path: ReturnPath
    ring: KeyRing = field(repr=False)
    days: int

    async def take(self, raw: bytes, recipients: list[str]) -> DeliveryReport | None:
        """Record what a mail to these return paths reports; None if it reports nothing.

        Raises UnreadableBounce, ForeignBounce for what is refused, and errors of Postgres for what should come again.
        """
        if len(raw) > bounce_mail.MOST_BYTES:
            raise UnreadableBounce(f"it has more than {bounce_mail.MOST_BYTES} bytes")
        mail_id = self._mail_of(raw, recipients)
        # Parsing takes processor time, which the deliveries beside it should not wait for.
        report = await asyncio.to_thread(bounce_mail.read, raw, mail_id)
        if report is not None:
            await record(self.conn, self.ring, report, days=self.days)
        return report

    def _mail_of(self, raw: bytes, recipients: list[str]) -> UUID:
        """Return the mail of the envelope; else the one whose return path stands in the mail. Raises ForeignBounce."""
        for address in recipients:
            if mail_id := self.return_path.mail_of(address):
                return mail_id
        found = set(islice(self.return_path.find(raw), _PATHS))
        if len(found) != 1:
            raise ForeignBounce("it names no return path of ours" if not found else "it names several mails")
        return found.pop()


async def record(conn: Executor, ring: KeyRing, report: DeliveryReport, *, days: int) -> bool:
    """Record a report, and log it without an address; False if it was known, or its mail is gone."""
    new = await delivery_reports.record(conn, ring, report, days=days)
    facts = {"mail": str(report.mail_id), "outcome": report.outcome, "channel": report.channel, "new": new}
    log.info("A mail was reported on", extra={"event": "mail.reported"} | facts)
    return new
