"""Device tokens: a device that has signed in before has windows of its own, and no other client can fill them.

A device keeps a string of tokens, one for each account used on it. A token is good for one project and address only,
holds neither, and only this service can make one. It opens nothing: it only earns its device a window of its own (S55).
"""

import hmac
import re
import secrets
import time
from dataclasses import dataclass

from service.crypto import key_derivation
from service.crypto.key_derivation import KeyRing

SECONDS = 180 * 86_400
_MOST = 5
_TOKEN = re.compile(
    r"(?P<kid>[A-Za-z0-9_-]{1,16})\.(?P<at>[0-9]{1,10})\.(?P<id>[0-9a-f]{16})\.(?P<verified>[01])\.[0-9a-f]{32}"
)


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device that signed in before.

    `id` stays while its token is renewed; `verified` if the address was proved to be the account's by then.
    """

    id: str
    verified: bool


def find(ring: KeyRing, stored: str, project_id: str, *, email: str) -> KnownDevice | None:
    """Find the device, if one of its tokens is for this address, not too old, and made by this service."""
    for token in _split(stored):
        if device := _read(ring, token, project_id, email):
            return device
    return None


def add_token(ring: KeyRing, stored: str, project_id: str, *, email: str, verified: bool) -> str:
    """Put a fresh token for this address before the others; its former one and the oldest are removed.

    The device keeps its id: with a new one each time, a client that knows the password could sign in without end.
    """
    kept = [token for token in _split(stored) if _read(ring, token, project_id, email) is None]
    former = find(ring, stored, project_id, email=email)
    device = former.id if former else secrets.token_hex(8)
    head = f"{key_derivation.current(ring)}.{int(time.time())}.{device}.{int(verified)}"
    return "~".join([f"{head}.{_signature(ring, head, project_id, email)}", *kept][:_MOST])


def _split(stored: str) -> list[str]:
    return [token for token in stored.split("~", _MOST)[:_MOST] if _TOKEN.fullmatch(token)] if stored else []


def _read(ring: KeyRing, token: str, project_id: str, email: str) -> KnownDevice | None:
    head, _, proof = token.rpartition(".")
    match = _TOKEN.fullmatch(token)
    if match is None or match["kid"] not in ring or not 0 <= time.time() - int(match["at"]) < SECONDS:
        return None
    if not hmac.compare_digest(_signature(ring, head, project_id, email), proof):
        return None
    return KnownDevice(match["id"], match["verified"] == "1")


def _signature(ring: KeyRing, head: str, project_id: str, email: str) -> str:
    return key_derivation.derive(ring[head.partition(".")[0]], "known_device", project_id, email, head)[:16].hex()
