"""Headers and parameters on several lines: lists are joined, of all others the lines must say the same."""

import pytest
from yarl import URL

from service.app import routes
from service.http import headers
from testkit import edge
from testkit.api import Api
from tests.integration.api.test_cookies import value_of

ASK = {"email": "ann@example.com", "url": "http://localhost/reset"}
# Lines that a client or a proxy may send, and whether they are the member's whose session is {value}.
COOKIES = (
    ((("Cookie", "theme=dark"), ("Cookie", "a_session_shop={value}")), 200),
    ((("Cookie", "a_session_shop={value}"), ("Cookie", "theme=dark")), 200),
    ((("cookie", "a=1"), ("COOKIE", "b=2"), ("Cookie", "a_session_shop_legacy={value}")), 200),
    ((("Cookie", ""), ("Cookie", "a_session_shop={value}")), 200),
    ((("Cookie", "a_session_shop={other}"), ("Cookie", "a_session_shop={value}")), 401),
    ((("Cookie", "theme=dark"),), 401),
)
# What is a list is one however it is split; what is none may be repeated and not contradicted.
ROWS = (
    ("Accept-Language", "de", "en", 200),
    ("X-Forwarded-For", "203.0.113.7", "192.0.2.1", 200),
    ("Forwarded", "for=203.0.113.7", "for=192.0.2.1", 200),
    ("Content-Encoding", "identity", "identity", 200),
    ("Connection", "keep-alive", "close", 200),
    ("X-Appwrite-Project", "shop", "shop", 200),
    ("X-Appwrite-Project", "shop", "other", 400),
    ("X-Appwrite-Response-Format", "1.9.5", "1.9.5", 200),
    ("X-Appwrite-Response-Format", "1.9.5", "0.11.0", 400),
    ("X-Appwrite-Key", "a", "a", 200),
    ("X-Appwrite-Key", "a", "b", 400),
    ("X-Appwrite-Locale", "de", "de", 200),
    ("X-Appwrite-Locale", "de", "en", 400),
    ("X-Appwrite-Session", "x", "y", 400),
    ("X-Appwrite-JWT", "x", "y", 400),
    ("X-Fallback-Cookies", "{{}}", "{{}}", 200),
    ("X-Fallback-Cookies", "{{}}", "[]", 400),
    ("X-Forwarded-User-Agent", "a", "b", 400),
    ("Origin", "http://localhost", "http://localhost", 200),
    ("Origin", "http://localhost", "http://evil.test", 400),
    ("Referer", "http://localhost/", "http://evil.test/", 400),
    ("Sec-Fetch-Site", "same-origin", "cross-site", 400),
    ("Host", "localhost", "localhost", 400),
    ("User-Agent", "a", "b", 400),
    ("Content-Type", "application/json", "application/json", 400),
    ("Content-Length", "0", "0", 400),
    ("Transfer-Encoding", "chunked", "chunked", 400),
    ("X-Unknown", "a", "b", 200),
)


async def status(api: Api, lines: tuple[tuple[str, str], ...]) -> int:
    """Of a request in bytes, whose head has these lines in this order: a client's library would tidy them."""
    named = {name for name, _ in lines}
    usual = (("Host", "localhost"), ("X-Appwrite-Project", "shop"), ("Connection", "close"))
    head = "".join(f"{name}: {text}\r\n" for name, text in (*lines, *(row for row in usual if row[0] not in named)))
    return (await edge.ask(api.client.port, f"GET /v1/account HTTP/1.1\r\n{head}\r\n".encode())).status


@pytest.mark.parametrize(("lines", "found"), COOKIES, ids=lambda each: str(each)[:60])
async def test_cookies_on_several_lines(api: Api, lines: tuple[tuple[str, str], ...], found: int):
    """Some clients send a line for each cookie: all lines are one jar, and of two with one name the first counts."""
    value, other = await value_of(api), "eyJpZCI6IngiLCJzZWNyZXQiOiJ5In0="
    filled = tuple((name, text.format(value=value, other=other)) for name, text in lines)
    assert await status(api, filled) == found


@pytest.mark.parametrize(("name", "first", "second", "found"), ROWS, ids=lambda each: str(each)[:30])
async def test_a_header_that_stands_twice(api: Api, name: str, first: str, second: str, found: int):
    """A list may be split; a header that is none may be said again and must not be contradicted."""
    cookie = ("Cookie", f"a_session_shop={await value_of(api)}")
    lines = tuple((name, text.format()) for text in (first, second))
    own = (cookie,) if name != "X-Appwrite-Key" else (cookie, ("X-Appwrite-Response-Format", "0.11.0"))
    assert await status(api, (*own, *lines)) == found


async def test_a_known_device_is_found_on_any_line(api: Api):
    """The mark of a known device is a cookie like the session's: its own line is read too."""
    await api.sign_up()
    answer = await api.call("POST", "/v1/account/sessions", json={"email": ASK["email"], "password": "correct horse"})
    mark = next(each for each in answer.headers.getall("Set-Cookie") if each.startswith("known_device"))
    wrong = {"email": ASK["email"], "password": "wrong horse"}
    lines = [("X-Appwrite-Project", "shop"), ("Cookie", "theme=dark"), ("Cookie", mark.partition(";")[0])]
    for _ in range(10):
        await api.call("POST", "/v1/account/sessions", json=wrong)
    assert (await api.call("POST", "/v1/account/sessions", json=wrong)).status == 429
    url = api.client.make_url("/v1/account/sessions")
    async with api.client.session.post(url, json=wrong, headers=lines) as found:
        assert found.status == 401


@pytest.mark.parametrize(
    ("query", "found"),
    [("total=false&total=false", 200), ("total=false&total=true", 400), ("project=shop&project=shop", 200),
     ("project=shop&project=other", 400), ("locale=de&locale=en", 400), ("a=1&a=2", 200),
     ("queries[]=limit(1)&queries[]=offset(0)", 200), ("queries[0]=limit(1)&queries[1]=offset(0)", 200)],
)  # fmt: skip
async def test_a_parameter_that_stands_twice(api: Api, query: str, found: int):
    """The same rule for what stands in an address; `queries` is a list in each of its spellings."""
    await api.sign_up()
    member = await api.sign_in()
    assert (await api.call("GET", str(URL(f"/v1/account/logs?{query}")), headers=member)).status == found


def test_every_parameter_is_in_the_table():
    """Each parameter in addresses, and each that pages take from links, is a list or stands once.

    Those of a provider's answer, too: of two codes or states neither may win.
    """
    documented = {each.name for route in routes() for each in route.contract.query}
    assert {name.partition("[")[0] for name in documented} - {"queries", "scopes"} <= headers.PARAMETERS
    assert {"userId", "secret", "expire", "project", "locale"} <= headers.PARAMETERS


def test_no_header_has_two_rules():
    """A header is a list or it is not."""
    assert not {*headers.LISTS} & {*headers.SINGLE}
