"""Checks of ID tokens, each by a token that fails it alone; and the keys that verify them."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from service.crypto.secret import Secret
from service.identity_providers.faults import IdTokenInvalid, ProviderFailure, ProviderUnavailable
from service.identity_providers.profiles import Endpoints
from service.identity_providers.provider import NativeProof, Provider
from testkit import hostile_provider as hostile
from testkit.identity_provider import CLIENT_ID, IdentityProvider, ec_key, rsa_key

from .conftest import NOW, Flow


async def check(flow: Flow, token: str, *, nonce: str | None = None, **changes: Any) -> NativeProof:
    return await flow.client.verify_id_token(flow.server.settings(**changes), id_token=Secret(token), nonce=nonce)


def segments(*parts: dict[str, Any]) -> str:
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)


async def test_a_good_token(flow: Flow):
    """A token of the app's own sign-in proves who it is for, and is to be kept used until it can't pass any more."""
    token = flow.server.id_token(exp=NOW + 300)
    found = await check(flow, token)
    assert (found.identity.issuer, found.identity.subject, found.identity.email) == (
        flow.server.issuer, "user-1", "ann@example.com",
    )  # fmt: skip
    assert found.expires_at == NOW + 361
    assert found.digest == hashlib.sha256(token.rpartition(".")[0].encode()).digest()


@pytest.mark.parametrize("expires", [NOW + 3600, 1 << 52])
async def test_a_token_that_lives_long(flow: Flow, expires: int):
    """It is kept used until its age alone refuses it, whatever it says itself."""
    assert (await check(flow, flow.server.id_token(exp=expires))).expires_at == NOW + 661


@pytest.mark.parametrize(
    ("kind", "fine"),
    [
        ("JWT", True),
        ("jwt", True),
        (None, True),
        ("at+jwt", False),
        ("logout+jwt", False),
        ("dpop+jwt", False),
        (7, False),
    ],
)
async def test_tokens_of_another_kind(flow: Flow, kind: object, fine: bool):
    """An access token or a logout token of the provider is no ID token (RFC 8725, 3.11)."""
    flow.server.header["typ"] = kind
    token = flow.server.id_token()
    if fine:
        assert (await check(flow, token)).identity.subject == "user-1"
    else:
        with pytest.raises(IdTokenInvalid, match="Malformed token"):
            await check(flow, token)


@pytest.mark.parametrize(
    "changed",
    [
        lambda token: "", lambda token: token.rpartition(".")[0], lambda token: token + ".a",
        lambda token: token + "=", lambda token: " " + token, lambda token: "a" * 9000 + token,
        lambda token: "!" + token, lambda token: "AAAA" + token,
        lambda token: segments({"alg": "RS256", "kid": "first"}) + ".." + token.rpartition(".")[2],
    ],
)  # fmt: skip
async def test_form(flow: Flow, changed: Callable[[str], str]):
    """Three segments of base64url without padding, of bounded size, the header an object."""
    with pytest.raises(IdTokenInvalid, match="Malformed token"):
        await check(flow, changed(flow.server.id_token()))


@pytest.mark.parametrize("extra", [{"crit": ["exp"]}, {"b64": False, "crit": ["b64"]}])
async def test_critical_headers(flow: Flow, extra: dict[str, Any]):
    """A header that must be understood is refused: we understand none."""
    flow.server.header = extra
    token = flow.server.id_token().split(".")
    token[0] = segments({"alg": "RS256", "kid": "first"} | extra)
    with pytest.raises(IdTokenInvalid, match="Malformed token"):
        await check(flow, ".".join(token))


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS384", "PS256", "rs256", None, 5])
async def test_algorithm(flow: Flow, algorithm: object):
    """Only the profile's algorithms, however they are spelled; never none."""
    token = flow.server.id_token().split(".")
    token[0] = segments({"alg": algorithm, "kid": "first"})
    with pytest.raises(IdTokenInvalid, match="Unexpected algorithm"):
        await check(flow, ".".join(token))


async def test_a_public_key_is_no_shared_secret(flow: Flow):
    """HS256 with the provider's public key as the secret is refused."""
    token = segments({"alg": "HS256", "kid": "first"}, {"iss": flow.server.issuer, "aud": CLIENT_ID, "sub": "user-1"})
    with pytest.raises(IdTokenInvalid, match="Unexpected algorithm"):
        await check(flow, token + ".AAAA")


async def test_es256_is_for_profiles_that_say_so(flow: Flow):
    """Google signs by RS256 alone; a provider of one's own may sign by ES256."""
    flow.server.keys = [ec_key("curve")]
    assert (await check(flow, flow.server.id_token())).identity.subject == "user-1"
    with pytest.raises(IdTokenInvalid, match="Unexpected algorithm"):
        await check(flow, flow.server.id_token(), name="google")


@pytest.mark.parametrize("kid", ["other", None])
async def test_key_id(flow: Flow, kid: str | None):
    """A token names its key; the only key there is isn't tried for one that names none."""
    flow.server.header["kid"] = kid
    with pytest.raises(IdTokenInvalid, match="Unknown signing key"):
        await check(flow, flow.server.id_token())


async def test_signature(flow: Flow):
    """A token that another key signed in the name of the first is refused."""
    forged = flow.server.id_token(key=rsa_key("first", 1))
    with pytest.raises(IdTokenInvalid, match="Invalid signature"):
        await check(flow, forged)


@pytest.mark.parametrize("issuer", ["https://evil.example", "", None, ["a"], "{url}/", "{url}.evil.example"])
async def test_issuer(flow: Flow, issuer: object):
    """`iss` is the provider's, to the letter."""
    named = issuer.replace("{url}", flow.server.url) if isinstance(issuer, str) else issuer
    with pytest.raises(IdTokenInvalid, match="Invalid issuer"):
        await check(flow, _signed(flow.server, iss=named))


@pytest.mark.parametrize("named", ["https://accounts.google.com", "accounts.google.com"])
async def test_googles_two_spellings(flow: Flow, named: str):
    """Google's tokens may leave the scheme out; a user of both is one."""
    google = "https://accounts.google.com"
    flow.server.discovery = {"issuer": google}
    own = Endpoints(discovery=flow.server.url + "/.well-known/openid-configuration")
    found = await check(flow, _signed(flow.server, iss=named), name="google", issuer="", endpoints=own)
    assert found.identity.issuer == google
    for other in ("http://accounts.google.com", "accounts.google.com.evil.example"):
        with pytest.raises(IdTokenInvalid, match="Invalid issuer"):
            await check(flow, _signed(flow.server, iss=other), name="google", issuer="", endpoints=own)


def _signed(server: IdentityProvider, **claims: Any) -> str:
    """Sign claims that PyJWT would refuse to write."""
    key = server.keys[0]
    facts = {"iss": server.issuer, "aud": CLIENT_ID, "iat": NOW, "exp": NOW + 300, "sub": "user-1"} | claims
    body = json.dumps({name: value for name, value in facts.items() if value is not None}).encode()
    return jwt.PyJWS().encode(body, key.private, algorithm="RS256", headers={"kid": key.kid})


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another app"}, {"aud": None}, {"aud": []}, {"aud": {}}, {"aud": [7]}, {"aud": CLIENT_ID + " "},
        {"azp": "another app"}, {"aud": [CLIENT_ID, "another app"]}, {"azp": 7},
    ],
)  # fmt: skip
async def test_audience(flow: Flow, claims: dict[str, Any]):
    """A token is for this app, and was issued to it."""
    with pytest.raises(IdTokenInvalid, match="Audience mismatch"):
        await check(flow, _signed(flow.server, **claims))


@pytest.mark.parametrize(
    "claims",
    [{"aud": [CLIENT_ID]}, {"aud": "ios"}, {"aud": CLIENT_ID, "azp": "ios"}, {"aud": ["ios", "x"], "azp": "ios"}],
)
async def test_native_audiences(flow: Flow, claims: dict[str, Any]):
    """Apps have client ids of their own, which the operator lists."""
    await check(flow, _signed(flow.server, **claims), native_client_ids=("ios",))


@pytest.mark.parametrize(
    ("claims", "fault"),
    [
        ({"exp": NOW - 61}, "Token expired"), ({"exp": None}, "Token expired"),
        ({"exp": "9999999999"}, "Token expired"),
        ({"exp": True}, "Token expired"), ({"exp": 1 << 60}, "Token expired"),
        ({"iat": NOW + 600}, "Issued in the future"), ({"iat": None}, "Issued in the future"),
        ({"iat": NOW - 700}, "Issued too long ago"),
        ({"nbf": NOW + 600}, "Not valid yet"), ({"nbf": "now"}, "Not valid yet"),
    ],
)  # fmt: skip
async def test_times(flow: Flow, claims: dict[str, Any], fault: str):
    """A token has not expired, is not from the future, and was issued within the last ten minutes."""
    with pytest.raises(IdTokenInvalid, match=fault):
        await check(flow, _signed(flow.server, **claims))


async def test_clocks_may_differ(flow: Flow):
    """Half a minute is forgiven."""
    await check(flow, _signed(flow.server, iat=NOW + 30, nbf=NOW + 30))
    await check(flow, _signed(flow.server, exp=NOW - 30, iat=NOW - 300))


@pytest.mark.parametrize(
    ("claim", "given", "fault"),
    [
        ("n1", None, "Nonce required"), ("n1", "", "Nonce required"), ("n1", "n2", "Nonce mismatch"),
        (7, "7", "Nonce required"), ("é", "e", "Nonce mismatch"),
    ],
)  # fmt: skip
async def test_nonce(flow: Flow, claim: object, given: str | None, fault: str):
    """A token with a nonce needs the app's own."""
    with pytest.raises(IdTokenInvalid, match=fault):
        await check(flow, _signed(flow.server, nonce=claim), nonce=given)


async def test_nonces_that_fit(flow: Flow):
    """The nonce itself, or its SHA-256 in hex; without one in the token what the app sent is ignored."""
    await check(flow, _signed(flow.server, nonce="n1"), nonce="n1")
    await check(flow, _signed(flow.server, nonce=hashlib.sha256(b"n1").hexdigest()), nonce="n1")
    await check(flow, _signed(flow.server), nonce="n1")


async def test_apples_tokens_have_a_nonce(flow: Flow):
    """Apple's are taken with a nonce only."""
    with pytest.raises(IdTokenInvalid, match="Nonce required"):
        await check(flow, _signed(flow.server), nonce="n1", name="apple")
    await check(flow, _signed(flow.server, nonce="n1"), nonce="n1", name="apple")


@pytest.mark.parametrize("subject", [None, "", 7, "a" * 256, "a\n"])
async def test_subject(flow: Flow, subject: object):
    """There is no identity without a subject."""
    with pytest.raises(IdTokenInvalid, match="Missing subject"):
        await check(flow, _signed(flow.server, sub=subject))


@pytest.mark.parametrize("payload", [b"[]", b"7", b"{", b"\xff", b""])
async def test_claims_are_an_object(flow: Flow, payload: bytes):
    """A signed text that is no object is malformed."""
    key = flow.server.keys[0]
    token = jwt.PyJWS().encode(payload, key.private, algorithm="RS256", headers={"kid": key.kid})
    with pytest.raises(IdTokenInvalid, match="Malformed token"):
        await check(flow, token)


@pytest.mark.parametrize(
    ("claims", "fault"),
    [
        ({"nonce": None}, "Nonce required"), ({"nonce": "other"}, "Nonce mismatch"),
        ({"nonce": hashlib.sha256(b"nonce-1").hexdigest()}, "Nonce mismatch"),
        ({"aud": "ios"}, "Audience mismatch"), ({"iss": "https://evil.example"}, "Invalid issuer"),
        ({"auth_time": NOW - 200}, "Signed in too long ago"), ({"auth_time": None}, "Signed in too long ago"),
    ],
)  # fmt: skip
async def test_tokens_of_our_own_requests(flow: Flow, claims: dict[str, Any], fault: str):
    """In a redirect's flow the nonce is ours as it is, the audience our client alone, and max_age holds."""
    provider = flow.server.settings(native_client_ids=("ios",), max_age=60)
    flow.server.claims = {"auth_time": NOW} | claims
    with pytest.raises(IdTokenInvalid, match=fault):
        await flow.identity(provider)


async def test_no_id_token(flow: Flow):
    """An OpenID provider that gives none has not signed anybody in."""
    flow.server.answers["/token"] = hostile.says({"access_token": "a"})
    with pytest.raises(ProviderFailure, match="no ID token"):
        await flow.identity(flow.server.settings())


async def test_linkedin_has_no_nonce(flow: Flow):
    """It is asked for neither nonce nor PKCE, which it does not know."""
    flow.server.claims["nonce"] = None
    provider = flow.server.settings("linkedin")
    url = await flow.start(provider)
    assert "nonce" not in url
    assert "code_challenge" not in url
    assert (await flow.identity(provider)).subject == "user-1"
    assert "code_verifier" not in flow.server.token_requests[0]


async def test_keys_are_kept(flow: Flow):
    """The JWKS is fetched once for many tokens at a time, and kept for five minutes at least."""
    flow.server.cache_control = "max-age=1"
    await asyncio.gather(*(check(flow, flow.server.id_token()) for _ in range(5)))
    flow.clock.seconds += 299
    await check(flow, flow.server.id_token())
    assert flow.server.calls.count("/jwks") == 1
    flow.clock.seconds += 2
    await check(flow, flow.server.id_token())
    assert flow.server.calls.count("/jwks") == 2


@pytest.mark.parametrize(
    ("cache_control", "kept"),
    [("public, max-age=3600", 3600), ("max-age=9999999", 86_400), ("no-store", 300), ("s-maxage=9999", 300)],
)
async def test_keys_age_by_cache_control(flow: Flow, cache_control: str, kept: int):
    """The provider's own time counts, up to a day."""
    flow.server.cache_control = cache_control
    await check(flow, flow.server.id_token())
    flow.clock.seconds += kept - 1
    await check(flow, flow.server.id_token())
    assert flow.server.calls.count("/jwks") == 1
    flow.clock.seconds += 2
    await check(flow, flow.server.id_token())
    assert flow.server.calls.count("/jwks") == 2


async def test_a_new_key_is_found_at_once(flow: Flow):
    """An unknown key makes one more fetch, at most one a minute whatever is sent."""
    await check(flow, flow.server.id_token())
    flow.server.rotate(rsa_key("second", 1))
    assert (await check(flow, flow.server.id_token())).identity.subject == "user-1"
    assert flow.server.calls.count("/jwks") == 2
    flow.server.rotate(rsa_key("third"))
    for _ in range(3):
        with pytest.raises(IdTokenInvalid, match="Unknown signing key"):
            await check(flow, flow.server.id_token())
    assert flow.server.calls.count("/jwks") == 2
    flow.clock.seconds += 61
    await check(flow, flow.server.id_token())
    assert flow.server.calls.count("/jwks") == 3


async def test_a_key_that_is_gone_verifies_nothing(flow: Flow):
    """A token of a key that the provider has withdrawn is refused as soon as the new JWKS is known."""
    old = flow.server.id_token()
    await check(flow, old)
    flow.server.rotate(rsa_key("second", 1))
    await check(flow, flow.server.id_token())
    with pytest.raises(IdTokenInvalid, match="Unknown signing key"):
        await check(flow, old)


def _entry(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (rsa_key("first").public | changes).items() if value is not None}


@pytest.mark.parametrize(
    "entry",
    [
        _entry(use="enc"), _entry(alg="RS512"), _entry(kty="oct", k="AAAA"), _entry(n="AQAB"), _entry(n=7),
        _entry(kid=7),
        _entry(kty="EC"), _entry(e=None), "first", None, ec_key("first").public,
    ],
)  # fmt: skip
async def test_keys_that_are_not_used(flow: Flow, entry: object):
    """Keys for other ends, of other kinds, short or broken ones are as if they were not there."""
    flow.server.answers["/jwks"] = hostile.says({"keys": [entry]})
    with pytest.raises(IdTokenInvalid, match="Unknown signing key"):
        await check(flow, flow.server.id_token())


@pytest.mark.parametrize("bits", [16_384, 300_000])
async def test_keys_that_are_too_large(flow: Flow, bits: int):
    """A key with which each check would take long is not used."""
    wide = base64.urlsafe_b64encode(b"\xff" * (bits // 8)).decode()
    flow.server.answers["/jwks"] = hostile.says({"keys": [_entry(n=wide)]})
    with pytest.raises(IdTokenInvalid, match="Unknown signing key"):
        await check(flow, flow.server.id_token())


async def test_a_crowd_of_keys(flow: Flow):
    """Of very many keys the first hundred count, so that reading them takes no time of other requests."""
    crowd = [_entry(kid=f"key-{number}") for number in range(150)]
    flow.server.answers["/jwks"] = hostile.says({"keys": crowd})
    provider = flow.server.settings()
    assert (await flow.client.inspect(provider))[1] == 100


async def test_one_bad_key_spoils_no_other(flow: Flow):
    """An entry of a JWKS that can't be read is left out."""
    flow.server.answers["/jwks"] = hostile.says({"keys": [7, {"kid": "x", "kty": "new"}, _entry(alg=None, use=None)]})
    await check(flow, flow.server.id_token())


@pytest.mark.parametrize("found", [[], {"keys": {}}, {}])
async def test_a_jwks_that_is_none(flow: Flow, found: object):
    """Keys that can't be had are a fault of the provider, and not of the token."""
    flow.server.answers["/jwks"] = hostile.says(found)
    with pytest.raises(ProviderFailure) as failed:
        await check(flow, flow.server.id_token())
    assert not isinstance(failed.value, IdTokenInvalid)


async def test_keys_that_are_not_to_be_had(flow: Flow):
    """While the JWKS is away nobody is let in, nor told that the token is wrong; afterwards it works at once."""
    flow.server.answers["/jwks"] = hostile.status(503)
    with pytest.raises(ProviderUnavailable):
        await check(flow, flow.server.id_token())
    del flow.server.answers["/jwks"]
    await check(flow, flow.server.id_token())


TENANT, PERSONAL = "72f988bf-86f1-41af-91ab-2d7cd011db47", "9188040d-6c67-4c5b-b112-36a304b66dad"


@pytest.mark.parametrize(
    ("tenant", "of_token", "tid", "fine"),
    [
        ("", TENANT, TENANT, True), ("common", PERSONAL, PERSONAL, True), ("common", TENANT, PERSONAL, False),
        ("common", "evil", "evil", False), ("common", TENANT, None, False), ("organizations", TENANT, TENANT, True),
        ("organizations", PERSONAL, PERSONAL, False), ("consumers", PERSONAL, PERSONAL, True),
        ("consumers", TENANT, TENANT, False), (TENANT, TENANT, TENANT, True), (TENANT, PERSONAL, PERSONAL, False),
    ],
)  # fmt: skip
async def test_microsofts_tenants(flow: Flow, tenant: str, of_token: str, tid: str | None, fine: bool):
    """The issuer of a token has the tenant's id in it, the one of `tid`; a single tenant lets no other in."""
    base = flow.server.url + "/{}/v2.0"
    named = {"": "{tenantid}", "common": "{tenantid}", "organizations": "{tenantid}", "consumers": PERSONAL}
    flow.server.discovery["issuer"] = base.format(named.get(tenant, tenant))
    provider = _microsoft(flow, tenant)
    token = _signed(flow.server, iss=base.format(of_token), tid=tid)
    call = flow.client.verify_id_token(provider, id_token=Secret(token), nonce=None)
    if fine:
        assert (await call).identity.issuer == base.format(of_token)
        return
    with pytest.raises(IdTokenInvalid, match="Invalid issuer"):
        await call


def _microsoft(flow: Flow, tenant: str) -> Provider:
    provider = flow.server.settings("microsoft", issuer=flow.server.url + "/{tenant}/v2.0", tenant=tenant)
    discovery = flow.server.url + "/.well-known/openid-configuration"
    return flow.server.settings(
        "microsoft", issuer=provider.issuer, tenant=tenant, endpoints=type(provider.endpoints)(discovery=discovery)
    )


@pytest.mark.parametrize(
    ("edov", "proved"),
    [(True, True), ("1", True), (1, True), ("true", True), (False, False), (None, False), ("0", False)],
)
async def test_microsofts_addresses(flow: Flow, edov: object, proved: bool):
    """`email` is what a tenant's administrator wrote; only `xms_edov` proves it, and `email_verified` does not."""
    flow.server.discovery["issuer"] = flow.server.url + f"/{TENANT}/v2.0"
    token = _signed(
        flow.server,
        iss=flow.server.url + f"/{TENANT}/v2.0",
        email="ann@example.com",
        email_verified=True,
        xms_edov=edov,
    )
    found = await flow.client.verify_id_token(_microsoft(flow, TENANT), id_token=Secret(token), nonce=None)
    assert found.identity.email == "ann@example.com"
    assert (found.identity.email_verified, found.identity.authoritative) == (proved, proved)


@pytest.mark.parametrize(
    ("claims", "authoritative"),
    [({"email": "ann@gmail.com"}, True), ({"email": "ann@example.com", "hd": "example.com"}, True),
        ({"email": "ann@example.com"}, False),
     ({"email": "ann@notgmail.com"}, False)],
)  # fmt: skip
async def test_googles_addresses(flow: Flow, claims: dict[str, Any], authoritative: bool):
    """Google's word leads to an account that is there already only for its own mailboxes and its customers' domains."""
    found = await check(flow, _signed(flow.server, email_verified=True, **claims), name="google")
    assert (found.identity.email_verified, found.identity.authoritative) == (True, authoritative)


@pytest.mark.parametrize(
    ("name", "said", "proved"),
    [("apple", "true", True), ("apple", True, True), ("apple", "false", False), ("google", None, False),
        ("slack", True, False),
     ("gitlab", True, True), ("linkedin", True, True), ("gitlab", False, False)],
)  # fmt: skip
async def test_proved_addresses(flow: Flow, name: str, said: object, proved: bool):
    """Each provider's word counts as its profile says."""
    token = _signed(flow.server, email="ann@gmail.com", email_verified=said, nonce="n1")
    found = await check(flow, token, nonce="n1", name=name, trust_email=False)
    assert found.identity.email_verified is proved
