"""Headers of every answer, and the answers to a browser's preflight."""

import pytest
from pydantic import SecretStr

from service.app import make
from service.db import Pool
from service.settings import Settings
from service.store import projects
from testkit.api import Api, cookie_of
from testkit.api_keys import key

# Allowed headers of a preflight: the documented list, in its order, and today's.
OLD_LIST = (
    "Origin, Cookie, Set-Cookie, X-Requested-With, Content-Type, Access-Control-Allow-Origin, "
    "Access-Control-Request-Headers, Accept, X-Appwrite-Project, X-Appwrite-Key, X-Appwrite-Locale, X-Appwrite-Mode, "
    "X-Appwrite-JWT, X-Appwrite-Response-Format, X-SDK-Version, Cache-Control, Expires, Pragma, X-Fallback-Cookies"
)
NEW_LIST = (
    "Accept, Origin, Cookie, Set-Cookie, Content-Type, Content-Range, X-Appwrite-Project, X-Appwrite-Key, "
    "X-Appwrite-Dev-Key, X-Appwrite-Locale, X-Appwrite-Mode, X-Appwrite-JWT, X-Appwrite-Organization, "
    "X-Appwrite-Response-Format, X-Appwrite-Timeout, X-Appwrite-ID, X-Appwrite-Timestamp, X-Appwrite-Session, "
    "X-Appwrite-Platform, X-Appwrite-Impersonate-User-Id, X-Appwrite-Impersonate-User-Email, "
    "X-Appwrite-Impersonate-User-Phone, X-SDK-Version, X-SDK-Name, X-SDK-Language, X-SDK-Platform, X-SDK-GraphQL, "
    "X-SDK-Profile, Range, Cache-Control, Expires, Pragma, X-Fallback-Cookies, X-Requested-With, X-Forwarded-For, "
    "X-Forwarded-User-Agent, Authorization, X-Invitation"
)
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Vary": "Origin",
}
ASK = {"email": "ann@example.com", "url": "http://localhost/reset"}


async def every_kind_of_answer(api: Api):
    await api.sign_up()
    member = await api.sign_in()
    json = {"Content-Type": "application/json"}
    return {
        200: await api.call("GET", "/v1/account", headers=member),
        201: await api.call("POST", "/v1/account/recovery", json=ASK),
        204: await api.call("DELETE", "/v1/account/sessions/current", headers=member),
        400: await api.call("POST", "/v1/account", json={}),
        401: await api.call("GET", "/v1/account"),
        403: await api.call("GET", "/v1/account", headers={"Origin": "http://evil.test"}, modern=True),
        404: await api.call("GET", "/v1/nothing"),
        405: await api.call("PATCH", "/v1/account/recovery"),
        409: await api.call("POST", "/v1/account", json={"email": "ann@example.com", "password": "correct horse"}),
        413: await api.call("POST", "/v1/account/recovery", data=b" " * 98_305, headers=json),
    }


async def test_every_answer_is_safe_and_says_nothing_of_its_server(api: Api):
    """Success, nothing or error: the security headers stand, a request id of its own too, no Server header."""
    answers = await every_kind_of_answer(api)
    assert {status: answer.status for status, answer in answers.items()} == {status: status for status in answers}
    for answer in answers.values():
        assert {name: answer.headers[name] for name in SAFE} == SAFE
        assert "Server" not in answer.headers
        assert "Strict-Transport-Security" not in answer.headers
    assert len({answer.headers["X-Request-Id"] for answer in answers.values()}) == len(answers)


async def test_json_says_so_and_nothing_is_html(api: Api):
    """JSON answers name their charset after a semicolon; 204 carries text/html, without which the SDKs throw."""
    for status, answer in (await every_kind_of_answer(api)).items():
        wanted = "text/html; charset=utf-8" if status == 204 else "application/json; charset=UTF-8"
        assert answer.headers["Content-Type"] == wanted
        if status >= 400:
            assert list(answer.data) == ["message", "code", "type", "version"]
            assert answer.data["code"] == status


async def test_405_names_the_methods(api: Api):
    """A path that exists answers another method with what it allows."""
    answer = await api.call("PATCH", "/v1/account/recovery")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST, PUT")


@pytest.mark.parametrize("method", ["HEAD", "TRACE", "PROPFIND", "GET"])
async def test_unknown_methods_do_nothing(api: Api, method: str):
    """Only the methods that a route declares exist."""
    assert (await api.call(method, "/v1/account/verification")).status == 405


async def test_an_unknown_route_is_told_in_each_eras_words(api: Api):
    """An unknown route is 404 with one type, with or without a project."""
    old, new = await api.call("GET", "/v1/nothing"), await api.call("GET", "/v1/nothing", modern=True)
    assert (old.data["message"], old.data["type"]) == ("Not Found", "general_route_not_found")
    assert (new.data["message"], new.data["type"]) == (
        "The requested route was not found.", "general_route_not_found",
    )  # fmt: skip
    assert (await api.call("GET", "/v1/nothing", headers={"X-Appwrite-Project": None})).status == 404


async def test_https_is_demanded_where_it_is_served(aiohttp_client, api: Api, settings: Settings):
    """HSTS stands on every answer of a service whose public address is https."""
    client = await aiohttp_client(make(settings.model_copy(update={"public_url": "https://accounts.example.com"})))
    for path in ("/v1/account", "/v1/nothing"):
        answer = await Api(client).call("GET", path)
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize("path", ["/v1/account", "/v1/account/sessions/current", "/v1/nothing"])
async def test_preflight_as_documented(api: Api, path: str):
    """Without Access-Control-Request-Headers the answer is the documented list to the letter, for any origin."""
    answer = await api.call("OPTIONS", path, headers={"Origin": "http://evil.test"})
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Headers"] == OLD_LIST
    assert answer.headers["Access-Control-Allow-Origin"] == "http://evil.test"
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST, PUT, PATCH, DELETE"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers["Access-Control-Expose-Headers"] == "X-Fallback-Cookies"
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert await answer.read() == b""


async def test_preflight_of_a_browser_allows_both_eras_headers(api: Api):
    """A browser names the headers it wants to send: then both SDK eras' lists are allowed, and Authorization."""
    answer = await api.call(
        "OPTIONS", "/v1/account", headers={"Origin": "http://localhost", "Access-Control-Request-Headers": "x-sdk-name"}
    )
    allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert set(allowed) == {*OLD_LIST.split(", "), *NEW_LIST.split(", ")}
    assert len(allowed) == len(set(allowed))
    assert int(answer.headers["Access-Control-Max-Age"]) <= 600


ALLOWED = ["http://localhost", "https://localhost:3000", "http://app.example.com", "https://a.b.example.org:8443"]
FOREIGN = [
    "http://evil.test", "http://localhost.evil.test", "http://xapp.example.com", "https://example.org", "null",
    "http://app.example.com.evil.test", "http://[", "file://",
]  # fmt: skip


async def allow_more(pool: Pool) -> None:
    for hostname in ("app.example.com", "*.example.org", "[::1]"):
        await projects.add_platform(pool, "shop", hostname=hostname)


@pytest.mark.parametrize("origin", [*ALLOWED, "http://[::1]:3000"])
async def test_a_pages_origin_is_echoed(api: Api, pool: Pool, origin: str):
    """A page of the project reads every answer, errors too, and sees the limits' headers; any scheme and port."""
    await allow_more(pool)
    asked = await api.call("POST", "/v1/account/recovery", json=ASK, headers={"Origin": origin})
    refused = await api.call("GET", "/v1/account", headers={"Origin": origin}, modern=True)
    assert (asked.status, refused.status) == (201, 401)
    for answer in (asked, refused):
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"X-Appwrite-Session", "X-Fallback-Cookies", "X-RateLimit-Reset", "Retry-After"} <= set(exposed)


@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_strangers_page_may_not_act(api: Api, pool: Pool, origin: str):
    """Writes from a foreign page are 403 in both eras, reads in the modern one; no such page is ever echoed."""
    await allow_more(pool)
    write = await api.call("POST", "/v1/account/recovery", json=ASK, headers={"Origin": origin})
    read = await api.call("GET", "/v1/account", headers={"Origin": origin}, modern=True)
    old_read = await api.call("GET", "/v1/account", headers={"Origin": origin})
    assert (write.status, write.data["type"]) == (403, "general_unknown_origin")
    assert (read.status, read.data["type"]) == (403, "general_unknown_origin")
    assert old_read.status == 401
    assert all("Access-Control-Allow-Origin" not in answer.headers for answer in (write, read, old_read))
    assert (await pool.fetchrow("select count(*) from tokens"))[0] == 0


async def test_a_key_switches_the_origin_check_off(api: Api, pool: Pool):
    """Server SDKs send a key: they have no page. Any page can send one that is none, so that one switches nothing."""
    real = await key(pool, "sessions.write")
    for modern in (True, False):
        headers = real | {"Origin": "http://evil.test"}
        answer = await api.call("POST", "/v1/account/recovery", json=ASK, headers=headers, modern=modern)
        assert answer.status == (201 if modern else 401), "a legacy key opens no account route"
        assert "Access-Control-Allow-Origin" not in answer.headers
        headers["X-Appwrite-Key"] = "any"
        assert (await api.call("POST", "/v1/account/recovery", json=ASK, headers=headers, modern=modern)).status == 403


async def test_the_referer_stands_in_for_a_missing_origin(api: Api):
    """Legacy writes are judged by it; the modern era looks at Origin only."""
    headers = {"Referer": "http://evil.test/page"}
    assert (await api.call("POST", "/v1/account/recovery", json=ASK, headers=headers)).status == 403
    assert (await api.call("POST", "/v1/account/recovery", json=ASK, headers=headers, modern=True)).status == 201


async def test_the_services_own_pages_may_act(aiohttp_client, api: Api, settings: Settings):
    """The public address is always one of the allowed origins."""
    own = settings.model_copy(update={"public_url": "https://accounts.example.net"})
    client = await aiohttp_client(make(own))
    answer = await Api(client).call(
        "POST", "/v1/account/recovery", json=ASK, headers={"Origin": "https://accounts.example.net"}
    )
    assert answer.status == 201


async def test_a_client_never_hears_where_postgres_is(aiohttp_client, api: Api, settings: Settings):
    """With Postgres away a client gets 503 and Retry-After, and no word of where it is."""
    away = settings.model_copy(update={"database_url": SecretStr("postgres://u:pw@127.0.0.1:1/none")})
    client = await aiohttp_client(make(away))
    answer = await Api(client).call("GET", "/v1/account")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert answer.data["message"] == "The service is busy or a part of it is away. Please try again in a moment."


async def test_the_project_as_a_parameter(api: Api):
    """Clients that set no header name the project in the query, or in the body of a write."""
    bare = {"X-Appwrite-Project": None}
    body = {"email": "ann@example.com", "password": "correct horse"}
    assert (await api.call("POST", "/v1/account", headers=bare, json=body)).status == 400
    assert (await api.call("POST", "/v1/account", headers=bare, json=body | {"project": "shop"})).status == 201
    session = await api.call("POST", "/v1/account/sessions?project=shop", headers=bare, json=body)
    assert session.status == 201
    cookie = {"Cookie": cookie_of(session)}
    assert (await api.call("GET", "/v1/account?project=shop", headers=bare | cookie)).status == 200
    assert (await api.call("POST", "/v1/account", headers=bare, json=body | {"project": ["shop"]})).status == 400
