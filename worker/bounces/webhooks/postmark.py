"""Postmark: it signs nothing, and calls with the user and password that its webhook is given.

https://postmarkapp.com/developer/webhooks/bounce-webhook
"""

import base64
import binascii
from dataclasses import dataclass, field

from service.store.delivery_reports import DeliveryReport, Outcome
from worker.bounces.return_path import ReturnPath
from worker.bounces.webhooks.notification import ForgedCall, Notification, equal, is_gone, mail_of, text
from worker.relays.outcomes import one_line

# Kinds of a bounce: https://postmarkapp.com/developer/api/bounce-api#bounce-types. Others say nothing of the mailbox.
_HARD = frozenset({"HardBounce", "BadEmailAddress"})
_BOUNCES = _HARD | {"Blocked", "SpamNotification", "VirusNotification", "ManuallyDeactivated", "DMARCPolicy"}
_DEFERRALS = frozenset({"SoftBounce", "Transient", "DnsError"})


@dataclass(frozen=True, slots=True)
class Postmark:
    """`auth` is user:password."""

    auth: str = field(repr=False)
    return_path: ReturnPath | None
    longest: float = 0

    async def verify(self, call: Notification) -> None:
        scheme, _, given = call.header("authorization").partition(" ")
        try:
            said = base64.b64decode(given.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            said = ""
        if scheme.lower() != "basic" or not equal(self.auth, said):
            raise ForgedCall("user and password are not those of BOUNCE_POSTMARK_AUTH")

    async def read(self, call: Notification) -> list[DeliveryReport]:
        event = call.json()
        outcome = _outcome(text(event, "RecordType"), text(event, "Type"))
        mail_id = mail_of(self.return_path, text(event, "Metadata", "mail"))
        if outcome is None or mail_id is None:
            return []
        said = " ".join(text(event, name) for name in ("Description", "Details"))
        gone = outcome == "bounced" and is_gone(said, otherwise=text(event, "Type") in _HARD)
        named = frozenset({text(event, "Email"), text(event, "Recipient")}) - {""}
        return [DeliveryReport(mail_id, outcome, "postmark", named, gone=gone, detail=one_line(said))]


def _outcome(record: str, kind: str) -> Outcome | None:
    if record == "SpamComplaint" or (record == "Bounce" and kind == "SpamComplaint"):
        return "complained"
    if record == "Bounce":
        return "bounced" if kind in _BOUNCES else "deferred" if kind in _DEFERRALS else None
    return "delivered" if record == "Delivery" else None
