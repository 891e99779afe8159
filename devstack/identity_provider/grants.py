"""Codes, tokens and the signing key of the provider, in memory."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CODE_SECONDS, TOKEN_SECONDS = 60, 3600
_ALGORITHM = "RS256"


@dataclass(frozen=True)
class Client:
    """The one client of the provider."""

    id: str
    secret: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True)
class Grant:
    """Person and request behind a code, and then behind an access token; `expires` is on the monotonic clock."""

    user: dict[str, str | bool]
    nonce: str
    challenge: str
    expires: float


class Grants:
    """Everything that was granted since the start."""

    def __init__(self, issuer: str, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._client = client
        self._clock = clock
        self._key = rsa.generate_private_key(65537, 2048)
        self._kid = secrets.token_hex(8)
        self._codes: dict[str, Grant] = {}
        self._accesses: dict[str, Grant] = {}

    def issue_code(self, *, email: str, name: str, nonce: str, challenge: str) -> str:
        """Make a code for whoever has typed this address."""
        code = secrets.token_urlsafe(32)
        self._codes[code] = Grant(_claims(email, name), nonce, challenge, self._clock() + CODE_SECONDS)
        return code

    def exchange(self, form: Mapping[str, str]) -> dict[str, Any] | None:
        """Exchange a code for tokens, once; None for one that is wrong, used, too old, or not the client's own."""
        grant = self._codes.pop(form.get("code", ""), None)
        if grant is None or grant.expires < self._clock() or form.get("redirect_uri") != self._client.redirect_uri:
            return None
        if not hmac.compare_digest(_challenge(form.get("code_verifier", "")).encode(), grant.challenge.encode()):
            return None
        access = secrets.token_urlsafe(32)
        self._accesses[access] = grant
        answer = {"access_token": access, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return answer | {"id_token": self._id_token(grant)}

    def find_user(self, access: str) -> dict[str, str | bool] | None:
        grant = self._accesses.get(access)
        return grant.user if grant else None

    def public_keys(self) -> dict[str, Any]:
        """Make the JWKS."""
        made = jwt.get_algorithm_by_name(_ALGORITHM).to_jwk(self._key.public_key(), as_dict=True)
        facts = {name: made[name] for name in ("kty", "n", "e")}
        return {"keys": [{"kid": self._kid, "use": "sig", "alg": _ALGORITHM, **facts}]}

    def _id_token(self, grant: Grant) -> str:
        now = int(time.time())
        claims = {"iss": self._issuer, "aud": self._client.id, "iat": now, "exp": now + 300, "auth_time": now}
        nonce = {"nonce": grant.nonce} if grant.nonce else {}
        return jwt.encode(claims | nonce | grant.user, self._key, algorithm=_ALGORITHM, headers={"kid": self._kid})


def _claims(email: str, name: str) -> dict[str, str | bool]:
    """Make a user of an address: the same one at each sign-in."""
    subject = hashlib.sha256(email.encode()).hexdigest()[:20]
    return {"sub": subject, "email": email, "email_verified": True, **({"name": name} if name else {})}


def _challenge(verifier: str) -> str:
    """Hash a verifier (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
