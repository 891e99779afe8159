"""Mailgun: HMAC-SHA256 over timestamp and token, which are part of the body.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
"""

import hmac
from dataclasses import dataclass, field

from service.store.delivery_reports import DeliveryReport, Outcome
from worker.bounces.return_path import ReturnPath
from worker.bounces.webhooks.notification import ForgedCall, Notification, equal, is_gone, mail_of, signed_at, text
from worker.relays.outcomes import one_line


@dataclass(frozen=True, slots=True)
class Mailgun:
    """`key` is the HTTP webhook signing key."""

    key: str = field(repr=False)
    return_path: ReturnPath | None
    longest: float = 12 * 3600  # it repeats a call for eight hours

    async def verify(self, call: Notification) -> float:
        signature = call.json()
        timestamp, token = text(signature, "signature", "timestamp"), text(signature, "signature", "token")
        expected = hmac.new(self.key.encode(), f"{timestamp}{token}".encode(), "sha256").hexdigest()
        if not token or not equal(expected, text(signature, "signature", "signature")):
            raise ForgedCall("its signature is not that of BOUNCE_MAILGUN_KEY")
        return signed_at(timestamp)

    async def read(self, call: Notification) -> list[DeliveryReport]:
        event = call.json()
        event = event.get("event-data") if isinstance(event, dict) else None
        outcomes: dict[str, Outcome] = {
            "delivered": "delivered", "complained": "complained",
            "failed": "bounced" if text(event, "severity") == "permanent" else "deferred",
        }  # fmt: skip
        outcome = outcomes.get(text(event, "event"))
        mail_id = mail_of(
            self.return_path, text(event, "envelope", "sender"), text(event, "message", "headers", "message-id")
        )
        if outcome is None or mail_id is None:
            return []
        said = " ".join(text(event, "delivery-status", name) for name in ("enhanced-code", "message", "description"))
        hard = text(event, "reason") in ("bounce", "suppress-bounce")
        gone = outcome == "bounced" and is_gone(said, otherwise=hard)
        named = frozenset({text(event, "recipient")}) - {""}
        return [DeliveryReport(mail_id, outcome, "mailgun", named, gone=gone, detail=one_line(said))]
