"""Secrets that the service has to read again, encrypted under SECRET_KEYS: AES-256-GCM, a key a purpose.

What is sealed belongs to one row: it can't be opened in another one, nor for another user, project or purpose.
"""

import secrets
from dataclasses import astuple, dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.crypto import key_derivation
from service.crypto.key_derivation import KeyRing
from service.crypto.secret import Secret

_NONCE = 12


class CannotUnseal(Exception):
    """The key is gone, or what was sealed has been changed."""


@dataclass(frozen=True, slots=True)
class Place:
    """The row that a sealed secret is kept in; `user_id` is empty for what belongs to a whole project."""

    purpose: str
    project_id: str
    user_id: str
    row_id: str

    @property
    def bound(self) -> bytes:
        return key_derivation.join(*astuple(self))


def seal(ring: KeyRing, secret: Secret, place: Place) -> tuple[str, bytes]:
    """Encrypt under the first key; return its kid and the sealed bytes."""
    kid, nonce = key_derivation.current(ring), secrets.token_bytes(_NONCE)
    return kid, nonce + _cipher(ring[kid], place.purpose).encrypt(nonce, secret.reveal().encode(), place.bound)


def unseal(ring: KeyRing, kid: str, sealed: bytes, place: Place) -> Secret:
    """Decrypt. Raises CannotUnseal."""
    if kid not in ring:
        raise CannotUnseal(f"the key {kid} is not among SECRET_KEYS")
    try:
        text = _cipher(ring[kid], place.purpose).decrypt(sealed[:_NONCE], sealed[_NONCE:], place.bound)
    except (InvalidTag, ValueError):
        raise CannotUnseal("it was changed after it was sealed, or sealed under another key of that name") from None
    return Secret(text.decode())


def _cipher(key: bytes, purpose: str) -> AESGCM:
    return AESGCM(key_derivation.derive(key, "seal", purpose))
