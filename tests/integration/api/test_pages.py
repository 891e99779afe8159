"""The pages that a mailed link leads to when the project has none of its own."""

import hashlib
from base64 import b64encode
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from aiohttp import DummyCookieJar

from service.app import make
from service.db import Pool
from service.http import session_cookies
from service.settings import Settings
from service.store import projects, token_secrets
from service.store.tokens import Kind, Token
from testkit.api import Api, cookie_of
from testkit.forms import Page
from testkit.hosted_pages import OWN, open_link, press

PAGES = {Kind.VERIFICATION: "/auth/verification", Kind.MAGIC_URL: "/auth/magic-url"}
CONFIRM = {Kind.VERIFICATION: "/v1/account/verification", Kind.MAGIC_URL: "/v1/account/sessions/magic-url"}
GONE = "This link is no longer valid"
HOSTILE = [
    '"><script>alert(1)</script>', "'><img src=//evil.test>", "</title><style>*{}</style>", "{{ 7*7 }}{% raw %}",
    "javascript:alert(1)", "&quot;&lt;b&gt;", '" autofocus onfocus="x',
]  # fmt: skip


async def proof(api: Api, pool: Pool, settings: Settings, kind: Kind) -> dict[str, str]:
    """The query of a mailed link, for ann@example.com, who has signed up."""
    await api.sign_up()
    if kind is Kind.VERIFICATION:
        member = await api.sign_in()
        body = {"url": "http://localhost/verify"}
        asked = await api.call("POST", "/v1/account/verification", json=body, headers=member)
    else:
        asked = await api.call("POST", "/v1/account/sessions/magic-url", json={"email": "ann@example.com"})
    assert asked.status == 201, asked.data
    row = await pool.fetchrow(
        "select project_id, id, kind, user_id, asked_as, email, email_version, kid, created_at, expires_at from tokens"
    )
    assert row
    token = Token(*row)
    secret = token_secrets.secret_of(settings.key_ring, token)
    return {
        "project": "shop",
        "userId": token.user_id or token.requested_user_id or "",
        "secret": secret,
        "expire": "1893456000",
    }


async def visit(api: Api, path: str, query: dict[str, str], **headers: str) -> Any:
    """Open a link; its redirect is followed."""
    return await open_link(api, path, query=query, **headers)


@pytest.fixture(params=list(PAGES))
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


async def test_get_never_consumes(api: Api, pool: Pool, settings: Settings, kind: Kind):
    """Whatever opens the link, and however often, the secret still works afterwards (docs/security.md S21)."""
    query = await proof(api, pool, settings, kind)
    for number in range(40):
        answer = await open_link(api, PAGES[kind], query=query, method="HEAD" if number % 2 else "GET")
        assert (answer.status, answer.content_type) == (200, "text/html")
        assert "Set-Cookie" not in answer.headers
    row = await pool.fetchrow("select attempts from tokens")
    assert row
    assert row[0] == 0, "looking is no guess"
    body = {"userId": query["userId"], "secret": query["secret"]}
    assert (await api.call("PUT", CONFIRM[kind], json=body)).status == (201 if kind is Kind.MAGIC_URL else 200)


async def test_the_secret_leaves_the_address_at_once(api: Api, pool: Pool, settings: Settings, kind: Kind):
    """The link leads to an address without it; a cookie of that page alone holds it for a quarter of an hour."""
    query = await proof(api, pool, settings, kind)
    sent = {"X-Appwrite-Project": None}
    answer = await api.call("GET", PAGES[kind], params=query, headers=sent, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, f"{PAGES[kind]}?project=shop")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    (cookie,) = answer.headers.getall("Set-Cookie")
    assert cookie.partition("; ")[2] == f"Path={PAGES[kind]}; Max-Age=900; HttpOnly; SameSite=Lax"
    without = await api.call("GET", answer.headers["Location"], headers=sent)
    assert (without.status, Page(without.data).heading) == (400, "This link is incomplete")
    assert query["secret"] not in without.data


async def test_https_keeps_the_secret_to_itself(aiohttp_client: Any, api: Api, settings: Settings, kind: Kind):
    """Under an https PUBLIC_URL the cookie is sent by https only."""
    own = settings.model_copy(update={"public_url": "https://accounts.example.net"})
    behind = Api(await aiohttp_client(make(own), cookie_jar=DummyCookieJar()))
    answer = await behind.call(
        "GET", PAGES[kind], params={"project": "shop", "userId": "a", "secret": "b"}, allow_redirects=False
    )
    assert answer.headers["Set-Cookie"].endswith("; HttpOnly; Secure; SameSite=Lax")


@pytest.mark.parametrize("kept", ["", "x", "e30=", "eyJpZCI6ImEifQ==", session_cookies.encode("a" * 37, "b"),
                                  session_cookies.encode("a", "b\0"), session_cookies.encode("a", "b" * 257)],
)  # fmt: skip
async def test_a_cookie_of_no_link_is_none(api: Api, kind: Kind, kept: str):
    """A cookie is checked as a link is."""
    sent = {"X-Appwrite-Project": None, "Cookie": f"link_shop={quote(kept, safe='')}"}
    answer = await api.call("GET", f"{PAGES[kind]}?project=shop", headers=sent)
    assert (answer.status, Page(answer.data).heading) == (400, "This link is incomplete")


async def test_the_button_confirms_once(api: Api, pool: Pool, settings: Settings):
    """The form of the page proves the address; sent again, it says that the link is done for."""
    query = await proof(api, pool, settings, Kind.VERIFICATION)
    page = Page((await visit(api, "/auth/verification", query)).data)
    assert page.fields == {"userId": query["userId"], "secret": query["secret"]}
    assert page.form == "/auth/verification?project=shop"
    answer = await press(api, page)
    assert "link_shop=; Path=/auth/verification; Max-Age=0" in answer.headers["Set-Cookie"], "it is used up"
    assert (answer.status, Page(answer.data).heading) == (200, "Your e-mail address is confirmed")
    member = await api.sign_in()
    assert (await api.call("GET", "/v1/account", headers=member)).data["emailVerification"] is True
    again = await press(api, page)
    assert (again.status, again.content_type, Page(again.data).heading) == (401, "text/html", GONE)


async def test_the_button_signs_in_once(api: Api, pool: Pool, settings: Settings):
    """The form of the page sets the session's cookies, as PUT does, and works a single time."""
    query = await proof(api, pool, settings, Kind.MAGIC_URL)
    page = Page((await visit(api, "/auth/magic-url", query)).data)
    answer = await press(api, page)
    assert (answer.status, Page(answer.data).heading) == (200, "You are signed in")
    names = [line.partition("=")[0] for line in answer.headers.getall("Set-Cookie")]
    assert names == ["link_shop", "known_device_shop", "a_session_shop_legacy", "a_session_shop"]
    account = await api.call("GET", "/v1/account", headers={"Cookie": cookie_of(answer)})
    assert (account.data["email"], account.data["emailVerification"]) == ("ann@example.com", True)
    again = await press(api, page)
    assert (again.status, Page(again.data).heading) == (401, GONE)
    assert "Set-Cookie" not in again.headers


async def every_page(api: Api, pool: Pool, settings: Settings, kind: Kind) -> list[Any]:
    """The question, the success and an error."""
    asked = await visit(api, PAGES[kind], await proof(api, pool, settings, kind))
    return [asked, *[await press(api, Page(asked.data)) for _twice in range(2)]]


async def test_nothing_is_loaded_or_run(api: Api, pool: Pool, settings: Settings, kind: Kind):
    """A page needs nothing from anywhere, runs nothing, and says its language."""
    for answer in await every_page(api, pool, settings, kind):
        page = Page(answer.data)
        assert page.loads == []
        assert not {"script", "img", "link", "iframe", "object", "embed", "base", "a"} & set(page.tags)
        assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("style", "http-equiv")]
        assert "url(" not in page.style
        assert "@import" not in page.style
        assert page.language == "en"
        assert (page.tags.count("h1"), page.tags.count("main"), page.tags.count("title")) == (1, 1, 1)
        assert ("name", "viewport") in page.attributes


async def test_headers_keep_the_secret_here(api: Api, pool: Pool, settings: Settings, kind: Kind):
    """The policy allows the page's own style and form and nothing else; nothing is kept, and no address is told."""
    for answer in await every_page(api, pool, settings, kind):
        digest = b64encode(hashlib.sha256(Page(answer.data).style.encode()).digest()).decode()
        assert len(answer.headers.getall("Content-Security-Policy")) == 1
        assert answer.headers["Content-Security-Policy"].split("; ") == [
            "default-src 'none'", f"style-src 'sha256-{digest}'", "form-action 'self'", "frame-ancestors 'none'",
            "base-uri 'none'",
        ]  # fmt: skip
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        # A form under no-referrer is sent with `Origin: null`, which could be anybody's.
        assert answer.headers["Referrer-Policy"] == ("strict-origin" if Page(answer.data).form else "no-referrer")


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_what_comes_is_only_text(api: Api, pool: Pool, settings: Settings, kind: Kind, hostile: str):
    """Values of the query don't stand in a page, an operator's project name only as text."""
    await projects.change(pool, "shop", name=hostile)
    query = {"project": "shop", "userId": hostile, "secret": hostile, "expire": hostile, "x": hostile}
    answer = await visit(api, PAGES[kind], query)
    page = Page(answer.data)
    assert (answer.status, page.heading, page.form) == (401, GONE, f"{PAGES[kind]}/new?project=shop")
    clean = Page((await visit(api, PAGES[kind], {"project": "shop", "userId": "a", "secret": "b"})).data)
    assert page.tags == clean.tags
    asked = Page((await visit(api, PAGES[kind], await proof(api, pool, settings, kind))).data)
    assert asked.tags == [
        "html", "head", *["meta"] * 4, "title", "style", "body", "header", "bdi", "main", "h1", "p", "form",
        *["input"] * 2, "button", "p",
    ]  # fmt: skip
    asked.fields = {"userId": hostile, "secret": hostile}
    refused = await press(api, asked)
    assert (refused.status, Page(refused.data).tags) == (401, clean.tags)
    unknown = await visit(api, PAGES[kind], query | {"project": hostile})
    assert (unknown.status, unknown.content_type) == (400, "text/html")
    assert hostile not in unknown.data


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_other_methods_are_refused(api: Api, kind: Kind, method: str):
    """A page is asked for and confirmed; nothing else can be done with it."""
    answer = await api.call(method, PAGES[kind], params={"project": "shop"})
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    "query",
    [
        {}, {"userId": "a"}, {"secret": "b"}, {"userId": "", "secret": "b"}, {"userId": "a", "secret": "b" * 257},
        {"userId": "a" * 37, "secret": "b"}, {"userId": "a\0", "secret": "b"}, {"userId": "a", "secret": "b\u202e"},
    ],
)  # fmt: skip
async def test_a_broken_link_is_said_to_be(api: Api, kind: Kind, query: dict[str, str]):
    """A link that the confirmation would refuse is refused before there is a button, and by the button too."""
    asked = await visit(api, PAGES[kind], {"project": "shop", **query})
    assert (asked.status, Page(asked.data).heading) == (400, "This link is incomplete")
    assert Page(asked.data).fields == {"email": ""}, "a new link can be asked for"
    sent = await api.call("POST", PAGES[kind], params={"project": "shop"}, data=query, headers={"Origin": OWN})
    assert (sent.status, Page(sent.data).heading) == (400, "This link is incomplete")


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "http://localhost.evil.test", "file://"])
async def test_foreign_pages_press_no_button(api: Api, pool: Pool, settings: Settings, kind: Kind, origin: str):
    """Nobody else's page can sign a visitor in to an account that is not his; the link is not used up by it."""
    page = Page((await visit(api, PAGES[kind], await proof(api, pool, settings, kind))).data)
    answer = await press(api, page, origin=origin)
    assert (answer.status, answer.content_type) == (403, "text/html")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert Page(answer.data).heading == "This was not sent from our own page"
    assert (await press(api, page)).status == 200


async def test_guesses_are_limited(api: Api, kind: Kind):
    """Ten tries an hour for a user id, however it is spelled; the eleventh is told to wait, on a page."""
    page = Page((await visit(api, PAGES[kind], {"project": "shop"})).data)
    page.form = f"{PAGES[kind]}?project=shop"
    for number in range(10):
        page.fields = {"userId": "ann" if number % 2 else "ANN", "secret": "f" * 256}
        assert (await press(api, page)).status == 401
    answer = await press(api, page)
    assert (answer.status, answer.content_type, Page(answer.data).heading) == (429, "text/html", "Too many tries")
    assert 0 < int(answer.headers["Retry-After"]) <= 3600
    assert answer.headers["X-RateLimit-Remaining"] == "0"


async def test_blocked_visitors_are_told(api: Api, pool: Pool):
    """A user signed in to a blocked account gets that answer as a page."""
    await api.sign_up()
    member = await api.sign_in()
    await pool.execute("update users set status = 'blocked'")
    answer = await visit(api, "/auth/verification", {"project": "shop", "userId": "a", "secret": "b"}, **member)
    assert (answer.status, Page(answer.data).heading) == (401, "This account is blocked")


async def test_a_blocked_account_is_not_signed_in(api: Api, pool: Pool, settings: Settings):
    """A link that was mailed before the block opens nothing after it."""
    page = Page((await visit(api, "/auth/magic-url", await proof(api, pool, settings, Kind.MAGIC_URL))).data)
    await pool.execute("update users set status = 'blocked', email_verified = true")
    answer = await press(api, page)
    assert (answer.status, Page(answer.data).heading) == (401, "This account is blocked")
    assert "Set-Cookie" not in answer.headers


async def test_signed_in_already(api: Api, pool: Pool, settings: Settings):
    """In the modern era a session is opened for guests only; the link is kept for later."""
    query = await proof(api, pool, settings, Kind.MAGIC_URL)
    member = await api.sign_in()
    modern = {"X-Appwrite-Response-Format": "1.9.5"}
    page = Page((await visit(api, "/auth/magic-url", query, **modern)).data)
    answer = await press(api, page, **modern, **member)
    assert (answer.status, Page(answer.data).heading) == (401, "You are signed in already")
    assert (await press(api, page, **modern)).status == 200


async def test_too_large_a_form(api: Api, kind: Kind):
    """A fault in the body is a page as well."""
    sent = {"userId": "a", "secret": "b" * 200_000}
    answer = await api.call("POST", PAGES[kind], params={"project": "shop"}, data=sent, headers={"Origin": OWN})
    assert (answer.status, answer.content_type) == (413, "text/html")


@pytest.mark.parametrize(
    ("accepted", "locale", "language"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "", "de"), ("el, fr;q=0.5", "", "fr"), ("en-GB,de", "", "en"), ("*", "", "es"),
        ("", "", "es"), ("de", "fr", "fr"), ("," * 4000, "", "es"), ("../de", "../fr", "es"),
    ],
)  # fmt: skip
async def test_pages_speak_the_visitors_language(  # noqa: PLR0917 - pytest passes them by name
    api: Api, pool: Pool, settings: Settings, accepted: str, locale: str, language: str
):
    """The address's language wins, then the browser's, then the project's; only languages that we have."""
    await projects.change(pool, "shop", locale="es")
    query = await proof(api, pool, settings, Kind.VERIFICATION) | {"locale": locale}
    answer = await visit(api, "/auth/verification", query, **({"Accept-Language": accepted} if accepted else {}))
    headings = {
        "en": "Confirm your e-mail address", "de": "Ihre E-Mail-Adresse bestätigen",
        "fr": "Confirmez votre adresse e-mail", "es": "Confirme su dirección de correo electrónico",
    }  # fmt: skip
    page = Page(answer.data)
    assert (page.language, page.heading) == (language, headings[language])


@pytest.mark.parametrize(
    ("prefs", "locale", "language"),
    [({"locale": "fr"}, "", "fr"), ({"locale": "fr"}, "de", "de"), ({"locale": ["fr"]}, "", "es"),
     ({"locale": "xx"}, "", "es"), ({}, "", "es")],
)  # fmt: skip
async def test_pages_know_their_readers_language(  # noqa: PLR0917 - pytest passes them by name
    api: Api, pool: Pool, settings: Settings, prefs: dict[str, Any], locale: str, language: str
):
    """The preferences of the link's user come before the browser's language; the page that follows keeps it."""
    query = await proof(api, pool, settings, Kind.VERIFICATION) | {"locale": locale}
    await pool.execute("update users set prefs = $1", orjson.dumps(prefs).decode())
    page = Page((await visit(api, "/auth/verification", query, **{"Accept-Language": "es"})).data)
    assert page.language == language
    assert Page((await press(api, page, **{"Accept-Language": "es"})).data).language == language


async def test_other_routes_answer_in_json(api: Api):
    """Only pages speak HTML, whatever the client would like."""
    answer = await api.call("GET", "/v1/account", headers={"Accept": "text/html"})
    assert (answer.status, answer.content_type) == (401, "application/json")
