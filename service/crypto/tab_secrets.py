"""Secrets of browsers that wait for their magic link to be approved elsewhere, and the number that both ends compare.

A secret is sealed, for its holder must not know which row it stands for: otherwise the time of a guess at that row
would tell what became of it. It says by itself until when it holds: a row that is gone looks like one that waits.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from service.crypto import key_derivation, sealing
from service.crypto.key_derivation import KeyRing
from service.crypto.sealing import CannotUnseal, Place
from service.crypto.secret import Secret

# Two digits without a leading zero, which people leave out.
_LEAST, _NUMBERS = 10, 90


@dataclass(frozen=True, slots=True)
class AwaitedLink:
    """A link that a browser waits for, as its own secret tells."""

    secret: Secret
    token_id: str
    kid: str
    ends_at: datetime


def make(ring: KeyRing, project_id: str, *, user_id: str, token_id: str, ends_at: datetime) -> Secret:
    """Make the secret of who asked for a token under this user id. It ends within the second before its token."""
    text = orjson.dumps([token_id, int(ends_at.timestamp())]).decode()
    kid, sealed = sealing.seal(ring, Secret(text), _place(project_id, user_id))
    return Secret(f"{kid}.{urlsafe_b64encode(sealed).decode()}")


def read(ring: KeyRing, secret: Secret, project_id: str, *, user_id: str) -> AwaitedLink | None:
    """Read a secret; None for one that this service has not made for this user id."""
    kid, _, sealed = secret.reveal().rpartition(".")
    try:
        text = sealing.unseal(ring, kid, urlsafe_b64decode(sealed), _place(project_id, user_id))
    except (CannotUnseal, ValueError):
        return None
    token_id, ends_at = orjson.loads(text.reveal())
    return AwaitedLink(secret, token_id, kid, datetime.fromtimestamp(ends_at, UTC))


def number(key: bytes, project_id: str, token_id: str) -> str:
    """Derive the number of a token, from 10 to 99."""
    return str(_LEAST + int.from_bytes(key_derivation.derive(key, "number", project_id, token_id)[:8]) % _NUMBERS)


def _place(project_id: str, user_id: str) -> Place:
    return Place("first_tab", project_id, user_id, "")
