"""Starts of sign-ins by providers: what is refused, and which words of others come back at their end."""

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from service.db import Pool
from service.http.middleware import SERVICES
from service.settings import Settings
from testkit.api import Api
from testkit.identity_provider import IdentityProvider
from testkit.visitor import AGAIN, HOME, SESSIONS, TOKENS, Visitor, change_project, error, parameters


@pytest.mark.parametrize(
    "query",
    [
        [("success", HOME), ("success", AGAIN)], [("failure", HOME), ("failure", HOME)],
        [("state", "a"), ("state", "a")], [("state", "a" * 257)], [("state", "é")], [("state", "a\nb")],
        [(f"scopes[{number}]", "a") for number in range(101)], [("scopes[]", "a" * 4097)], [("scopes", 'a"b')],
        [("scopes[0]", "a\\b")], [("scopes[]", "a\r\nb")], [("scopes[a][b]", "ü")],
    ],
)  # fmt: skip
async def test_starts_that_are_refused(api: Api, provider: IdentityProvider, pool: Pool, query: list[tuple[str, str]]):
    """A page for a browser, JSON for an SDK; nobody is sent away, and neither a row nor a cookie is left."""
    address = f"{TOKENS}/oidc?{urlencode([('project', 'shop'), *query])}"
    page = await api.call("GET", address, headers={"Accept": "text/html"}, allow_redirects=False)
    assert (page.status, page.content_type) == (400, "text/html")
    sdk = {"Accept": "text/html", "X-SDK-Name": "Node.js"}
    answer = await api.call("GET", address, modern=True, headers=sdk, allow_redirects=False)
    assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid")
    assert not {"Location", "Set-Cookie"} & {*page.headers, *answer.headers}
    assert provider.calls == []
    assert (await pool.fetchrow("select count(*) from oauth_flows"))[0] == 0


async def test_the_apps_state_comes_back_with_a_failure(visitor: Visitor):
    """An app's server compares it in any case; the provider never sees it, and it is no part of our own."""
    started = await visitor.start(TOKENS, state="mine &error=x")
    asked = parse_qs(urlsplit(started.headers["Location"]).query)
    assert "mine" not in started.headers["Location"]
    back = urlencode({"state": asked["state"][0], "error": "access_denied", "iss": visitor.provider.issuer})
    ended = await visitor.come_back(f"{SESSIONS}/callback/oidc/shop?{back}")
    assert error(ended) == (424, "user_oauth2_provider_error")
    assert parameters(ended)["state"] == "mine &error=x"


@pytest.mark.parametrize(
    "words", ["<script>alert(1)</script>", "a\r\nSet-Cookie: a=b", "\u202egnp.exe", "a\0b", "%0d%0a"]
)
async def test_a_providers_words(visitor: Visitor, words: str):
    """The reason of a refusal reaches the app as characters of one JSON value, without any that steer."""
    state = parse_qs(urlsplit((await visitor.start()).headers["Location"]).query)["state"][0]
    back = urlencode({"state": state, "error": "x", "error_description": words, "iss": visitor.provider.issuer})
    ended = await visitor.come_back(f"{SESSIONS}/callback/oidc/shop?{back}")
    assert error(ended) == (424, "user_oauth2_provider_error")
    assert parameters(ended).keys() == {"error"}
    assert parameters(ended)["error"].isprintable()
    assert "<" not in ended.headers["Location"]


async def test_expo_is_for_development(visitor: Visitor, api: Api):
    """`exp://` is an app in a project that allows http, as on a developer's machine; elsewhere it is refused."""
    assert (await visitor.start(success="exp://192.168.0.2:8081/--/back")).status == 301
    await change_project(api, plain_http=False)
    assert (await visitor.start(success="exp://192.168.0.2:8081/--/back")).status == 400


async def test_one_subject_of_two_providers(visitor: Visitor, api: Api, pool: Pool, settings: Settings):
    """Users with the same id at two providers are two, and so they are after an operator has changed the issuer."""
    async with IdentityProvider() as other:
        await other.register(pool, settings.key_ring, "shop", "oidc-other")
        found = []
        for provider, name in ((visitor.provider, "oidc"), (other, "oidc-other"), (other, "oidc")):
            provider.user["email"] = None
            if (provider, name) == (other, "oidc"):
                await other.register(pool, settings.key_ring, "shop", "oidc")
                api.client.app[SERVICES].providers._seen.clear()
            guest = Visitor(api, provider)
            assert (await guest.sign_in(name=name)).headers["Location"] == HOME
            found.append((await guest.account())["$id"])
        assert len(set(found)) == 3


async def issued(visitor: Visitor) -> dict[str, Any]:
    """Sign in for a token, and return what opens the session."""
    return parameters(await visitor.sign_in(TOKENS))


async def test_a_token_whose_identity_is_gone(visitor: Visitor, pool: Pool):
    """A way in that was removed in the meantime opens nothing."""
    given = await issued(visitor)
    await pool.execute("update identities set removed_at = now()")
    answer = await visitor.call("POST", "/v1/account/sessions/token", **given)
    assert (answer.status, answer.data["type"]) == (401, "user_invalid_token")


async def test_a_token_of_a_user_who_was_blocked(visitor: Visitor, pool: Pool):
    """A block counts for tokens that are out already."""
    given = await issued(visitor)
    await pool.execute("update users set status = 'blocked'")
    answer = await visitor.call("POST", "/v1/account/sessions/token", **given)
    assert answer.status in (401, 403)
    assert "Set-Cookie" not in answer.headers
    assert (await pool.fetchrow("select count(*) from sessions"))[0] == 0


@pytest.mark.parametrize("page", ["success", "failure"])
async def test_pages_under_the_consoles_name(visitor: Visitor, page: str):
    """SDKs for devices know our pages under two names; both are ours, and say nothing about anybody."""
    first, second = [await visitor.get(f"{under}/auth/oauth2/{page}?project=shop") for under in ("", "/console")]
    assert first.status == second.status == 200
    assert first.data == second.data
    assert first.headers["Cache-Control"].startswith("no-store")
    assert first.headers["Referrer-Policy"] == "no-referrer"
