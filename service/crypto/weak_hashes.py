"""Password hashes of other systems that are too weak to be kept: a plain digest, or PHPass.

Only an Argon2id hash of such a digest is stored, so that a copy of the database shows none: `$wrapped$md5$$argon2id$…`,
with PHPass's setting between. And Firebase's variant of scrypt, which is kept as it is.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from service.crypto.secret import Secret

# As PHP names them, and as Python does.
_DIGESTS = {
    "md5": "md5", "sha1": "sha1", "sha224": "sha224", "sha256": "sha256", "sha384": "sha384",
    "sha512/224": "sha512_224", "sha512/256": "sha512_256", "sha512": "sha512", "sha3-224": "sha3_224",
    "sha3-256": "sha3_256", "sha3-384": "sha3_384", "sha3-512": "sha3_512",
}  # fmt: skip
SHA = tuple(name for name in _DIGESTS if name != "md5")
_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# PHPass's cost is the base-2 logarithm of its rounds: its own bounds, and a tenth of a second.
_LEAST_COST, _MOST_COST = 7, 17
_PHPASS = re.compile(r"\$[PH]\$(?P<setting>[./0-9A-Za-z]{9})(?P<digest>[./0-9A-Za-z]{22})")
_WRAPPED = re.compile(
    r"\$wrapped\$(?P<name>[a-z0-9/-]{3,10})\$(?P<setting>[./0-9A-Za-z]{9})?(?P<line>\$argon2id\$[!-~]{1,300})"
)
_BASE64 = r"[A-Za-z0-9+/]{1,344}={0,2}"
_FIREBASE = re.compile(
    rf"\$firebase\$(?P<salt>{_BASE64})\$(?P<separator>{_BASE64})\$(?P<key>{_BASE64})\$(?P<hash>{_BASE64})"
)
# Firebase's usual cost, which the contract has no parameter for.
_N, _R, _MEMORY = 2**14, 8, 32 * 2**20


@dataclass(frozen=True, slots=True)
class WeakHash:
    """A weak hash that came: its digest as text, and how to make it of a password again."""

    name: str
    setting: str
    digest: Secret


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A stored line: how to make the digest of a password, and the Argon2id hash of that digest."""

    name: str
    setting: str
    line: str


def read_digest(name: str, text: str) -> WeakHash:
    """Parse a digest in hex, in any case. Raises ValueError."""
    raw = bytes.fromhex(text) if text.isalnum() else b""
    if len(raw) != hashlib.new(_DIGESTS[name], usedforsecurity=False).digest_size:
        raise ValueError("a digest of another length")
    return WeakHash(name, "", Secret(raw.hex()))


def read_phpass(text: str) -> WeakHash:
    """Parse a portable hash of PHPass, $P$ or phpBB's $H$. Raises ValueError."""
    match = _PHPASS.fullmatch(text)
    if match is None or not _LEAST_COST <= _ALPHABET.index(match["setting"][0]) <= _MOST_COST:
        raise ValueError("no portable hash, or one that costs too much")
    return WeakHash("phpass", match["setting"], Secret(match["digest"]))


def wrap(weak: WeakHash, line: str) -> str:
    """Make the line to store of the Argon2id hash of a digest."""
    return f"$wrapped${weak.name}${weak.setting}{line}"


def find_wrapped(stored: str) -> Wrapped | None:
    match = _WRAPPED.fullmatch(stored)
    if match is None or (match["name"] == "phpass") != bool(match["setting"]):
        return None
    known = match["name"] in _DIGESTS or match["name"] == "phpass"
    return Wrapped(match["name"], match["setting"] or "", match["line"]) if known else None


def digest(wrapped: Wrapped, password: str) -> str:
    """Make the digest of a password."""
    if wrapped.name == "phpass":
        return _phpass(wrapped.setting, password.encode())
    return hashlib.new(_DIGESTS[wrapped.name], password.encode(), usedforsecurity=False).hexdigest()


def _phpass(setting: str, password: bytes) -> str:
    """Make the digest of PHPass: MD5 many times, in its own base64."""
    made = hashlib.md5(setting[1:].encode() + password, usedforsecurity=False).digest()
    for _ in range(1 << _ALPHABET.index(setting[0])):
        made = hashlib.md5(made + password, usedforsecurity=False).digest()
    groups = (made[at : at + 3] for at in range(0, len(made), 3))
    return "".join(
        _ALPHABET[int.from_bytes(group, "little") >> (6 * place) & 0x3F]
        for group in groups
        for place in range(len(group) + 1)
    )


def from_firebase(text: str, *, salt: str, separator: str, signer_key: str) -> str:
    """Make the line that stores a hash of Firebase. Raises ValueError."""
    line = f"$firebase${salt}${separator}${signer_key}${text}"
    if firebase_parts(line) is None:
        raise ValueError("no hash of Firebase")
    return line


def firebase_parts(stored: str) -> tuple[bytes, bytes, bytes] | None:
    """Parse salt with its separator, signer key and hash; None for another line."""
    match = _FIREBASE.fullmatch(stored)
    if match is None:
        return None
    try:
        parts = [base64.b64decode(match[name], validate=True) for name in ("salt", "separator", "key", "hash")]
    except ValueError:
        return None
    salt, separator, key, made = parts
    return (salt + separator, key, made) if len(key) == len(made) >= 16 else None


def proves_firebase(stored: str, password: str) -> bool:
    """Verify a password: scrypt's output encrypts the project's signer key."""
    parts = firebase_parts(stored)
    if parts is None:
        return False
    salt, key, expected = parts
    derived = hashlib.scrypt(password.encode(), salt=salt, n=_N, r=_R, p=1, maxmem=_MEMORY, dklen=64)
    encryptor = Cipher(algorithms.AES(derived[:32]), modes.CTR(bytes(16))).encryptor()
    return hmac.compare_digest(encryptor.update(key) + encryptor.finalize(), expected)
