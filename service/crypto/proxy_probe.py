"""Signed probe by which an operator with the server's keys sees the client address of a request."""

import hmac
import re

from service.crypto import key_derivation

HEADER, PATH = "X-Accounts-Doctor", "/whoami"
# Seconds that a probe may be under way, in either direction.
_FRESH = 60
_PROOF = re.compile(r"([0-9]{10})\.([0-9a-f]{64})")


def sign(ring: key_derivation.KeyRing, *, now: int) -> str:
    """Sign the value of HEADER, valid for a minute and for nothing else."""
    return f"{now}.{_signature(ring[key_derivation.current(ring)], str(now))}"


def is_signed(ring: key_derivation.KeyRing, given: str, *, now: int) -> bool:
    match = _PROOF.fullmatch(given)
    if match is None or abs(now - int(match[1])) > _FRESH:
        return False
    return any(hmac.compare_digest(_signature(key, match[1]), match[2]) for key in ring.values())


def _signature(key: bytes, at: str) -> str:
    return key_derivation.derive(key, "whoami", at).hex()
