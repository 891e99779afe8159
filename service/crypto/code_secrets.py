"""Secrets that name no token: six digits that a person types, and the characters of a custom token.

Each is derived from its token's row, as a link's secret is (service/crypto/link_secrets.py).
"""

import re

from service.crypto import key_derivation

DIGITS = 6
SHORTEST, LONGEST = 4, 128
# From so many characters on (128 bits) a secret can't be guessed.
UNGUESSABLE = 32
_HEXADECIMAL = re.compile(r"[0-9a-f]+")


def digits(key: bytes, *bound: str) -> str:
    """Make a code of six digits; what it is `bound` to makes another code when it changes."""
    number = int.from_bytes(key_derivation.derive(key, *bound)[:8])
    return f"{number % 10**DIGITS:0{DIGITS}}"


def characters(key: bytes, length: int, *bound: str) -> str:
    """Make a secret of so many hexadecimal characters."""
    return key_derivation.expand(key, (length + 1) // 2, *bound).hex()[:length]


def may_be_custom(text: str) -> bool:
    """Tell whether a text has the form of a custom token. No link's secret has it, but for one in 2**72."""
    return SHORTEST <= len(text) <= LONGEST and _HEXADECIMAL.fullmatch(text) is not None
