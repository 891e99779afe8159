"""Reports on mails that a relay has taken: delivered, deferred, bounced, complained. See docs/bounces.md.

Whoever reports is checked before: nothing here asks whether a report is forged.
"""

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from service import email_addresses
from service.crypto.key_derivation import KeyRing
from service.db import Executor, Queries
from service.store import outbox_admin, suppressions
from service.store.outbox_admin import Mail
from service.store.suppressions import SuppressionCause

_sql = Queries("delivery_reports")
Outcome = Literal["delivered", "deferred", "bounced", "complained"]
# RFC 3463: of these a mailbox will not recover by itself. Bad mailbox, host or syntax, moved, null MX, disabled.
PERMANENT = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
# Types of feedback that are no word of the recipient (RFC 5965 7.3, RFC 6591): a receiver's checks, and a withdrawal.
NO_COMPLAINTS = frozenset({"", "auth-failure", "dmarc", "not-spam", "virus"})
# Delays of one mail that are worth a line of its history.
_DEFERRALS = 5


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """A report on one mail, in neutral words.

    `recipients` are the addresses that it names, in any spelling. `gone`: the mailbox will not take any mail. `detail`
    is one harmless line for operators.
    """

    mail_id: UUID
    outcome: Outcome
    channel: str
    recipients: frozenset[str] = field(default=frozenset(), repr=False)
    gone: bool = False
    detail: str = ""


async def record(conn: Executor, ring: KeyRing, report: DeliveryReport, *, days: int) -> bool:
    """Write a report into its mail's history, and suppress the recipient if its mailbox takes no mail.

    False if there is no such mail any more, or it was reported before.
    """
    mail = await outbox_admin.find(conn, report.mail_id)
    if mail is None:
        return False
    cause = _cause(report, mail)
    address_hash = suppressions.hash_of(ring, mail.project_id, mail.recipient) if cause else None
    found = await _sql.value(
        conn,
        "record_delivery_report",
        project_id=mail.project_id,
        mail_id=mail.id,
        outcome=report.outcome,
        channel=report.channel,
        detail=report.detail,
        most=_DEFERRALS if report.outcome == "deferred" else 1,
        address_hash=address_hash,
        cause=cause,
        days=days,
    )
    return found is not None


def _cause(report: DeliveryReport, mail: Mail) -> SuppressionCause | None:
    """Return the cause for which the mail's recipient is suppressed; a report that names others suppresses nobody."""
    named = {email_addresses.lookup_form(each) for each in report.recipients}
    if report.outcome == "complained" and (not named or mail.recipient in named):
        return "complained"
    if report.outcome == "bounced" and report.gone and mail.recipient in named:
        return "bounced"
    return None
