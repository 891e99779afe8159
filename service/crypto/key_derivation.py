"""Secrets derived from the server's keys, so that no stored value opens an account."""

import hashlib
import hmac
from collections.abc import Mapping

KeyRing = Mapping[str, bytes]


def current(ring: KeyRing) -> str:
    """Return the kid that makes new secrets: the first of SECRET_KEYS."""
    return next(iter(ring))


def join(*parts: str) -> bytes:
    """Join texts, each with its length before it, so that no two lists of parts look alike."""
    return b"".join([len(raw).to_bytes(4, "big") + raw for raw in map(str.encode, parts)])


def derive(key: bytes, *parts: str) -> bytes:
    """Derive by HMAC-SHA-256 of the joined parts."""
    return hmac.digest(key, join(*parts), "sha256")


def expand(key: bytes, length: int, *parts: str) -> bytes:
    """Expand to `length` bytes: HMAC(key, parts, 1), HMAC(key, parts, 2) … (HKDF-Expand in spirit, RFC 5869)."""
    blocks = (derive(key, *parts, str(number)) for number in range(1, length // 32 + 2))
    return b"".join(blocks)[:length]


def digest(secret: str) -> bytes:
    """Hash a secret of 256 random bits for the database: SHA-256, no salt needed (ASVS 6.5.2)."""
    return hashlib.sha256(secret.encode()).digest()


def sms_keys(ring: KeyRing) -> dict[str, str]:
    """Derive the keys that sign SMS for the operator's webhook, in hex, by kid."""
    return {kid: derive(key, "sms").hex() for kid, key in ring.items()}
