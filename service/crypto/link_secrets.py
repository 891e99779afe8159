"""Secrets of mailed links: the id of a token, and a proof that the holder of SECRET_KEYS made it for that token.

The long form is the contract's, 256 hex characters (docs/contract.md#tokens). The short one is 36 characters of
base64url: 80 bits of id and 136 of proof. Either opens its token.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Literal

from service.crypto import key_derivation

Form = Literal["long", "short"]
ID = 20
_LONG_PROOF, _SHORT_PROOF = 118, 17
# Both lengths are whole groups of their encoding, so no two texts stand for the same bytes.
_LONG, _SHORT = re.compile(r"[0-9a-f]{256}"), re.compile(r"[A-Za-z0-9_-]{36}")


def form_of(secret: str) -> Form | None:
    """Return the form of a text, None if no secret looks like it."""
    return "long" if _LONG.fullmatch(secret) else "short" if _SHORT.fullmatch(secret) else None


def token_id(secret: str) -> str | None:
    """Return the id of the token that a secret names; None for a text of neither form."""
    match form_of(secret):
        case "long":
            return secret[:ID]
        case "short":
            return urlsafe_b64decode(secret)[: ID // 2].hex()
    return None


def make(form: Form, key: bytes, id_: str, *bound: str) -> str:
    """Make the secret of a token; what it is `bound` to makes another secret when it changes."""
    if form == "long":
        return id_ + key_derivation.expand(key, _LONG_PROOF, "token", *bound).hex()
    proof = key_derivation.derive(key, "link", *bound)[:_SHORT_PROOF]
    return urlsafe_b64encode(bytes.fromhex(id_) + proof).decode()
