"""Signatures of the security log's checkpoints: Ed25519, by a key derived from SECRET_KEYS.

Whoever has the public key verifies them, without the service and without a secret.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from service.crypto import key_derivation
from service.crypto.key_derivation import KeyRing

PublicKey = Ed25519PublicKey
_TEXT = "accounts security log\nproject {}\nmonth {}\nrows {}\nhash {}\ntime {}\n"


@dataclass(frozen=True, slots=True)
class Stand:
    """Place of a chain at a time: so many rows, and the hash of the last one."""

    project_id: str
    month: str
    number: int
    hash: bytes
    at: datetime

    @property
    def text(self) -> str:
        """The text that is signed, in UTF-8."""
        time = self.at.astimezone(UTC).isoformat(timespec="microseconds")
        return _TEXT.format(self.project_id, self.month, self.number, self.hash.hex(), time)


def sign(ring: KeyRing, stand: Stand) -> tuple[str, bytes]:
    """Sign under the first key; return its kid and the signature."""
    kid = key_derivation.current(ring)
    return kid, _private_key(ring[kid]).sign(stand.text.encode())


def public_keys(ring: KeyRing) -> dict[str, Ed25519PublicKey]:
    return {kid: _private_key(key).public_key() for kid, key in ring.items()}


def pem(key: Ed25519PublicKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - loads bcrypt

    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_pem(text: bytes) -> Ed25519PublicKey:
    """Read a public key. Raises ValueError."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415 - loads bcrypt

    key = load_pem_public_key(text)
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("it is no Ed25519 key")  # noqa: TRY004 - a text of another kind, for the caller
    return key


def is_signed(stand: Stand, signature: bytes, keys: Iterable[Ed25519PublicKey]) -> bool:
    """Tell whether one of these keys has signed it."""
    return any(_has_signed(key, stand, signature) for key in keys)


def _has_signed(key: Ed25519PublicKey, stand: Stand, signature: bytes) -> bool:
    try:
        key.verify(signature, stand.text.encode())
    except InvalidSignature:
        return False
    return True


def _private_key(key: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(key_derivation.derive(key, "sign", "security log"))
