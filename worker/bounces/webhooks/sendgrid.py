"""SendGrid: ECDSA over a time and the body; a call has many events.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from service.store.delivery_reports import DeliveryReport, Outcome
from worker.bounces.return_path import ReturnPath
from worker.bounces.webhooks.notification import ForgedCall, Notification, is_gone, mail_of, records, signed_at, text
from worker.relays.outcomes import one_line

_HEADER = "x-twilio-email-event-webhook-"
_OUTCOMES: Mapping[str, Outcome] = MappingProxyType({
    "delivered": "delivered", "deferred": "deferred", "bounce": "bounced", "dropped": "bounced",
    "spamreport": "complained",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class SendGrid:
    """`key` is the verification key."""

    key: ec.EllipticCurvePublicKey
    return_path: ReturnPath | None
    longest: float = 26 * 3600  # it repeats a call for a day

    async def verify(self, call: Notification) -> float:
        timestamp = call.header(f"{_HEADER}timestamp")
        try:
            signature = base64.b64decode(call.header(f"{_HEADER}signature"), validate=True)
            self.key.verify(signature, timestamp.encode() + call.body, ec.ECDSA(SHA256()))
        except (binascii.Error, ValueError, InvalidSignature):
            raise ForgedCall("its signature is not that of BOUNCE_SENDGRID_KEY") from None
        return signed_at(timestamp)

    async def read(self, call: Notification) -> list[DeliveryReport]:
        found: list[DeliveryReport] = []
        for event in records(call.json()):
            outcome = _OUTCOMES.get(text(event, "event"))
            mail_id = mail_of(self.return_path, text(event, "smtp-id"))
            if outcome is None or mail_id is None:
                continue
            said = " ".join(text(event, name) for name in ("status", "reason", "response")).strip()
            # `blocked` is a refusal of this mail; a dropped one was refused by SendGrid for what was before.
            hard = text(event, "type") == "bounce" or text(event, "reason") in ("Bounced Address", "Invalid")
            gone = outcome == "bounced" and is_gone(said, otherwise=hard)
            named = frozenset({text(event, "email")}) - {""}
            found.append(DeliveryReport(mail_id, outcome, "sendgrid", named, gone=gone, detail=one_line(said)))
        return found


def verification_key(setting: str) -> ec.EllipticCurvePublicKey:
    """Read the key as SendGrid shows it: DER in base64. Raises ValueError."""
    try:
        key = load_der_public_key(base64.b64decode(setting, validate=True))
    except (binascii.Error, UnsupportedAlgorithm):
        raise ValueError("no key in base64") from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("no key of an elliptic curve")  # noqa: TRY004 - a setting, of type text
    return key
