"""JWTs of others that were believed too much."""

import base64
import hmac
import json
import time
from typing import Any

import pytest

from service.crypto import key_derivation
from service.crypto.jwts import Jwts
from service.errors import JwtInvalid
from tests.security.installed import at_least

pytestmark = [pytest.mark.unlimited, pytest.mark.usefixtures("cheap")]
RING = {"k1": b"\x07" * 32, "k0": b"\x01" * 32}


def forged(header: dict[str, Any], **claims: Any) -> str:
    """Signed with the project's true key: only what it says is wrong."""
    now = int(time.time())
    body = {"userId": "ann", "sessionId": "s", "aud": "shop", "iat": now, "exp": now + 900, "typ": "session"} | claims
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, body)]
    proof = hmac.digest(key_derivation.derive(RING["k1"], "jwt", "shop"), b".".join(parts), "sha256")
    return b".".join([*parts, base64.urlsafe_b64encode(proof).rstrip(b"=")]).decode()


GOOD = {"alg": "HS256", "typ": "JWT", "kid": "k1"}


def refused(token: str) -> None:
    with pytest.raises(JwtInvalid):
        Jwts(RING).verify("shop", token)


@pytest.mark.advisory("CVE-2026-32597")
@pytest.mark.parametrize(
    "more",
    [{"crit": ["exp"]}, {"crit": ["b64"], "b64": False}, {"crit": []}, {"b64": False}, {"zip": "DEF"}, {"x": 1}],
    ids=repr,
)
def test_what_a_header_adds_is_refused(more: dict[str, Any]):
    """The class of: PyJWT passed over parameters that must be understood. Here a header has three and no more."""
    at_least("pyjwt", 2, 13)
    assert Jwts(RING).verify("shop", forged(GOOD)).user_id == "ann"
    refused(forged(GOOD | more))


@pytest.mark.advisory("CVE-2026-48523")
@pytest.mark.parametrize(
    "more",
    [{"jku": "https://evil.test/jwks"}, {"x5u": "https://evil.test"}, {"jwk": {"kty": "oct", "k": "AA"}},
     {"kid": "../../dev/null"}, {"kid": "k' or '1'='1"}, {"kid": ["k1"]}, {"kid": "k0"}, {"alg": "none"},
     {"alg": "HS512"}],
    ids=repr,
)  # fmt: skip
def test_a_token_does_not_choose_its_key(more: dict[str, Any]):
    """The class of: PyJWT led to a key or an algorithm by the token itself. Here both are ours, whatever it says."""
    at_least("pyjwt", 2, 13)
    refused(forged(GOOD | more))
