"""Password hashes as Appwrite keeps them, and the columns of its database that are encrypted."""

import base64
from collections.abc import Mapping
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.crypto import weak_hashes
from service.crypto.password_hashing import from_scrypt, method_of
from service.crypto.secret import Secret
from service.crypto.weak_hashes import WeakHash

_METHOD = "aes-128-gcm"


class UnfitHash(Exception):
    """The hash, or what else is encrypted, can't be taken over; the message says why, without it."""


class WrongKey(UnfitHash):
    """It is encrypted, and there is no key, or another one."""


def read(method: str, text: str, options: Mapping[str, Any]) -> str | WeakHash:
    """Return the line to store, or a weak hash that must be wrapped first. Raises UnfitHash."""
    try:
        match method:
            case "argon2" | "bcrypt":
                return _proved_by(method, text)
            case "md5":
                return weak_hashes.read_digest("md5", text)
            case "sha":
                return weak_hashes.read_digest(_version(options, text), text)
            case "phpass":
                return weak_hashes.read_phpass(text)
            case "scrypt":
                return _scrypt(text, options)
            case "scryptMod":
                given = {name: str(options[key]) for name, key in _FIREBASE.items()}
                return weak_hashes.from_firebase(text, **given)
    except KeyError as missing:
        raise UnfitHash(f"the {method} hash comes without its {missing.args[0]}: take it from a dump") from None
    except (ValueError, TypeError):
        raise UnfitHash(f"the {method} hash is malformed, or costs too much to prove") from None
    raise UnfitHash("the kind of its hash is not known here")


_FIREBASE = {"salt": "salt", "separator": "saltSeparator", "signer_key": "signerKey"}


def _proved_by(method: str, text: str) -> str:
    if method_of(text) != method:
        raise ValueError
    return text


def _version(options: Mapping[str, Any], text: str) -> str:
    """Find the version of SHA. The API doesn't tell it, and only SHA-1 is known by its length alone."""
    version = "sha1" if "version" not in options and len(text) == 40 else options["version"]
    if version not in weak_hashes.SHA:
        raise ValueError
    return str(version)


def _scrypt(text: str, options: Mapping[str, Any]) -> str:
    digest = bytes.fromhex(text)
    n, r, p = (int(options[name]) for name in ("costCpu", "costMemory", "costParallel"))
    return from_scrypt(digest, salt=str(options["salt"]).encode(), n=n, r=r, p=p)


def decrypt(text: str, key: Secret | None) -> str:
    """Decrypt a column of Appwrite's database; a text that is not encrypted is returned as it is. Raises UnfitHash.

    OpenSSL reads the first 16 bytes of `_APP_OPENSSL_KEY_V1`, filled up with zeros, as PHP gives them to it.
    """
    if not text.startswith("{"):
        return text
    if key is None:
        raise WrongKey("is encrypted, and there is no key for it")
    try:
        sealed = orjson.loads(text)
        if sealed["method"].lower() != _METHOD:
            raise UnfitHash("is encrypted in a way that is not known here")
        data = base64.b64decode(sealed["data"], validate=True) + bytes.fromhex(sealed["tag"])
        cipher = AESGCM(key.reveal().encode()[:16].ljust(16, b"\0"))
        return cipher.decrypt(bytes.fromhex(sealed["iv"]), data, None).decode()
    except InvalidTag:
        raise WrongKey("is encrypted under another key") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UnfitHash("is encrypted, and damaged") from None
