"""Verification of what an authenticator returns, by webauthn, and of what that library leaves to its caller.

The library takes a second to import and 17 MB, so a process imports it with its first passkey. It raises errors of many
kinds on junk; here there is one.
"""

import asyncio
import importlib
import json
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, TypeVar

import orjson

Result = TypeVar("Result")
# ES256 and RS256, which all authenticators know one of; Ed25519.
ALGORITHMS = (-7, -257, -8)
# An answer of a browser is about 1 KiB.
LARGEST = 16 * 1024
_TRANSPORTS = frozenset({"ble", "cable", "hybrid", "internal", "nfc", "smart-card", "usb"})
_LONGEST_ID, _SMALLEST_RSA = 1023, 2048
_loaded = threading.Event()
# The key of nobody: an unknown credential is compared with it, so that it takes the time of a known one. It is the
# generator of P-256, so it proves nothing.
_NOBODY = bytes.fromhex(
    "a5010203262001215820"
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "225820"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)


class CredentialInvalid(Exception):
    """An answer proves nothing, for any reason."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Subject that an answer has to have: a challenge, a relying party, and origins."""

    challenge: bytes = field(repr=False)
    rp_id: str
    allows: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A credential that an authenticator has made; `public_key` is a COSE key."""

    id: bytes
    public_key: bytes
    algorithm: int
    backup_eligible: bool
    backed_up: bool
    sign_count: int
    transports: list[str]
    aaguid: str


@dataclass(frozen=True, slots=True)
class Known:
    """A credential that is stored, and its owner's handle."""

    public_key: bytes
    backup_eligible: bool
    handle: bytes | None


@dataclass(frozen=True, slots=True)
class Assertion:
    sign_count: int
    backed_up: bool


async def load() -> None:
    """Import the library, once, beside other requests."""
    if not _loaded.is_set():
        await asyncio.to_thread(importlib.import_module, "webauthn")
        _loaded.set()


def encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def credential_id(credential: Mapping[str, Any]) -> bytes:
    """Return the id of an answer's credential. Raises CredentialInvalid."""
    return _checked(_credential_id, credential)


def verify_registration(credential: Mapping[str, Any], expected: Expected) -> NewCredential:
    """Return the credential that was made. Raises CredentialInvalid."""
    return _checked(_verify_registration, credential, expected)


def verify_assertion(credential: Mapping[str, Any], expected: Expected, known: Known | None) -> Assertion:
    """Return what was signed with a known credential. Raises CredentialInvalid, for an unknown one as late as it can.

    The counter is the caller's to compare: it has to grow in the statement that stores it.
    """
    return _checked(_verify_assertion, credential, expected, known)


def _checked(verify: Callable[..., Result], credential: Mapping[str, Any], *facts: object) -> Result:
    if len(orjson.dumps(credential, default=str)) > LARGEST:
        raise CredentialInvalid
    try:
        return verify(credential, *facts)
    except Exception as fault:  # the library raises what its parsers raise on junk, a KeyError too
        raise CredentialInvalid from fault


def _credential_id(credential: Mapping[str, Any]) -> bytes:
    found = _bytes(credential["rawId"])
    if not 1 <= len(found) <= _LONGEST_ID:
        raise CredentialInvalid
    return found


def _bytes(text: str) -> bytes:
    """Decode base64url, with nothing else in it."""
    found = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(found) != text.rstrip("="):
        raise CredentialInvalid
    return found


def _verify_registration(credential: Mapping[str, Any], expected: Expected) -> NewCredential:
    from webauthn import verify_registration_response  # noqa: PLC0415 - the module says why
    from webauthn.helpers import parse_attestation_object  # noqa: PLC0415 - as above
    from webauthn.helpers.cose import COSEAlgorithmIdentifier  # noqa: PLC0415 - as above

    response = credential["response"]
    attestation = _without_statement(_bytes(response["attestationObject"]))
    found = verify_registration_response(
        credential={**credential, "response": {**response, "attestationObject": encode(attestation)}},
        expected_challenge=expected.challenge,
        expected_rp_id=expected.rp_id,
        expected_origin=[_origin(response, expected)],
        require_user_verification=True,
        supported_pub_key_algs=[COSEAlgorithmIdentifier(number) for number in ALGORITHMS],
    )
    flags = parse_attestation_object(attestation).auth_data.flags
    if found.credential_id != _credential_id(credential):
        raise CredentialInvalid
    return NewCredential(
        id=found.credential_id,
        public_key=found.credential_public_key,
        algorithm=_algorithm(found.credential_public_key),
        backup_eligible=flags.be,
        backed_up=flags.bs,
        sign_count=found.sign_count,
        transports=_transports(response.get("transports")),
        aaguid=found.aaguid,
    )


def _algorithm(public_key: bytes) -> int:
    """Return the algorithm of a COSE key that can be used; the library looks at it no closer before a sign-in."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415 - as above
    from webauthn.helpers import (  # noqa: PLC0415 - as above
        decode_credential_public_key,
        decoded_public_key_to_cryptography,
    )

    decoded = decode_credential_public_key(public_key)
    match decoded_public_key_to_cryptography(decoded), int(decoded.alg):
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()), -7:
            return -7
        case rsa.RSAPublicKey(key_size=size), -257 if size >= _SMALLEST_RSA:
            return -257
        case ed25519.Ed25519PublicKey(), -8:
            return -8
    raise CredentialInvalid


def _without_statement(attestation: bytes) -> bytes:
    """Return an attestation object without its statement, which was not asked for and which nothing here trusts.

    The library ignores what stands behind the object.
    """
    import cbor2  # noqa: PLC0415 - as above

    stream = BytesIO(attestation)
    found = cbor2.CBORDecoder(stream, allow_duplicate_keys=False).decode()
    if stream.read():
        raise CredentialInvalid
    return cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": found["authData"]})


def _verify_assertion(credential: Mapping[str, Any], expected: Expected, known: Known | None) -> Assertion:
    from webauthn import verify_authentication_response  # noqa: PLC0415 - the module says why
    from webauthn.helpers import parse_authenticator_data  # noqa: PLC0415 - as above

    response = credential["response"]
    flags = parse_authenticator_data(_bytes(response["authenticatorData"])).flags
    found = verify_authentication_response(
        credential=dict(credential),
        expected_challenge=expected.challenge,
        expected_rp_id=expected.rp_id,
        expected_origin=[_origin(response, expected)],
        credential_public_key=known.public_key if known else _NOBODY,
        credential_current_sign_count=0,  # the library would compare it for synced passkeys too
        require_user_verification=True,
    )
    # It came without a name, so the authenticator has to say whose it is.
    if known is None or known.handle is None or _bytes(response["userHandle"]) != known.handle:
        raise CredentialInvalid
    if flags.be != known.backup_eligible:
        raise CredentialInvalid
    return Assertion(found.new_sign_count, flags.bs)


def _origin(response: Mapping[str, Any], expected: Expected) -> str:
    """Return where the browser says that it was, if that is allowed; not within a page of another origin."""
    client = json.loads(_bytes(response["clientDataJSON"]))
    origin = client["origin"]
    if client.get("crossOrigin", False) is not False or "topOrigin" in client:
        raise CredentialInvalid
    if not isinstance(origin, str) or not expected.allows(origin):
        raise CredentialInvalid
    return origin


def _transports(given: object) -> list[str]:
    """Return the ways to an authenticator as far as they are known, for the browser of a later registration."""
    ways = given if isinstance(given, list) else []
    return sorted(_TRANSPORTS.intersection(way for way in ways if isinstance(way, str)))
