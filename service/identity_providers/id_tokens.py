"""Checks of ID tokens (OpenID Connect Core, 3.1.3.7), in the order in which they are made.

PyJWT verifies the signature alone; its checks of claims are more lenient than ours.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import Any

import jwt
import orjson

from service.crypto.secret import Secret
from service.identity_providers import issuers
from service.identity_providers.claims import is_subject
from service.identity_providers.discovery import Metadata
from service.identity_providers.faults import IdTokenInvalid
from service.identity_providers.provider import Provider
from service.identity_providers.signing_keys import SigningKeys

LONGEST = 8192
# Seconds by which a provider's clock may differ from ours, and how old a token may be.
LEEWAY, _OLDEST = 60, 600
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Expected:
    """Values that a token is held against; `exact` is for tokens of our own requests, which have our nonce."""

    audiences: tuple[str, ...]
    nonce: str | None
    exact: bool
    max_age: int | None = None


async def verify(
    provider: Provider, metadata: Metadata, keys: SigningKeys, token: Secret, expected: Expected, *, now: float
) -> dict[str, Any]:
    """Return the claims, `iss` in its one spelling. Raises IdTokenInvalid with the failed check, or ProviderFault."""
    claims = await _signed_claims(provider, metadata, keys, token.reveal())
    claims["iss"] = issuers.of_token(provider, claims)
    if not claims["iss"]:
        raise IdTokenInvalid("Invalid issuer")
    _check_audience(claims, expected.audiences)
    _check_times(claims, expected, now)
    _check_nonce(provider, claims, expected)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not is_subject(subject):
        raise IdTokenInvalid("Missing subject")
    return claims


def last_use(claims: dict[str, Any]) -> int:
    """Return from when on nobody takes the token any more, by its end or by its age; in seconds since 1970."""
    return int(min(claims["exp"], claims["iat"] + _OLDEST)) + LEEWAY + 1


def digest(token: Secret) -> bytes:
    """Hash what is signed: of the signature there may be several spellings."""
    return hashlib.sha256(token.reveal().rpartition(".")[0].encode()).digest()


async def _signed_claims(provider: Provider, metadata: Metadata, keys: SigningKeys, token: str) -> dict[str, Any]:
    """Check form, algorithm, key and signature."""
    if len(token) > LONGEST or not _TOKEN.fullmatch(token):
        raise IdTokenInvalid("Malformed token")
    header = _object(_decoded(token.partition(".")[0]))
    algorithm, kid = header.get("alg"), header.get("kid")
    # A provider's access and logout tokens name their type (RFC 8725, 3.11).
    if header.keys() & {"crit", "b64"} or str(header.get("typ", "JWT")).upper() != "JWT":
        raise IdTokenInvalid("Malformed token")
    if not isinstance(algorithm, str) or algorithm not in provider.profile.algorithms:
        raise IdTokenInvalid("Unexpected algorithm")
    key = None
    if isinstance(kid, str):
        key = await keys.find(metadata.jwks, kid=kid, algorithm=algorithm, plain_http=provider.plain_http)
    if key is None:
        raise IdTokenInvalid("Unknown signing key")
    try:
        payload = jwt.PyJWS().decode(token, key, algorithms=[algorithm])
    except (jwt.PyJWTError, ValueError):
        raise IdTokenInvalid("Invalid signature") from None
    return _object(payload)


def _decoded(part: str) -> bytes:
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise IdTokenInvalid("Malformed token") from None


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise IdTokenInvalid("Malformed token")
    return found


def _check_audience(claims: dict[str, Any], allowed: tuple[str, ...]) -> None:
    """Hold `aud` and `azp` against our clients. Of several audiences one is ours, and then it must be issued to us."""
    audience, party = claims.get("aud"), claims.get("azp")
    named = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    if not any(isinstance(name, str) and name in allowed for name in named):
        raise IdTokenInvalid("Audience mismatch")
    if (party is not None and party not in allowed) or (party is None and len(named) > 1):
        raise IdTokenInvalid("Audience mismatch: it was issued to another client")


def _check_times(claims: dict[str, Any], expected: Expected, now: float) -> None:
    expires, issued = _moment(claims, "exp"), _moment(claims, "iat")
    if expires is None or expires <= now - LEEWAY:
        raise IdTokenInvalid("Token expired")
    if issued is None or issued > now + LEEWAY:
        raise IdTokenInvalid("Issued in the future")
    if issued < now - _OLDEST:
        raise IdTokenInvalid("Issued too long ago")
    if "nbf" in claims and ((begins := _moment(claims, "nbf")) is None or begins > now + LEEWAY):
        raise IdTokenInvalid("Not valid yet")
    if expected.max_age is not None:
        signed_in = _moment(claims, "auth_time")
        if signed_in is None or signed_in < now - expected.max_age - LEEWAY:
            raise IdTokenInvalid("Signed in too long ago")


def _moment(claims: dict[str, Any], name: str) -> float | None:
    found = claims.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return float(found) if 0 < found < 1 << 53 else None


def _check_nonce(provider: Provider, claims: dict[str, Any], expected: Expected) -> None:
    """Hold the nonce against ours; an app's own may be hashed, as Apple's SDK has it."""
    found, given = claims.get("nonce"), expected.nonce
    required = provider.profile.nonce if expected.exact else provider.profile.native_nonce
    if found is None:
        if required:
            raise IdTokenInvalid("Nonce required")
        return
    if not isinstance(found, str) or not given:
        raise IdTokenInvalid("Nonce required")
    forms = [given] if expected.exact else [given, hashlib.sha256(given.encode()).hexdigest()]
    if not any(hmac.compare_digest(found.encode(), form.encode()) for form in forms):
        raise IdTokenInvalid("Nonce mismatch")
