"""A sign-in at a provider, from the address that the user is sent to, to the identity."""

from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from service.crypto.secret import Secret
from service.identity_providers.faults import ProviderError, ProviderFailure
from service.identity_providers.provider import ProviderIdentity
from testkit import hostile_provider as hostile
from testkit.identity_provider import CLIENT_ID, CLIENT_SECRET

from .conftest import CALLBACK, Flow


async def test_a_user_is_sent_with_pkce_and_a_nonce(flow: Flow):
    """The address has state, nonce, an S256 challenge, and each scope once in its order."""
    provider = flow.server.settings(scopes=("groups",), prompt="login", max_age=60)
    url = urlsplit(await flow.start(provider, scopes=("email", "calendar")))
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert url._replace(query="").geturl() == flow.server.url + "/authorize"
    assert query.pop("code_challenge")
    assert query == {
        "response_type": "code", "client_id": CLIENT_ID, "redirect_uri": CALLBACK,
        "scope": "openid profile email groups calendar", "state": "state-1", "nonce": "nonce-1",
        "code_challenge_method": "S256", "prompt": "login", "max_age": "60",
    }  # fmt: skip


async def test_google_is_asked_for_a_refresh_token(flow: Flow):
    """Google gives one only so; the operator's own `prompt` takes the place of ours."""
    query = parse_qs(urlsplit(await flow.start(flow.server.settings("google"))).query)
    assert (query["access_type"], query["prompt"]) == (["offline"], ["consent"])
    query = parse_qs(urlsplit(await flow.start(flow.server.settings("google", prompt="login"))).query)
    assert query["prompt"] == ["login"]


async def test_an_endpoint_keeps_its_query(flow: Flow):
    """The query of the provider's own address stays there."""
    flow.server.discovery["authorization_endpoint"] = flow.server.url + "/authorize?tenant=a"
    assert "/authorize?tenant=a&response_type=code&" in await flow.start(flow.server.settings())


async def test_a_code_leads_to_the_identity(flow: Flow):
    """Issuer and subject are the identity; the address is in its canonical form."""
    flow.server.user |= {"email": "Ann@Example.com", "amr": ["pwd", "mfa", 7]}
    assert await flow.identity(flow.server.settings()) == ProviderIdentity(
        "oidc", flow.server.issuer, "user-1", "ann@example.com",
        email_verified=True, authoritative=True, name="Ann", amr=("pwd", "mfa"),
    )  # fmt: skip
    assert "/userinfo" not in flow.server.calls


async def test_userinfo_tells_what_the_token_leaves_out(flow: Flow):
    """Address and name may come from userinfo, if it is about the same user."""
    flow.server.sparse = True
    found = await flow.identity(flow.server.settings())
    assert (found.email, found.email_verified, found.name) == ("ann@example.com", True, "Ann")
    flow.server.userinfo["sub"] = "user-2"
    with pytest.raises(ProviderFailure, match="another user"):
        await flow.identity(flow.server.settings())


async def test_a_provider_that_anybody_can_run_is_not_believed(flow: Flow):
    """`email_verified` of a provider of an operator's choice counts only with --trust-email."""
    found = await flow.identity(flow.server.settings(trust_email=False))
    assert (found.email, found.email_verified, found.authoritative) == ("ann@example.com", False, False)


async def test_an_address_that_nobody_could_have_is_left_out(flow: Flow):
    """A claim that is no address makes a user without one."""
    flow.server.user["email"] = 'ann"@example.com'
    found = await flow.identity(flow.server.settings())
    assert (found.email, found.email_verified) == ("", False)


async def test_endpoints_of_the_operator_need_no_discovery(flow: Flow):
    """With authorization, token and JWKS given nothing else is asked for."""
    adapter = flow.server.settings("github").endpoints
    own = type(adapter)(authorization=adapter.authorization, token=adapter.token, jwks=flow.server.url + "/jwks")
    assert (await flow.identity(flow.server.settings(endpoints=own))).subject == "user-1"
    assert "/.well-known/openid-configuration" not in flow.server.calls


async def test_a_code_works_once(flow: Flow):
    """The provider's refusal arrives as its error code, without its description."""
    provider = flow.server.settings()
    back = await flow.server.sign_in(await flow.start(provider))
    facts = {"code": Secret(back["code"]), "verifier": flow.verifier, "redirect_uri": CALLBACK}
    await flow.client.exchange_code(provider, **facts)
    with pytest.raises(ProviderError) as refused:
        await flow.client.exchange_code(provider, **facts)
    assert refused.value.code == "invalid_grant"
    assert back["code"] not in repr(refused.value)
    assert back["code"] not in str(refused.value.__dict__)


async def test_another_verifier_gets_no_tokens(flow: Flow):
    """A code that was stolen on its way is worth nothing without the verifier."""
    provider = flow.server.settings()
    back = await flow.server.sign_in(await flow.start(provider))
    with pytest.raises(ProviderError):
        await flow.client.exchange_code(
            provider, code=Secret(back["code"]), verifier=Secret("a" * 43), redirect_uri=CALLBACK
        )


async def test_refresh(flow: Flow):
    """A refresh token gives new tokens; a used one is an invalid_grant."""
    provider = flow.server.settings()
    tokens = await flow.tokens(provider)
    assert tokens.refresh_token
    assert tokens.expires_in == 3600
    renewed = await flow.client.refresh(provider, refresh_token=tokens.refresh_token)
    assert renewed.access_token != tokens.access_token
    with pytest.raises(ProviderError, match="invalid_grant"):
        await flow.client.refresh(provider, refresh_token=tokens.refresh_token)


@pytest.mark.parametrize(
    ("methods", "in_form"),
    [(None, False), (["client_secret_post"], True), (["client_secret_post", "client_secret_basic"], False)],
)
async def test_the_client_secret_is_sent_as_discovery_says(flow: Flow, methods: list[str] | None, in_form: bool):
    """In the header, percent-encoded; in the form if the provider takes nothing else."""
    flow.server.discovery["token_endpoint_auth_methods_supported"] = methods
    await flow.tokens(flow.server.settings())
    assert ("client_secret" in flow.server.token_requests[0]) is in_form


async def test_tokens_show_no_secret(flow: Flow):
    """Tokens and settings can be logged by mistake without harm."""
    provider = flow.server.settings()
    tokens = await flow.tokens(provider)
    assert tokens.access_token.reveal() not in repr(tokens)
    assert CLIENT_SECRET not in repr(provider)


async def test_a_refusal_with_status_200_is_one(flow: Flow):
    """GitHub and Slack answer 200 with `error`."""
    flow.server.answers["/token"] = hostile.says({"error": "bad_verification_code", "error_description": "…"})
    with pytest.raises(ProviderError, match="bad_verification_code"):
        await flow.tokens(flow.server.settings("github"))


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"access_token": ""},
        {"access_token": 1},
        {"access_token": "a\nb"},
        {"access_token": "a", "token_type": "mac"},
        ["a"],
    ],
)
async def test_an_answer_without_a_token_is_a_failure(flow: Flow, found: object):
    """Nothing is taken for a token that isn't one."""
    flow.server.answers["/token"] = hostile.says(found)
    with pytest.raises(ProviderFailure):
        await flow.tokens(flow.server.settings())


@pytest.mark.parametrize(
    ("life", "seconds"), [("3600", 3600), (None, None), (-1, None), ("soon", None), (1e300, 366 * 86_400)]
)
async def test_lifetimes_of_access_tokens(flow: Flow, life: object, seconds: int | None):
    """A lifetime that makes no sense is none."""
    flow.server.answers["/token"] = hostile.says({"access_token": "a", "expires_in": life})
    assert (await flow.tokens(flow.server.settings())).expires_in == seconds


async def test_github(flow: Flow):
    """The address is the primary one of the list, and proved if GitHub says so; that of the profile counts nothing."""
    flow.server.emails = [
        {"email": "old@example.com", "primary": False, "verified": True},
        {"email": "ann@example.com", "primary": True, "verified": True},
    ]
    flow.server.user = {"id": 583231, "name": None, "sub": ""}
    found = await flow.identity(flow.server.settings("github"))
    assert found == ProviderIdentity(
        "github", flow.server.issuer, "583231", "ann@example.com", email_verified=True, authoritative=True, name="ann"
    )
    flow.server.emails[1]["verified"] = False
    assert not (await flow.identity(flow.server.settings("github"))).email_verified


async def test_github_without_the_list_of_addresses(flow: Flow):
    """Without the scope there is no address."""
    flow.server.answers["/github/user/emails"] = hostile.status(404)
    assert (await flow.identity(flow.server.settings("github"))).email == ""


@pytest.mark.parametrize("verified", [True, False, "true", None])
async def test_discord(flow: Flow, verified: object):
    """Only `verified: true` proves the address."""
    flow.server.user = {"sub": "", "email": "ann@example.com", "verified": verified, "global_name": "Ann"}
    found = await flow.identity(flow.server.settings("discord"))
    assert (found.subject, found.email, found.name) == ("80351110224678912", "ann@example.com", "Ann")
    assert found.email_verified is (verified is True)


async def test_facebook(flow: Flow):
    """Facebook proves no address."""
    flow.server.user = {"sub": "", "email": "ann@example.com", "email_verified": True, "name": "Ann"}
    found = await flow.identity(flow.server.settings("facebook"))
    assert (found.subject, found.email, found.email_verified) == ("10224678", "ann@example.com", False)


@pytest.mark.parametrize("found", [None, True, "", {"a": 1}, "a" * 256, "a\0", "a\nb"])
async def test_an_api_that_names_no_user(flow: Flow, found: object):
    """Without an id there is no identity."""
    flow.server.user = {"sub": "", "id": found}
    with pytest.raises(ProviderFailure, match="names no user"):
        await flow.identity(flow.server.settings("discord"))


async def test_apple(flow: Flow):
    """Its client secret is a JWT of five minutes that the private key signs; the name comes with the callback, once."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    provider = flow.server.settings("apple", client_secret=Secret(pem), team_id="TEAM", key_id="KEY")
    assert "response_mode=form_post" in await flow.start(provider)
    with pytest.raises(ProviderError):  # the provider of the tests knows its own secret only
        await flow.tokens(provider)
    made = flow.server.token_requests[0]["client_secret"]
    claims = jwt.decode(
        made, key.public_key(), algorithms=["ES256"], audience=flow.server.issuer, options={"verify_iat": False}
    )
    assert (claims["iss"], claims["sub"], claims["exp"] - claims["iat"]) == ("TEAM", CLIENT_ID, 300)
    assert jwt.get_unverified_header(made)["kid"] == "KEY"


@pytest.mark.parametrize(
    ("user_json", "name"),
    [
        ('{"name": {"firstName": "Ann", "lastName": "Lee"}, "email": "x@example.com"}', "Ann Lee"),
        ('{"name": {"firstName": "Ann\\n", "lastName": 7}}', "Ann"),
        ('{"name": "Ann"}', ""), ("[]", ""), ("{", ""), ("", ""), ('{"name": {"firstName": "' + "a" * 5000 + '"}}', ""),
    ],
)  # fmt: skip
async def test_apples_name(flow: Flow, user_json: str, name: str):
    """The field `user` is the browser's word: it gives a name at most, and breaks nothing."""
    flow.server.user |= {"name": None, "email": "relay@privaterelay.appleid.com"}
    found = await flow.identity(flow.server.settings(), user_json)
    assert (found.name, found.email) == (name, "relay@privaterelay.appleid.com")


async def test_a_private_key_that_is_none(flow: Flow):
    """A wrong client secret of Apple's is a failure of the provider, and not of the service."""
    with pytest.raises(ProviderFailure, match="private key"):
        await flow.tokens(flow.server.settings("apple", team_id="TEAM", key_id="KEY"))


@pytest.mark.parametrize(
    ("says_iss", "iss", "fine"),
    [
        (True, "", True),
        (True, None, False),
        (True, "https://evil.example", False),
        (None, None, True),
        (None, "https://evil.example", False),
    ],
)
async def test_the_issuer_of_a_callback(flow: Flow, says_iss: bool | None, iss: str | None, fine: bool):
    """A callback of another provider is refused; one without issuer only if this one always says it (RFC 9207)."""
    flow.server.discovery["authorization_response_iss_parameter_supported"] = says_iss
    named = flow.server.issuer if iss == "" else iss
    if fine:
        await flow.client.check_issuer(flow.server.settings(), named)
        return
    with pytest.raises(ProviderFailure, match="another issuer"):
        await flow.client.check_issuer(flow.server.settings(), named)
