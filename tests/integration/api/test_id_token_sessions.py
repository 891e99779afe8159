"""Sign-in by an ID token that an app got by itself."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from service.db import Pool
from service.http.middleware import SERVICES
from service.settings import Settings
from service.store import projects, providers, used_id_tokens
from testkit import hostile_provider as hostile
from testkit.api import Api, cookie_of
from testkit.identity_provider import IdentityProvider, rsa_key

PATH = "/v1/account/sessions/id-token"


@pytest.fixture
async def provider(pool: Pool, settings: Settings, project: projects.Project) -> AsyncIterator[IdentityProvider]:
    """A provider whose ID tokens the shop takes, and by which nobody may be sent away to sign in."""
    async with IdentityProvider() as server:
        await server.register(pool, settings.key_ring, "shop", "oidc", enabled=False, native=True)
        yield server


async def sign_in(api: Api, server: IdentityProvider, /, **body: Any) -> Any:
    """Sign in with a fresh token, or the one of the body."""
    headers = body.pop("headers", None)
    facts = {"provider": "oidc", "idToken": server.id_token(jti=uuid4().hex)} | body
    return await api.call("POST", PATH, json=facts, headers=headers, modern=True)


async def test_a_session_is_opened(api: Api, provider: IdentityProvider):
    """A right token opens a session of an account with the proved address, by cookies as every sign-in."""
    answer = await sign_in(api, provider)
    assert answer.status == 201, answer.data
    assert (answer.data["provider"], answer.data["providerUid"], answer.data["current"]) == ("oidc", "user-1", True)
    assert answer.data["factors"] == ["email", "oauth2"]
    assert answer.data["secret"] == answer.data["providerAccessToken"] == ""
    account = (await api.call("GET", "/v1/account", headers={"Cookie": cookie_of(answer)})).data
    assert (account["email"], account["emailVerification"], account["name"]) == ("ann@example.com", True, "Ann")


async def test_a_token_works_once(api: Api, provider: IdentityProvider, pool: Pool):
    """A copied token opens nothing more, also at the same time, and not by another spelling of its signature."""
    token = provider.id_token()
    answers = await asyncio.gather(*(sign_in(api, provider, idToken=token) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 401, 401, 401, 401]
    refused = await sign_in(api, provider, idToken=token)
    assert (refused.status, refused.data["type"]) == (401, "user_oauth2_token_invalid")
    assert refused.data["message"] == "Token was used already"
    row = await pool.fetchrow("select digest, expires_at > now() from used_id_tokens")
    assert tuple(row) == (hashlib.sha256(token.rpartition(".")[0].encode()).digest(), True)
    await pool.execute("update used_id_tokens set expires_at = now() - interval '1 second'")
    await used_id_tokens.delete_expired(pool, most=500)
    assert await pool.fetch("select from used_id_tokens") == []


async def test_a_token_that_never_expires_is_kept_no_longer_than_it_is_taken(
    api: Api, provider: IdentityProvider, pool: Pool
):
    """Whatever it says of itself, its age ends it; a year that Postgres does not know is no fault of ours."""
    token = provider.id_token(exp=(1 << 53) - 1)
    assert (await sign_in(api, provider, idToken=token)).status == 201
    assert (await sign_in(api, provider, idToken=token)).data["message"] == "Token was used already"
    (row,) = await pool.fetch("select expires_at - now() < interval '12 minutes' from used_id_tokens")
    assert row[0]


async def test_a_returning_user_is_found_by_subject(api: Api, provider: IdentityProvider):
    """Another address at the provider leads to the same account; another subject does not."""
    first = (await sign_in(api, provider)).data["userId"]
    provider.user["email"] = "new@example.com"
    assert (await sign_in(api, provider)).data["userId"] == first
    provider.user |= {"sub": "user-2", "email": "bob@example.com"}
    assert (await sign_in(api, provider)).data["userId"] != first


@pytest.mark.parametrize(
    ("claims", "fault"),
    [
        ({"iss": "https://evil.example"}, "Invalid issuer"), ({"aud": "another app"}, "Audience mismatch"),
        ({"exp": 1}, "Token expired"), ({"nonce": "n1"}, "Nonce required"), ({"sub": ""}, "Missing subject"),
    ],
)  # fmt: skip
async def test_the_failed_check_is_named(api: Api, provider: IdentityProvider, claims: dict[str, Any], fault: str):
    """401 with the check in words; nobody is signed in, and no account is made."""
    answer = await sign_in(api, provider, idToken=provider.id_token(**claims))
    assert (answer.status, answer.data["type"], answer.data["message"]) == (401, "user_oauth2_token_invalid", fault)
    assert "Set-Cookie" not in answer.headers


async def test_a_forged_token_opens_nothing(api: Api, provider: IdentityProvider):
    """Neither another key in the name of the right one, nor a key that the provider doesn't have."""
    for key, fault in ((rsa_key("first", 1), "Invalid signature"), (rsa_key("evil", 1), "Unknown signing key")):
        answer = await sign_in(api, provider, idToken=provider.id_token(key=key))
        assert (answer.status, answer.data["message"]) == (401, fault)


async def test_a_nonce_in_clear_or_hashed(api: Api, provider: IdentityProvider):
    """The app sends its own nonce; the token has it, or its SHA-256."""
    hashed = hashlib.sha256(b"n1").hexdigest()
    for number, nonce in enumerate(("n1", hashed)):
        token = provider.id_token(nonce=nonce, jti=str(number))
        assert (await sign_in(api, provider, idToken=token, nonce="n1")).status == 201


@pytest.mark.parametrize("name", ["github", "amazon", "nobody", "discord"])
async def test_providers_without_id_tokens(api: Api, provider: IdentityProvider, name: str):
    """400 for a provider that gives none, or that is not known."""
    answer = await sign_in(api, provider, provider=name)
    assert (answer.status, answer.data["type"]) == (400, "project_provider_unsupported")


@pytest.mark.parametrize("changes", [{"native": False}, {"client_id": "", "native_client_ids": []}, None])
async def test_native_sign_in_is_switched_on(
    api: Api, provider: IdentityProvider, pool: Pool, changes: dict[str, Any] | None
):
    """412 for one that is off, has no client ids, or is not set up."""
    if changes is None:
        await providers.delete(pool, "shop", "oidc")
    else:
        await providers.save(pool, "shop", "oidc", **changes)
    answer = await sign_in(api, provider)
    assert (answer.status, answer.data["type"]) == (412, "project_provider_disabled")


@pytest.mark.parametrize("answer", [hostile.status(503), hostile.html, hostile.drops])
async def test_keys_that_are_not_to_be_had(
    api: Api, provider: IdentityProvider, answer: Any, caplog: pytest.LogCaptureFixture
):
    """503, and a line for the operator: the token may be right. It isn't used up."""
    token = provider.id_token()
    provider.answers["/jwks"] = answer
    refused = await sign_in(api, provider, idToken=token)
    assert (refused.status, refused.data["type"]) == (503, "general_server_error")
    assert "provider.sign_in_failed" in {getattr(record, "event", "") for record in caplog.records}
    assert token not in caplog.text
    del provider.answers["/jwks"]
    assert (await sign_in(api, provider, idToken=token)).status == 201


async def test_a_blocked_user(api: Api, provider: IdentityProvider, pool: Pool):
    """403 after all proofs; the token is not used up by it."""
    await sign_in(api, provider)
    await pool.execute("update users set status = 'blocked'")
    token = provider.id_token(jti="again")
    assert (await sign_in(api, provider, idToken=token)).status == 403
    await pool.execute("update users set status = 'active'")
    assert (await sign_in(api, provider, idToken=token)).status == 201


async def test_an_address_of_somebody_else(api: Api, provider: IdentityProvider, pool: Pool):
    """An address that the provider has not proved leads to nobody's account."""
    await api.sign_up("ann@example.com")
    provider.user["email_verified"] = False
    answer = await sign_in(api, provider)
    assert (answer.status, answer.data["type"]) == (400, "general_bad_request")
    assert (await pool.fetchrow("select count(*) from used_id_tokens"))[0] == 0


async def test_a_member_links(api: Api, provider: IdentityProvider, pool: Pool):
    """A member who has just signed in gets the identity; the new session takes the place of the earlier one."""
    await api.sign_up("bob@example.com")
    member = await api.sign_in("bob@example.com")
    answer = await sign_in(api, provider, headers=member)
    assert answer.status == 201, answer.data
    account = (await api.call("GET", "/v1/account", headers={"Cookie": cookie_of(answer)})).data
    assert account["email"] == "bob@example.com"
    assert (await pool.fetchrow("select count(*) from sessions"))[0] == 1
    assert (await api.call("GET", "/v1/account", headers=member)).status == 401


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("update sessions set created_at = now() - interval '11 minutes'", "user_reauthentication_required"),
        ("update users set mfa = true, email_verified = true, proved_by_holder = true", "user_more_factors_required"),
    ],
)
async def test_linking_needs_more_than_a_session(
    api: Api, provider: IdentityProvider, pool: Pool, change: str, kind: str
):
    """A session left open, or one that lacks its second factor, adds no way in; the token is not used up."""
    await api.sign_up("bob@example.com")
    member = await api.sign_in("bob@example.com")
    await pool.execute(change)
    answer = await sign_in(api, provider, headers=member)
    assert (answer.status, answer.data["type"]) == (401, kind)
    assert "Set-Cookie" not in answer.headers
    kept = "select (select count(*) from identities) + (select count(*) from used_id_tokens)"
    assert (await pool.fetchrow(kept))[0] == 0


@pytest.mark.parametrize("fault", [hostile.silent, hostile.trickles])
async def test_a_silent_provider(api: Api, provider: IdentityProvider, fault: Any):
    """503 in the time of a request, and at once again once the provider is back."""
    token = provider.id_token()
    provider.answers["/jwks"] = fault
    assert (await sign_in(api, provider, idToken=token)).status == 503
    provider.answers.clear()
    assert (await sign_in(api, provider, idToken=token)).status == 201


async def test_a_token_for_ever(api: Api, provider: IdentityProvider, pool: Pool):
    """A token is used up for as long as it could be used, however late it says that it expires."""
    assert (await sign_in(api, provider, idToken=provider.id_token(exp=1 << 52))).status == 201
    assert (await pool.fetchrow("select max(expires_at) < now() + interval '12 minutes' from used_id_tokens"))[0]


async def test_an_identity_of_another_user(api: Api, provider: IdentityProvider):
    """A member who shows another user's token is told so, and stays signed in."""
    await sign_in(api, provider)
    await api.sign_up("bob@example.com")
    member = await api.sign_in("bob@example.com")
    answer = await sign_in(api, provider, headers=member)
    assert (answer.status, answer.data["type"]) == (409, "user_already_exists")
    assert (await api.call("GET", "/v1/account", headers=member)).status == 200


async def test_a_name_of_the_app(api: Api, provider: IdentityProvider):
    """The app's name is for a new user whose token has none, as Apple's."""
    provider.user["name"] = None
    answer = await sign_in(api, provider, name="Ann Lee")
    headers = {"Cookie": cookie_of(answer)}
    assert (await api.call("GET", "/v1/account", headers=headers)).data["name"] == "Ann Lee"
    await sign_in(api, provider, name="Other")
    answer = await sign_in(api, provider, name="Other")
    headers = {"Cookie": cookie_of(answer)}
    assert (await api.call("GET", "/v1/account", headers=headers)).data["name"] == "Ann Lee"


async def test_an_access_token_is_kept_where_it_is_shown(api: Api, provider: IdentityProvider, pool: Pool):
    """The app's access token is no proof; a project that shows tokens keeps it, encrypted, and others don't."""
    tokens = {"accessToken": "access of ann", "accessTokenExpiry": 3600.0}
    await sign_in(api, provider, **tokens)
    assert await pool.fetch("select from identities where sealed is not null") == []
    await projects.change(pool, "shop", provider_tokens=True)
    await api.client.app[SERVICES].projects.find_anew("shop")
    answer = await sign_in(api, provider, **tokens)
    assert answer.data["providerAccessToken"] == "access of ann"
    assert answer.data["providerAccessTokenExpiry"]
    (row,) = await pool.fetch("select sealed from identities")
    assert b"access of ann" not in row[0]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"idToken": None}, "idToken"), ({"idToken": ""}, "idToken"), ({"idToken": "a" * 8193}, "idToken"),
        ({"idToken": 7}, "idToken"), ({"provider": None}, "provider"), ({"provider": ["google"]}, "provider"),
        ({"nonce": "a" * 257}, "nonce"), ({"accessToken": "a" * 4097}, "accessToken"),
        ({"accessTokenExpiry": -1}, "accessTokenExpiry"), ({"accessTokenExpiry": "soon"}, "accessTokenExpiry"),
        ({"accessTokenExpiry": 1e300}, "accessTokenExpiry"), ({"name": "a" * 129}, "name"),
    ],
)  # fmt: skip
async def test_bad_bodies(api: Api, provider: IdentityProvider, body: dict[str, Any], fault: str):
    """400 with the parameter's name; the token isn't shown."""
    answer = await sign_in(api, provider, **body)
    assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid")
    assert fault in answer.data["message"]


async def test_the_limit(api: Api, provider: IdentityProvider):
    """Fifty an hour for a network, right ones too."""
    for _ in range(50):
        assert (await sign_in(api, provider, idToken="a.b.c")).status == 401
    assert (await sign_in(api, provider)).status == 429


async def test_second_factors_are_asked_for(api: Api, provider: IdentityProvider, pool: Pool):
    """A sign-in by a provider is one factor, unless the token says that it was two (`amr`) or the project trusts it."""
    await sign_in(api, provider)
    await pool.execute(
        "insert into authenticators (project_id, user_id, id, kid, sealed, verified_at) "
        "select project_id, id, 'app', 'test', decode(repeat('00', 28), 'hex'), now() from users"
    )
    await pool.execute("update users set mfa = true")
    for amr, status in ((None, 401), (["pwd", "mfa"], 200)):
        provider.user["amr"] = amr
        answer = await sign_in(api, provider)
        found = await api.call("GET", "/v1/account", headers={"Cookie": cookie_of(answer)})
        assert found.status == status, found.data
