"""A question that only who has the server's keys may ask: from which address did this request come?"""

import hmac
import re

from service.crypto import key_derivation

HEADER, PATH = "X-Accounts-Doctor", "/whoami"
# Seconds that a question may be on its way, either way round.
_FRESH = 60
_PROOF = re.compile(r"([0-9]{10})\.([0-9a-f]{64})")


def sign(ring: key_derivation.KeyRing, *, now: int) -> str:
    """What to send as HEADER; it opens nothing else, and this for a minute only."""
    return f"{now}.{_signature(ring[key_derivation.current(ring)], str(now))}"


def is_signed(ring: key_derivation.KeyRing, given: str, *, now: int) -> bool:
    match = _PROOF.fullmatch(given)
    if match is None or abs(now - int(match[1])) > _FRESH:
        return False
    return any(hmac.compare_digest(_signature(key, match[1]), match[2]) for key in ring.values())


def _signature(key: bytes, at: str) -> str:
    return key_derivation.derive(key, "whoami", at).hex()
