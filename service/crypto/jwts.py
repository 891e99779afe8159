"""JWTs that stand for a session for 15 minutes, HS256 with a key for each project (docs/contract.md#jwt)."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.types import Options

from service.crypto import key_derivation
from service.crypto.key_derivation import KeyRing
from service.errors import JwtInvalid

LIFETIME, LONGEST = 900, 3600
_TYPE = "session"
_SIZE, _REMEMBERED = 4096, 4096
# Seconds by which the clock of another process, which measures Postgres's for itself, may be ahead.
_APART = 5
_OPTIONS: Options = {
    "require": ["exp", "iat", "aud"],
    "strict_aud": True,
    # The library would use the local clock.
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


@dataclass(frozen=True, slots=True)
class Claims:
    user_id: str
    session_id: str
    expires_at: float


class Jwts:
    """Signs and verifies.

    A verified token is remembered by its exact bytes until it expires: verifying costs more than the query that
    follows. The session itself is looked up each time, so nothing outlives a logout.
    `now` is the time by which tokens live, in seconds since 1970: Postgres's, as everything else that expires.
    """

    def __init__(self, ring: KeyRing, now: Callable[[], float] = time.time) -> None:
        self._ring, self._now = ring, now
        self._keys: dict[tuple[str, str], bytes] = {}
        self._verified: OrderedDict[tuple[str, str], Claims] = OrderedDict()

    def sign(self, project_id: str, *, user_id: str, session_id: str, seconds: int = LIFETIME) -> str:
        kid, now = key_derivation.current(self._ring), int(self._now())
        claims = {
            "userId": user_id,
            "sessionId": session_id,
            "aud": project_id,
            "iat": now,
            "exp": now + seconds,
            "typ": _TYPE,
        }
        return jwt.encode(claims, self._key(kid, project_id), algorithm="HS256", headers={"kid": kid})

    def verify(self, project_id: str, token: str) -> Claims:
        """Verify a token. Raises JwtInvalid."""
        remembered = self._verified.get((project_id, token))
        if remembered is None:
            remembered = self._check(project_id, token)
            self._verified[project_id, token] = remembered
            if len(self._verified) > _REMEMBERED:
                self._verified.popitem(last=False)
        if remembered.expires_at <= self._now():
            self._verified.pop((project_id, token), None)
            raise JwtInvalid("Failed to verify JWT. Invalid token: Expired")
        return remembered

    def _check(self, project_id: str, token: str) -> Claims:
        if len(token) > _SIZE or token.count(".") != 2:
            raise JwtInvalid("Failed to verify JWT. Invalid token: Incomplete segments")
        try:
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(
                token,
                self._key_of(header, project_id),
                algorithms=["HS256"],
                audience=project_id,
                options=_OPTIONS,
            )
        except (jwt.PyJWTError, ValueError, OverflowError):
            raise JwtInvalid("Failed to verify JWT. Invalid token: Signature failed") from None
        return _claims(claims, token, latest=self._now() + _APART)

    def _key_of(self, header: dict[str, Any], project_id: str) -> bytes:
        kid = header.get("kid")
        if not isinstance(kid, str) or kid not in self._ring or header.keys() - {"alg", "typ", "kid"}:
            raise jwt.InvalidTokenError
        return self._key(kid, project_id)

    def _key(self, kid: str, project_id: str) -> bytes:
        if (kid, project_id) not in self._keys:
            self._keys[kid, project_id] = key_derivation.derive(self._ring[kid], "jwt", project_id)
        return self._keys[kid, project_id]


def _claims(claims: dict[str, Any], token: str, *, latest: float) -> Claims:
    """Check the types of claims, where the library is lenient: it takes an `exp` that is text and padded segments.

    None of ours is from later than `latest`; whether it has expired is for the caller to see.
    """
    user_id, session_id, expires = claims.get("userId"), claims.get("sessionId"), claims["exp"]
    made, begins = claims["iat"], claims.get("nbf", 0)
    whole = all(type(moment) is int and moment < 1 << 53 for moment in (expires, made, begins))
    if not (isinstance(user_id, str) and isinstance(session_id, str) and whole and claims.get("typ") == _TYPE):
        raise JwtInvalid("Failed to verify JWT. Invalid token: Claims")
    if max(made, begins) > latest:
        raise JwtInvalid("Failed to verify JWT. Invalid token: Not valid yet")
    if "=" in token:
        raise JwtInvalid("Failed to verify JWT. Invalid token: Incomplete segments")
    return Claims(user_id, session_id, float(expires))
