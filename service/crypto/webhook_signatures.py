"""Secrets and signatures of Standard Webhooks 1.0: HMAC-SHA-256 over id, time and body."""

import base64
import hashlib
import hmac
import secrets

from service.crypto.secret import Secret

_PREFIX, _BYTES = "whsec_", 32


def generate() -> Secret:
    """Make a secret of 256 random bits, as the receiver's library takes it."""
    return Secret(_PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode())


def sign(secret: Secret, event_id: str, moment: int, body: bytes) -> str:
    key = base64.b64decode(secret.reveal().removeprefix(_PREFIX))
    signed = hmac.new(key, f"{event_id}.{moment}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"
