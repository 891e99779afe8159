"""Answers of providers that are junk, double, too long or late, or that come after things have changed."""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from service.db import Pool
from service.http.middleware import SERVICES
from service.store import projects, providers
from testkit import hostile_provider
from testkit.api import Api
from testkit.identity_provider import IdentityProvider
from testkit.visitor import HOME, SESSIONS, TOKENS, Visitor, error, with_password

CALLBACK = f"{SESSIONS}/callback/oidc/shop"


async def nothing_kept(pool: Pool) -> bool:
    kept = "select (select count(*) from users) + (select count(*) from identities) + (select count(*) from sessions)"
    return bool((await pool.fetchrow(kept))[0] == 0)


@pytest.mark.parametrize("name", ["code", "state", "error", "iss", "user", "error_description"])
async def test_a_parameter_twice(visitor: Visitor, name: str):
    """An answer with a parameter twice is none (RFC 6749, 3.1): what one reader takes the next may not."""
    callback = await visitor.go()
    given = dict(parse_qsl(urlsplit(callback).query)).get(name, "x")
    for values in ([given, "other"], ["other", given], [given, given], [given, ""]):
        answer = await visitor.get(f"{CALLBACK}?{urlencode({name: values}, doseq=True)}")
        assert (answer.status, answer.content_type) == (400, "text/html")
        assert "Location" not in answer.headers
    assert (await visitor.come_back(callback)).headers["Location"] == HOME


async def form(visitor: Visitor, **body: Any) -> Any:
    """Post to the callback as a page of another site has a browser do."""
    headers = {"Origin": "https://appleid.apple.com", "X-Appwrite-Project": None, "Accept": "text/html"}
    return await visitor.api.call("POST", CALLBACK, **{"headers": headers, "allow_redirects": False} | body)


async def test_forms_that_are_none(visitor: Visitor, pool: Pool):
    """A body twice, too large, of another kind, or no text leads to a page of ours at best; nothing fails."""
    junk = {"Origin": "https://evil.example", "X-Appwrite-Project": None, "Content-Type": "text/plain"}
    twice = await form(
        visitor, data="state=a&state=b", headers=junk | {"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert (twice.status, twice.content_type) == (400, "text/html")
    large = await form(visitor, data={"user": "a" * 200_000})
    assert (large.status, large.content_type) == (413, "text/html")
    for body in (
        {"data": b"\xff\xfe=\x00", "headers": junk},
        {"data": "state=a", "headers": junk},
        {"json": ["state"]},
        {"json": {"state": {"a": 1}, "code": 7, "iss": None}},
        {"data": {"state[]": "a", "code[b]": "c"}},
        {"data": b""},
    ):
        handed = await form(visitor, **body)
        assert handed.status == 303, (body, handed.data)
        assert handed.headers["Location"].startswith(f"{SESSIONS}/oidc/redirect?project=shop")
        assert (await visitor.get(handed.headers["Location"])).status == 400
    assert await nothing_kept(pool)


async def test_what_is_handed_on(visitor: Visitor, provider: IdentityProvider):
    """The named parameters alone, by 302 and without a place in any cache; the end asks no cache either."""
    callback = await visitor.go()
    handed = await visitor.get(f"{callback}&success=https://evil.example/&session_state=1")
    query = dict(parse_qsl(urlsplit(handed.headers["Location"]).query))
    assert query.keys() == {"project", "code", "state", "iss"}
    ended = await visitor.get(handed.headers["Location"])
    for answer in (handed, ended):
        assert answer.headers["Cache-Control"] == "no-store, no-cache, must-revalidate, max-age=0"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("says_iss", [True, None])
async def test_an_issuer_that_is_too_long(visitor: Visitor, provider: IdentityProvider, says_iss: bool | None):
    """It is another issuer, and not as if there were none (RFC 9207)."""
    provider.discovery = {"authorization_response_iss_parameter_supported": says_iss}
    query = dict(parse_qsl(urlsplit(await visitor.go()).query))
    answer = await visitor.come_back(f"{CALLBACK}?{urlencode({**query, 'iss': provider.issuer + '/' * 1024})}")
    assert error(answer) == (424, "user_oauth2_provider_failure")
    assert provider.token_requests == []


async def test_an_answer_without_anything(visitor: Visitor, provider: IdentityProvider):
    """Without a code the provider has signed nobody in; a code beside an error is not used."""
    query = dict(parse_qsl(urlsplit(await visitor.go()).query))
    code = query.pop("code")
    ended = await visitor.come_back(f"{CALLBACK}?{urlencode(query)}")
    assert error(ended) == (424, "user_oauth2_provider_error")
    query = dict(parse_qsl(urlsplit(await visitor.go()).query))
    ended = await visitor.come_back(f"{CALLBACK}?{urlencode({**query, 'code': code, 'error': 'access_denied'})}")
    assert error(ended) == (424, "user_oauth2_provider_error")
    assert provider.token_requests == []


async def test_a_provider_that_was_switched_off_meanwhile(visitor: Visitor, pool: Pool, api: Api):
    """Its users are led back, and it is asked for nothing."""
    callback = await visitor.go()
    await providers.save(pool, "shop", "oidc", enabled=False)
    api.client.app[SERVICES].providers._seen.clear()
    assert error(await visitor.come_back(callback)) == (412, "project_provider_disabled")
    assert visitor.provider.token_requests == []
    assert await nothing_kept(pool)


async def test_a_member_who_has_signed_out_meanwhile(api: Api, provider: IdentityProvider, pool: Pool):
    """An identity is linked to the session of the start alone: not to the next person's at the same browser."""
    bob = await with_password(api, provider, "bob@example.com")
    callback = await bob.go()
    eve = await with_password(api, provider, "eve@example.com")
    bob.cookies |= {name: value for name, value in eve.cookies.items() if name.startswith("a_session")}
    assert error(await bob.come_back(callback)) == (409, "user_already_exists")
    assert (await pool.fetchrow("select count(*) from identities"))[0] == 0
    assert (await bob.account())["email"] == "eve@example.com"


async def test_a_member_whose_session_has_ended_meanwhile(api: Api, provider: IdentityProvider, pool: Pool):
    """Without it the sign-in is one of its own, and the member's account gets nothing."""
    bob = await with_password(api, provider, "bob@example.com")
    callback = await bob.go()
    await pool.execute("delete from sessions")
    assert (await bob.come_back(callback)).headers["Location"] == HOME
    assert (await bob.account())["email"] == "ann@example.com"


async def test_a_rotation_of_keys_ends_no_sign_in(visitor: Visitor, api: Api):
    """A flow that was begun under the former first key ends under it, state, nonce and verifier."""
    callback = await visitor.go()
    ring = api.client.app[SERVICES].ring
    former = dict(ring)
    ring.clear()
    ring.update({"next": bytes(range(32)), **former})
    assert (await visitor.come_back(callback)).headers["Location"] == HOME


@pytest.mark.parametrize("scope", ["users.read", "sessions.write"])
async def test_a_key_of_the_scope_unbinds_a_start(api: Api, provider: IdentityProvider, pool: Pool, scope: str):
    """A key for something else starts nothing."""
    secret = await projects.create_api_key(pool, "shop", key_id="srv", name="", scopes=[scope])
    answer = await api.call(
        "GET", f"{TOKENS}/oidc", modern=True, headers={"X-Appwrite-Key": secret}, allow_redirects=False
    )
    begun = (await pool.fetchrow("select count(*) from oauth_flows"))[0]
    assert "Set-Cookie" not in answer.headers
    if scope == "sessions.write":
        assert (answer.status, begun) == (301, 1)
    else:
        assert (answer.status, answer.data["type"], begun) == (401, "general_unauthorized_scope", 0)


async def test_each_step_of_a_slow_provider_counts(visitor: Visitor, pool: Pool):
    """Its user is led back while the request has time for it, though no single answer took too long."""
    callback = await visitor.go()
    visitor.provider.delay = 1.7
    visitor.provider.sparse = True
    assert error(await visitor.come_back(callback)) == (424, "user_oauth2_provider_failure")
    assert visitor.provider.calls[-1] in ("/jwks", "/userinfo")
    assert await nothing_kept(pool)


async def test_a_provider_that_answers_byte_by_byte(visitor: Visitor, pool: Pool):
    """Bytes that keep coming buy a provider no time."""
    callback = await visitor.go()
    visitor.provider.answers["/token"] = hostile_provider.trickles
    assert error(await visitor.come_back(callback)) == (424, "user_oauth2_provider_failure")
    assert await nothing_kept(pool)
    visitor.provider.answers.clear()
    assert (await visitor.sign_in()).headers["Location"] == HOME
