"""Recovery codes: twelve characters of Crockford's base32, typed in groups of four, each with 55 random bits.

The first character is the code's place in its set, so that a code is compared with one hash. Codes that were imported
from Appwrite are 40 or 80 bits in hexadecimal, and may be any of a user's.
"""

import re
import secrets

from service.crypto.secret import Secret

NUMBER = 10
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM = 11
_CODE = re.compile(r"[0-9][0-9a-hjkmnp-tv-z]{11}")
_IMPORTED = re.compile(r"[0-9a-f]{10}|[0-9a-f]{20}")
# Read as what they look like.
_ALIKE = str.maketrans("oil", "011")


def generate() -> list[Secret]:
    """Make a set of codes, in the order of their places."""
    return [Secret(f"{place}{_random()}") for place in range(NUMBER)]


def _random() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))


def shown(code: Secret) -> str:
    """Group a code for its reader: `xxxx-xxxx-xxxx`."""
    text = code.reveal()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def parse(typed: str) -> Secret | None:
    """Read a code as its user typed it: case, spaces, hyphens and look-alikes are forgiven; None for anything else."""
    text = "".join(typed.split()).replace("-", "").lower().translate(_ALIKE)
    return Secret(text) if _CODE.fullmatch(text) or is_imported(text) else None


def is_imported(text: str) -> bool:
    """Tell whether a code has the form of another system's."""
    return _IMPORTED.fullmatch(text) is not None


def place_of(code: Secret) -> int | None:
    """Return a code's place; None for an imported one."""
    return None if is_imported(code.reveal()) else int(code.reveal()[0])
