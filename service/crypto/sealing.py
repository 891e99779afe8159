"""Secrets that the service has to read again, encrypted under SECRET_KEYS: AES-256-GCM, a key a purpose.

What is sealed belongs to one owner: it can't be opened for another, nor for another purpose.
"""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.crypto import key_derivation
from service.crypto.key_derivation import KeyRing
from service.crypto.secret import Secret

_NONCE = 12


class CannotUnseal(Exception):
    """The key is gone, or what was sealed has been changed."""


def seal(ring: KeyRing, secret: Secret, *, purpose: str, owner: str) -> tuple[str, bytes]:
    """Encrypt under the first key; return its kid and the sealed bytes."""
    kid, nonce = key_derivation.current(ring), secrets.token_bytes(_NONCE)
    return kid, nonce + _cipher(ring[kid], purpose).encrypt(nonce, secret.reveal().encode(), owner.encode())


def unseal(ring: KeyRing, kid: str, sealed: bytes, *, purpose: str, owner: str) -> Secret:
    """Decrypt. Raises CannotUnseal."""
    if kid not in ring:
        raise CannotUnseal(f"the key {kid} is not among SECRET_KEYS")
    try:
        text = _cipher(ring[kid], purpose).decrypt(sealed[:_NONCE], sealed[_NONCE:], owner.encode())
    except (InvalidTag, ValueError):
        raise CannotUnseal("it was changed after it was sealed, or sealed under another key of that name") from None
    return Secret(text.decode())


def _cipher(key: bytes, purpose: str) -> AESGCM:
    return AESGCM(key_derivation.derive(key, "seal", purpose))
