"""JWTs: ours and nobody else's (docs/security.md S61)."""

import base64
import hashlib
import hmac
import json
import time

import pytest

from service.crypto import key_derivation
from service.crypto.jwts import Jwts
from service.errors import JwtInvalid

RING = {"new": bytes(range(32)), "old": bytes(range(32, 64))}
KEY = key_derivation.derive(RING["new"], "jwt", "shop")
HEADER = {"alg": "HS256", "typ": "JWT", "kid": "new"}


def claims(**changes: object) -> dict[str, object]:
    now = int(time.time())
    made = {"userId": "ann", "sessionId": "s1", "aud": "shop", "iat": now, "exp": now + 900, "typ": "session"}
    return {name: value for name, value in (made | changes).items() if value is not ...}


def coded(raw: bytes | object) -> str:
    return base64.urlsafe_b64encode(raw if isinstance(raw, bytes) else json.dumps(raw).encode()).rstrip(b"=").decode()


def forge(
    payload: object = None, *, header: object = None, key: bytes = KEY, digest: str = "sha256", signature: str = ""
) -> str:
    """A token signed with our own key unless told otherwise: what is wrong about it is only what the test says."""
    text = f"{coded(HEADER if header is None else header)}.{coded(claims() if payload is None else payload)}"
    return f"{text}.{signature or coded(hmac.digest(key, text.encode(), digest))}"


def refused(token: str, *, project: str = "shop") -> str:
    with pytest.raises(JwtInvalid) as refusal:
        Jwts(RING).verify(project, token)
    assert refusal.value.status == 401
    return refusal.value.message


def test_what_we_sign_we_verify():
    """A token of ours names its user and session; the forger of these tests makes the same, so his others matter."""
    jwts = Jwts(RING)
    token = jwts.sign("shop", user_id="ann", session_id="s1")
    found = jwts.verify("shop", token)
    assert (found.user_id, found.session_id) == ("ann", "s1")
    assert jwts.verify("shop", token) is found, "remembered"
    assert Jwts(RING).verify("shop", forge()).user_id == "ann"


HEADERS = {
    "none": {"alg": "none", "typ": "JWT", "kid": "new"},
    "None": {"alg": "NoNe", "typ": "JWT", "kid": "new"},
    "no alg": {"typ": "JWT", "kid": "new"},
    "alg empty": {"alg": "", "kid": "new"},
    "alg null": {"alg": None, "kid": "new"},
    "alg list": {"alg": ["HS256"], "kid": "new"},
    "HS512": {"alg": "HS512", "typ": "JWT", "kid": "new"},
    "hs256": {"alg": "hs256", "typ": "JWT", "kid": "new"},
    "RS256": {"alg": "RS256", "typ": "JWT", "kid": "new"},
    "ES256": {"alg": "ES256", "typ": "JWT", "kid": "new"},
    "no kid": {"alg": "HS256", "typ": "JWT"},
    "kid path": HEADER | {"kid": "../../dev/null"},
    "kid SQL": HEADER | {"kid": "new' or '1'='1"},
    "kid unknown": HEADER | {"kid": "newer"},
    "kid empty": HEADER | {"kid": ""},
    "kid array": HEADER | {"kid": ["new"]},
    "kid object": HEADER | {"kid": {"new": 1}},
    "kid number": HEADER | {"kid": 1},
    "kid null": HEADER | {"kid": None},
    "crit": HEADER | {"crit": ["exp"]},
    "crit empty": HEADER | {"crit": []},
    "b64 false": HEADER | {"b64": False},
    "jku": HEADER | {"jku": "http://127.0.0.1:9/keys"},
    "x5u": HEADER | {"x5u": "http://127.0.0.1:9/keys"},
    "jwk": HEADER | {"jwk": {"kty": "oct", "k": coded(b"x" * 32)}},
    "cty": HEADER | {"cty": "JWT"},
    "array": [HEADER],
    "text": "HS256",
    "number": 5,
    "not JSON": b"\xff\xfe",
    "deep": b"[" * 2500,
    "deep object": b'{"a":' * 500,
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_forged_header_is_refused(header: object):
    """Another algorithm, another place for the key, an extension, junk: refused, however well it is signed."""
    digest = "sha512" if isinstance(header, dict) and header.get("alg") == "HS512" else "sha256"
    refused(forge(header=header, digest=digest))
    text = forge(header=header)
    refused(text.rpartition(".")[0] + ".")


NOW = 2**31
CLAIMS = {
    "exp text": {"exp": "9999999999"},
    "exp float": {"exp": 9999999999.5},
    "exp 1e30": {"exp": 1e30},
    "exp huge": {"exp": 10**400},
    "exp negative": {"exp": -1},
    "exp zero": {"exp": 0},
    "exp past": {"exp": 1},
    "exp missing": {"exp": ...},
    "exp null": {"exp": None},
    "exp list": {"exp": [NOW]},
    "exp true": {"exp": True},
    "iat missing": {"iat": ...},
    "iat text": {"iat": "1"},
    "iat float": {"iat": 1.5},
    "iat to come": {"iat": 9999999999},
    "nbf to come": {"nbf": 9999999999},
    "userId list": {"userId": ["ann"]},
    "userId object": {"userId": {"ann": 1}},
    "userId number": {"userId": 1},
    "userId missing": {"userId": ...},
    "sessionId null": {"sessionId": None},
    "sessionId list": {"sessionId": ["s1"]},
    "sessionId missing": {"sessionId": ...},
    "aud of another": {"aud": "other"},
    "aud list": {"aud": ["shop"]},
    "aud list of two": {"aud": ["other", "shop"]},
    "aud missing": {"aud": ...},
    "aud null": {"aud": None},
    "aud prefix": {"aud": "sho"},
    "typ of another": {"typ": "recovery"},
    "typ missing": {"typ": ...},
}


@pytest.mark.parametrize("changes", CLAIMS.values(), ids=CLAIMS)
def test_a_wrong_claim_is_refused(changes: dict[str, object]):
    """Even under our own signature: each claim has one type, and none may be missing."""
    refused(forge(claims(**changes)))


@pytest.mark.parametrize("payload", [[], "x", 5, None, b"\xff", b"[" * 500, [claims()]])
def test_a_payload_that_is_no_object_is_refused(payload: object):
    """A payload that is a list, a text or junk is refused."""
    refused(forge(payload if payload is not None else b"null"))


def test_a_wrong_signature_is_refused():
    """A signature is refused that is empty, of another key or message, doubled or cut."""
    good = forge()
    text, _, signature = good.rpartition(".")
    other = forge(claims(userId="eve"))
    for wrong in (
        f"{text}.", f"{text}.AA", f"{text}.{signature[:-2]}", f"{text}.{signature}AA", forge(key=b"x" * 32),
        forge(key=RING["new"]), forge(key=b""), other.rpartition(".")[0] + "." + signature,
        f"{text}.{coded(hashlib.sha256(text.encode()).digest())}",
    ):  # fmt: skip
        refused(wrong)


@pytest.mark.parametrize(
    "token", ["", ".", "..", "...", "a", "a.b", "a.b.c", "a.b.c.d", "é.é.é", "\ud800.b.c", "." * 5000, "a" * 5000,
              " ", "null", "Bearer x.y.z"],
)  # fmt: skip
def test_what_is_no_token_is_refused(token: str):
    """Any text at all: one kind of refusal, never another error."""
    assert refused(token).startswith("Failed to verify JWT. ")


def test_padded_segments_are_refused():
    """A token has one spelling: base64url without padding."""
    head, body, signature = forge().split(".")
    for wrong in (f"{head}=.{body}.{signature}", f"{head}.{body}=.{signature}", f"{head}.{body}.{signature}=",
                  f"{head}.{body}.{signature}=="):  # fmt: skip
        refused(wrong)
    text = f"{head}.{body}=="
    refused(f"{text}.{coded(hmac.digest(KEY, text.encode(), 'sha256'))}")


def test_another_projects_token_is_refused():
    """Each project has its own key and audience."""
    token = Jwts(RING).sign("other", user_id="ann", session_id="s1")
    refused(token)
    refused(forge(), project="other")
    assert Jwts(RING).verify("other", token)


def test_an_older_key_is_honoured_until_it_is_retired():
    """Rotation ends nobody's 15 minutes; retiring a key ends them all."""
    old = Jwts({"old": RING["old"]}).sign("shop", user_id="ann", session_id="s1")
    assert Jwts(RING).verify("shop", old).user_id == "ann"
    with pytest.raises(JwtInvalid):
        Jwts({"new": RING["new"]}).verify("shop", old)


def test_a_remembered_token_still_expires():
    """A verified token is forgotten when its time is over."""
    jwts = Jwts(RING)
    token = jwts.sign("shop", user_id="ann", session_id="s1", seconds=1)
    found = jwts.verify("shop", token)
    jwts._verified["shop", token] = type(found)(found.user_id, found.session_id, time.time() - 1)
    with pytest.raises(JwtInvalid, match="Expired"):
        jwts.verify("shop", token)


def test_memory_for_verified_tokens_is_bounded():
    """However many tokens come, so many are remembered and no more; a refused one never."""
    jwts = Jwts(RING)
    for number in range(4100):
        jwts.verify("shop", jwts.sign("shop", user_id="ann", session_id=str(number)))
    with pytest.raises(JwtInvalid):
        jwts.verify("shop", "a.b.c")
    assert len(jwts._verified) == 4096
