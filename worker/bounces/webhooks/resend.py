"""Resend: Standard Webhooks by Svix, HMAC-SHA256 over id, time and body.

https://resend.com/docs/webhooks/verify-webhooks-requests
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from service.store.delivery_reports import DeliveryReport, Outcome
from worker.bounces.return_path import ReturnPath
from worker.bounces.webhooks.notification import (
    ForgedCall,
    Notification,
    equal,
    inner,
    is_gone,
    mail_of,
    records,
    signed_at,
    text,
)
from worker.relays.outcomes import one_line

_OUTCOMES: Mapping[str, Outcome] = MappingProxyType({
    "email.delivered": "delivered", "email.delivery_delayed": "deferred", "email.bounced": "bounced",
    "email.complained": "complained",
})  # fmt: skip
# Bytes of a secret; those of Standard Webhooks have 24 or more.
_SHORTEST = 16


@dataclass(frozen=True, slots=True)
class Resend:
    secret: bytes = field(repr=False)
    return_path: ReturnPath | None
    longest: float = 300  # each call has a time of its own

    async def verify(self, call: Notification) -> float:
        call_id, timestamp, given = (
            call.header(f"svix-{name}") or call.header(f"webhook-{name}") for name in ("id", "timestamp", "signature")
        )
        mac = hmac.digest(self.secret, f"{call_id}.{timestamp}.".encode() + call.body, "sha256")
        expected = f"v1,{base64.b64encode(mac).decode()}"
        # Several while a secret is being replaced.
        if not call_id or not any(equal(expected, each) for each in given.split(" ")[:10]):
            raise ForgedCall("its signature is not that of BOUNCE_RESEND_SECRET")
        return signed_at(timestamp)

    async def read(self, call: Notification) -> list[DeliveryReport]:
        event = call.json()
        outcome, data = _OUTCOMES.get(text(event, "type")), inner(event, "data")
        mail_id = mail_of(self.return_path, *_names(data))
        if outcome is None or mail_id is None:
            return []
        said = " ".join(text(data, "bounce", name) for name in ("type", "subType", "message")).strip()
        gone = outcome == "bounced" and is_gone(said, otherwise=text(data, "bounce", "type") == "Permanent")
        to = inner(data, "to")
        named = frozenset(each for each in to if isinstance(each, str)) if isinstance(to, list) else frozenset()
        return [DeliveryReport(mail_id, outcome, "resend", named, gone=gone, detail=one_line(said))]


def _names(data: Any) -> list[str]:
    """List what may name a mail of ours: its Message-ID, or a tag that was sent along."""
    headers = {text(each, "name").lower(): text(each, "value") for each in records(data, "headers")}
    tags = {text(each, "name"): text(each, "value") for each in records(data, "tags")}
    return [text(data, "message_id"), headers.get("message-id", ""), text(data, "tags", "mail"), tags.get("mail", "")]


def secret_of(setting: str) -> bytes:
    """Read a secret as Resend shows it: whsec_ and base64. Raises ValueError, for an empty one too."""
    try:
        secret = base64.b64decode(setting.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) < _SHORTEST:
        raise ValueError(f"no secret as Resend shows it, of {_SHORTEST} bytes or more")
    return secret
