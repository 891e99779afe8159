"""Headers of every answer, whatever its route, method, status or fault (docs/security.md S11, S65, S83)."""

import re
from pathlib import Path
from typing import Any

import pytest

from service import app
from service.app import make
from service.http.routing import Route
from service.settings import Settings
from testkit.api import Api

ALWAYS = ("Content-Security-Policy", "Referrer-Policy", "Vary", "X-Request-Id", "Content-Type")
# What would tell of our libraries, our folders or our database.
TELLTALES = (
    "aiohttp",
    "python",
    "traceback",
    "asyncpg",
    "postgres",
    "redis",
    "site-packages",
    ".py",
    "select ",
    "line ",
)


@pytest.fixture
async def api(aiohttp_client: Any, api: Api, settings: Settings) -> Api:
    own = settings.model_copy(update={"public_url": "https://accounts.example.net", "limits": "off"})
    return Api(await aiohttp_client(make(own)))


def check(answer: Any) -> None:
    headers, what = answer.headers, (answer.method, str(answer.url), answer.status)
    assert headers.getall("X-Content-Type-Options") == ["nosniff"], what
    assert headers.getall("Strict-Transport-Security") == ["max-age=31536000"], what
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], what
    assert "default-src 'none'" in headers["Content-Security-Policy"], what
    assert headers["Referrer-Policy"] in ("no-referrer", "strict-origin"), what
    assert "no-store" in headers["Cache-Control"] or answer.url.path.startswith(("/docs", "/openapi")), what
    assert all(name in headers for name in ALWAYS), what
    assert not [name for name in ("Server", "X-Powered-By", "Via") if name in headers], what
    assert "*" not in headers.getall("Access-Control-Allow-Origin", []), what
    if answer.status >= 400 and isinstance(answer.data, dict):
        assert list(answer.data) == ["message", "code", "type", "version"], what
        assert answer.data["code"] == answer.status, what
        told = str({name: value for name, value in answer.data.items() if name != "version"}).lower()
        assert not [word for word in TELLTALES if word in told], what


async def ways(api: Api, route: Route, member: dict[str, str]) -> list[Any]:
    """The route asked well and badly."""
    path = route.paths[0].replace("{sessionId}", "current").replace("{userId}", "nobody")
    path = path.replace("{type}", "totp")
    path = re.sub(r"\{(?:identityId|targetId|consentId|tokenId|challengeId|passkeyId)\}", "x", path)
    json = {"Content-Type": "application/json"}
    asks: list[dict[str, Any]] = [
        {}, {"headers": member}, {"headers": member | json, "data": b"{}"}, {"headers": json, "data": b"{"},
        {"headers": {"X-Appwrite-Project": None}}, {"headers": {"X-Appwrite-Project": "nowhere"}},
        {"headers": {"Origin": "https://evil.test"}}, {"headers": {"Origin": "http://localhost"}},
        {"headers": {"X-Appwrite-JWT": "junk"}}, {"headers": {"X-Appwrite-Key": "junk"}},
        {"headers": json | {"Content-Encoding": "gzip"}, "data": b"x"}, {"headers": json, "data": b" " * 98_305},
    ]  # fmt: skip
    return [
        await api.call(method, path, modern=modern, **ask)
        for modern in (False, True)
        for method in (route.method, "OPTIONS", "TRACE", "PROPFIND", "HEAD")
        for ask in (asks if method == route.method else asks[:1])
    ]


@pytest.mark.parametrize("route", app.routes(), ids=lambda route: f"{route.method} {route.paths[0]}")
async def test_s65_every_route_however_it_is_asked(api: Api, route: Route):
    """Success or refusal of any kind: the security headers stand, nothing is cached, nothing tells of our insides."""
    await api.sign_up()
    for answer in await ways(api, route, await api.sign_in()):
        check(answer)
        assert answer.status < 500 or route.name.endswith("phone_token") or answer.status in (501, 503), answer.data


@pytest.mark.parametrize("path", ["/v1", "/v1/nothing", "/v1/account/", "/v1/../v1", "/%00", "/.env"])
async def test_s65_no_route_at_all(api: Api, path: str):
    """A path without a route has the security headers of every answer."""
    for method in ("GET", "POST", "DELETE", "OPTIONS"):
        answer = await api.call(method, path)
        check(answer)
        assert answer.status == (204 if method == "OPTIONS" else 404)


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "MKCOL", "SEARCH", "PURGE", "LINK", "M-SEARCH"])
async def test_s83_unknown_methods(api: Api, method: str):
    """A method that no route declares is 405 on any path, with what is allowed; nothing of the request is told back."""
    for path in ("/v1/account", "/v1/nothing", "/"):
        answer = await api.call(method, path, headers={"X-Canary": "canary"})
        check(answer)
        assert answer.status == 405, path
        assert set(answer.headers["Allow"].split(", ")) <= {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
        assert "canary" not in str(answer.data)


@pytest.mark.parametrize(
    "path", ["/metrics", "/ready", "/live", "/health", "/v1/health", "/debug", "/whoami", "/status"]
)
async def test_s90_nothing_of_the_operators_is_public(api: Api, path: str):
    """Readiness, figures and what we believe of a client stand on the health port; only the documentation is public."""
    assert (await api.call("GET", path)).status == 404


def test_every_answer_of_the_api_is_of_our_own_class():
    """One of the library's would give its version and Python's; the health port, which is not public, may have them."""
    root = Path(__file__).parents[2] / "service"
    sources = {path.name: path.read_text() for folder in ("api", "http") for path in (root / folder).rglob("*.py")}
    made = {name: re.findall(r"\bweb\.\w*[rR]esponse\(", text) for name, text in sources.items()}
    assert {name: found for name, found in made.items() if found} == {"readiness.py": ["web.json_response("] * 2}
