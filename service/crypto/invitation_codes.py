"""Codes of invitations: 25 characters of Crockford's base32 in groups of five, 125 random bits."""

import secrets

from service.crypto import key_derivation
from service.crypto.secret import Secret

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH, _GROUP = 25, 5
# Read as what they look like.
_ALIKE = str.maketrans("oil", "011")


def generate() -> Secret:
    return Secret("".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH)))


def shown(code: Secret) -> str:
    """Group a code for its reader."""
    text = code.reveal()
    return "-".join(text[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP))


def parse(typed: str) -> Secret | None:
    """Read a code as somebody typed it: case, spaces, hyphens and look-alikes are forgiven; None for anything else."""
    text = "".join(typed.split()).replace("-", "").lower().translate(_ALIKE)
    return Secret(text) if len(text) == _LENGTH and set(text) <= set(_ALPHABET) else None


def digest(code: Secret) -> bytes:
    return key_derivation.digest(code.reveal())
