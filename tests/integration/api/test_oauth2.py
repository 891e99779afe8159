"""Sign-in by another provider, from the start to the app: with a session, and with a token."""

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from service.db import Pool
from service.http.middleware import SERVICES
from service.settings import Settings
from service.store import projects
from testkit import hostile_provider
from testkit.api import Api
from testkit.identity_provider import IdentityProvider
from testkit.visitor import AGAIN, HOME, SESSIONS, TOKENS, Visitor, error, parameters


async def test_a_session_is_opened(visitor: Visitor):
    """A browser that comes back from the provider has a session, of an account made by the way."""
    answer = await visitor.sign_in()
    assert (answer.status, answer.headers["Location"]) == (301, HOME)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    account = await visitor.account()
    assert (account["email"], account["emailVerification"], account["name"]) == ("ann@example.com", True, "Ann")
    session = (await visitor.call("GET", "/v1/account/sessions/current")).data
    assert (session["provider"], session["providerUid"]) == ("oidc", "user-1")
    assert session["factors"] == ["email", "oauth2"]
    assert session["providerAccessToken"] == session["providerRefreshToken"] == ""
    assert session["providerAccessTokenExpiry"] == session["mfaUpdatedAt"] == ""
    assert [name for name in visitor.cookies if name.startswith("oauth_")] == []


async def test_the_start_says_what_the_provider_needs(visitor: Visitor, provider: IdentityProvider):
    """State, nonce and challenge are of one flow; scopes are joined; nothing of the answer may be cached."""
    started = await visitor.start(**{"scopes[0]": "calendar email", "scopes[1]": "files"})
    where = urlsplit(started.headers["Location"])
    query = {name: values[0] for name, values in parse_qs(where.query).items()}
    assert f"{where.scheme}://{where.netloc}{where.path}" == f"{provider.url}/authorize"
    assert query["response_type"] == "code"
    assert query["code_challenge_method"] == "S256"
    assert len(query["code_challenge"]) == len(query["nonce"]) == 43
    assert len(query["state"]) == 64
    assert query["redirect_uri"] == "http://localhost:8080/v1/account/sessions/oauth2/callback/oidc/shop"
    assert query["scope"].split() == ["openid", "profile", "email", "calendar", "files"]
    assert started.headers["Cache-Control"] == "no-store, no-cache, must-revalidate, max-age=0"
    assert started.headers["Pragma"] == "no-cache"
    assert started.headers["Referrer-Policy"] == "no-referrer"
    (cookie,) = started.headers.getall("Set-Cookie")
    assert cookie.split("; ")[1:] == [f"Path={SESSIONS}", "Max-Age=600", "HttpOnly", "SameSite=Lax"]


async def test_a_returning_user_is_known_by_subject(visitor: Visitor, api: Api, provider: IdentityProvider):
    """Another address or name at the provider changes nothing of whose account it is."""
    await visitor.sign_in()
    first = await visitor.account()
    provider.user |= {"email": "ann@elsewhere.example", "name": "Other"}
    again = Visitor(api, provider)
    await again.sign_in()
    second = await again.account()
    assert (second["$id"], second["email"], second["name"]) == (first["$id"], "ann@example.com", "Ann")
    listed = (await again.call("GET", "/v1/account/identities")).data
    assert listed["total"] == 1
    assert listed["identities"][0]["providerEmail"] == "ann@elsewhere.example"


async def test_an_earlier_session_of_the_browser_ends(visitor: Visitor, pool: Pool):
    """A user who signs in once more has one session in this browser."""
    await visitor.sign_in()
    await visitor.sign_in()
    assert (await pool.fetchrow("select count(*) from sessions"))[0] == 1
    assert (await visitor.account())["email"] == "ann@example.com"


async def test_a_token_opens_a_session(visitor: Visitor, api: Api):
    """An app's server gets the address with its key, its browser goes there, and its server opens the session."""
    secret = await projects.create_api_key(
        api.client.app[SERVICES].pool, "shop", key_id="ssr", name="SSR", scopes=["sessions.write"]
    )
    key = {"X-Appwrite-Key": secret, "X-SDK-Name": "Python"}
    started = await api.call(
        "GET",
        f"{TOKENS}/oidc?success={HOME}&failure={AGAIN}&state=mine",
        modern=True,
        headers={**key, "Accept": "text/html"},
        allow_redirects=False,
    )
    assert started.status == 301, started.data
    assert "Set-Cookie" not in started.headers
    back = await visitor.provider.sign_in(started.headers["Location"])
    ended = await visitor.come_back(f"{SESSIONS}/callback/oidc/shop?{urlencode(back)}")
    assert ended.status == 301, ended.data
    given = parameters(ended)
    assert given.keys() == {"userId", "secret", "state"}
    assert given["state"] == "mine"
    assert len(given["secret"]) == 256
    assert "Set-Cookie" not in ended.headers
    body = {"userId": given["userId"], "secret": given["secret"]}
    opened = await api.call("POST", "/v1/account/sessions/token", modern=True, headers=key, json=body)
    assert opened.status == 201, opened.data
    assert (opened.data["provider"], opened.data["providerUid"]) == ("oidc", "user-1")
    assert opened.data["factors"] == ["email", "oauth2"]
    assert opened.data["secret"] != ""
    again = await api.call("POST", "/v1/account/sessions/token", modern=True, headers=key, json=body)
    assert (again.status, again.data["type"]) == (401, "user_invalid_token")


async def test_a_token_dies_soon(visitor: Visitor, pool: Pool):
    """A token that nobody used for a minute opens nothing."""
    given = parameters(await visitor.sign_in(TOKENS))
    await pool.execute("update tokens set expires_at = now() where kind = 'oauth2'")
    answer = await visitor.call("POST", "/v1/account/sessions/token", **given)
    assert (answer.status, answer.data["type"]) == (401, "user_invalid_token")


async def test_a_form_brings_the_user_back(visitor: Visitor, provider: IdentityProvider):
    """Apple's answer is a POST of another site, which the browser sends without cookies; 303 makes a GET of it."""
    started = await visitor.start()
    back = await provider.sign_in(started.headers["Location"])
    handed = await visitor.api.call(
        "POST",
        f"{SESSIONS}/callback/oidc/shop",
        data=back,
        headers={"Origin": "https://appleid.apple.com", "X-Appwrite-Project": None},
        allow_redirects=False,
    )
    assert handed.status == 303, handed.data
    assert handed.headers["Cache-Control"].startswith("no-store")
    ended = await visitor.get(handed.headers["Location"])
    assert (ended.status, ended.headers["Location"]) == (301, HOME)


async def test_a_refusal_by_the_provider_leads_back(visitor: Visitor):
    """The app learns what the provider said, cut, at its own failure address."""
    started = await visitor.start()
    state = parse_qs(urlsplit(started.headers["Location"]).query)["state"][0]
    issuer = visitor.provider.issuer
    ended = await visitor.come_back(
        f"{SESSIONS}/callback/oidc/shop?error=access_denied&state={state}&iss={issuer}&error_description={'no+' * 200}"
    )
    assert error(ended) == (424, "user_oauth2_provider_error")
    assert len(parameters(ended)["error"]) < 300
    assert "access_denied: no no" in parameters(ended)["error"]


async def test_a_flow_without_addresses_ends_on_our_pages(visitor: Visitor, provider: IdentityProvider):
    """Without `success` and `failure` a page of ours says how it went, without a word of the provider's."""
    answer = await visitor.sign_in(success="", failure="")
    assert answer.headers["Location"] == "http://localhost:8080/auth/oauth2/success?project=shop"
    page = await visitor.get("/auth/oauth2/success?project=shop")
    assert page.status == 200
    assert "You are signed in" in page.data
    assert "script-src" not in page.headers["Content-Security-Policy"]
    provider.user |= {"sub": "user-2", "email": "bob@example.com"}
    await Visitor(visitor.api, provider).sign_in()
    answer = await visitor.sign_in(success="", failure="")
    where = urlsplit(answer.headers["Location"])
    page = await visitor.get(f"{where.path}?{where.query}")
    assert "You are signed in as somebody else" in page.data


async def test_an_app_on_a_device_is_told_the_session(visitor: Visitor, pool: Pool):
    """Our page hands cookie name and value on by the app's own scheme, in a project that has such an app."""
    await projects.add_app(pool, "shop", app="com.example.shop")
    visitor.api.client.app[SERVICES].projects._seen.clear()
    answer = await visitor.sign_in(success="", failure="")
    given = parameters(answer)
    assert given.keys() == {"project", "domain", "key", "secret"}
    assert (given["domain"], given["key"]) == ("localhost", "a_session_shop")
    where = urlsplit(answer.headers["Location"])
    page = await visitor.get(f"{where.path}?{where.query}")
    assert 'href="appwrite-callback-shop://?project=shop&amp;domain=localhost&amp;key=a_session_shop' in page.data
    assert "script-src 'sha256-" in page.headers["Content-Security-Policy"]
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"].startswith("no-store")
    session = {"X-Fallback-Cookies": '{"a_session_shop":"' + given["secret"] + '"}'}
    account = await visitor.api.call("GET", "/v1/account", modern=True, headers=session)
    assert account.status == 200


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("nobody", 400, "general_argument_invalid"),
        ("twitch", 400, "project_provider_unsupported"),
        ("google", 412, "project_provider_disabled"),
        ("oidc-own", 412, "project_provider_disabled"),
    ],
)
async def test_other_providers_are_refused(visitor: Visitor, name: str, status: int, kind: str):
    """SDKs get an error as JSON, browsers a page with the same status."""
    page = await visitor.start(name=name)
    assert (page.status, page.content_type) == (status, "text/html")
    sdk = {"X-SDK-Name": "Node.js", "Accept": "text/html"}
    answer = await visitor.api.call("GET", f"{TOKENS}/{name}", modern=True, headers=sdk)
    assert (answer.status, answer.data["type"]) == (status, kind)


@pytest.mark.parametrize("fault", [{"enabled": False}, {"client_id": ""}])
async def test_a_provider_that_is_off_is_refused(visitor: Visitor, pool: Pool, settings: Settings, fault: dict):
    """Nobody is sent to a provider that is switched off or not set up."""
    await visitor.provider.register(pool, settings.key_ring, "shop", "oidc", **fault)
    assert (await visitor.start()).status == 412


_AWAY = {
    "refused": hostile_provider.drops,
    "silent": hostile_provider.silent,
    "busy": hostile_provider.status(503),
    "page": hostile_provider.html,
}


@pytest.mark.parametrize("fault", _AWAY)
async def test_a_start_whose_provider_is_away(visitor: Visitor, api: Api, pool: Pool, fault: str):
    """A browser gets a page of ours, an SDK JSON; nothing is kept of the try, and later all works."""
    visitor.provider.answers["/.well-known/openid-configuration"] = _AWAY[fault]
    page = await visitor.start()
    assert (page.status, page.content_type) == (424, "text/html")
    assert "Location" not in page.headers
    assert visitor.provider.issuer not in page.data
    sdk = {"X-SDK-Name": "Node.js", "Accept": "text/html"}
    answer = await api.call("GET", f"{TOKENS}/oidc", modern=True, headers=sdk, allow_redirects=False)
    assert (answer.status, answer.data["type"]) == (424, "user_oauth2_provider_failure")
    assert "Set-Cookie" not in answer.headers
    assert visitor.cookies == {}
    assert (await pool.fetchrow("select count(*) from oauth_flows"))[0] == 0
    visitor.provider.answers.clear()
    assert (await visitor.sign_in()).headers["Location"] == HOME


@pytest.mark.parametrize("path", ["/token", "/jwks"])
async def test_an_end_whose_provider_is_silent(visitor: Visitor, pool: Pool, path: str):
    """The user is led back with an error once the API's patience is over; no account, identity or session is left."""
    callback = await visitor.go()
    visitor.provider.answers[path] = hostile_provider.silent
    assert error(await visitor.come_back(callback)) == (424, "user_oauth2_provider_failure")
    left = "select (select count(*) from users) + (select count(*) from identities) + (select count(*) from sessions)"
    assert (await pool.fetchrow(left))[0] == 0
    visitor.provider.answers.clear()
    assert (await visitor.sign_in()).headers["Location"] == HOME


async def test_a_network_has_fifty_under_way(visitor: Visitor, pool: Pool):
    """Starts are limited, and so are the rows that they leave: in number, and each in size (docs/limits.md)."""
    long = "http://localhost/".ljust(2048, "a")
    starts = [await visitor.start(TOKENS, success=long, failure=long, state="s" * 256) for _ in range(52)]
    assert [answer.status for answer in starts] == [301] * 50 + [429] * 2
    assert starts[-1].content_type == "text/html"
    rows, largest = await pool.fetchrow("select count(*), max(octet_length(f::text)) from oauth_flows f")
    assert rows == 50
    assert largest < 5000


async def test_provider_tokens_are_shown_only_where_the_project_wants_so(
    visitor: Visitor, api: Api, provider: IdentityProvider, pool: Pool
):
    """Without the setting they aren't even kept; with it session and identity show them."""
    await visitor.sign_in()
    assert (await pool.fetchrow("select kid, sealed from identities"))[:] == (None, None)
    await projects.change(pool, "shop", provider_tokens=True)
    api.client.app[SERVICES].projects._seen.clear()
    await visitor.sign_in()
    session = (await visitor.call("GET", "/v1/account/sessions/current")).data
    assert session["providerAccessToken"].startswith("access-")
    assert session["providerRefreshToken"].startswith("refresh-")
    assert session["providerAccessTokenExpiry"].endswith("+00:00")
    (identity,) = (await visitor.call("GET", "/v1/account/identities")).data["identities"]
    assert identity["providerAccessToken"] == session["providerAccessToken"]
    assert identity["providerIdToken"] == ""
    listed = (await visitor.call("GET", "/v1/account/sessions")).data["sessions"]
    assert listed[0]["providerAccessToken"] == session["providerAccessToken"]
    row = await pool.fetchrow("select i::text from identities i")
    assert session["providerAccessToken"] not in row[0]
