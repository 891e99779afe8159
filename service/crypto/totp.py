"""One-time passwords by time (RFC 6238), as authenticator apps make them: SHA-1, six digits, steps of 30 seconds."""

import hmac
import secrets
from base64 import b32decode, b32encode
from urllib.parse import quote

from service.crypto.secret import Secret

STEP = 30
_BYTES, _DIGITS = 20, 6
# An app's clock may be a step behind or ahead (RFC 6238, 5.2).
_DRIFT = (-1, 0, 1)


def new_secret() -> Secret:
    """Make 160 random bits (RFC 4226, 4), as 32 characters of base32."""
    return Secret(b32encode(secrets.token_bytes(_BYTES)).decode())


def code_at(secret: Secret, step: int) -> str:
    digest = hmac.digest(b32decode(secret.reveal()), step.to_bytes(8, "big"), "sha1")
    start = digest[-1] & 15
    number = int.from_bytes(digest[start : start + 4]) & 0x7FFF_FFFF
    return f"{number % 10**_DIGITS:0{_DIGITS}}"


def matching_step(secret: Secret, code: str, *, now: int) -> int | None:
    """Return the step that a code belongs to, the one before `now` to the one after; all are compared."""
    found = None
    for step in (now + drift for drift in _DRIFT):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()):
            found = step
    return found


def uri(secret: Secret, *, issuer: str, label: str) -> Secret:
    """Make the address that apps read from a QR picture. A colon would part the label: some apps split at `%3A` too."""
    project, account = (quote(name.replace(":", ""), safe="@") for name in (issuer, label))
    facts = f"secret={secret.reveal()}&issuer={quote(issuer.replace(':', ''), safe='')}"
    return Secret(f"otpauth://totp/{project}:{account}?{facts}&algorithm=SHA1&digits={_DIGITS}&period={STEP}")
