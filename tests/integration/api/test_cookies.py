"""Carriers of a session: two cookies, X-Fallback-Cookies, X-Appwrite-Session."""

import base64
import json
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote

import pytest
from yarl import URL

from service.app import make
from service.db import Pool
from service.settings import Settings
from service.store import projects
from testkit.api import Api

LOGIN = {"email": "ann@example.com", "password": "correct horse"}


async def value_of(api: Api) -> str:
    """A live session as it stands in a cookie, decoded."""
    await api.sign_up()
    return unquote((await api.sign_in())["Cookie"].partition("=")[2])


async def status_with(api: Api, **headers: str) -> int:
    renamed = {name.replace("_", "-"): value for name, value in headers.items()}
    return (await api.call("GET", "/v1/account", headers=renamed)).status


async def test_two_cookies_in_order(api: Api, pool: Pool):
    """The legacy one comes first, the real one last; they expire with the session and no script can read them."""
    await api.sign_up()
    answer = await api.call("POST", "/v1/account/sessions", json=LOGIN)
    first, second = (cookie.split("; ") for cookie in answer.headers.getall("Set-Cookie")[-2:])
    assert first[0].partition("=")[0] == "a_session_shop_legacy"
    assert second[0].partition("=")[0] == "a_session_shop"
    assert first[0].partition("=")[2] == second[0].partition("=")[2]
    expires = (await pool.fetchrow("select date_trunc('second', expires_at) from sessions"))[0]
    assert parsedate_to_datetime(first[2].partition("=")[2]) == expires
    assert first[1:] == ["Path=/", first[2], "HttpOnly"]
    assert second[1:] == ["Path=/", first[2], "HttpOnly", "SameSite=None"]


async def test_the_value_is_percent_encoded_base64_of_json(api: Api):
    """{"id": the user's, "secret": 64 hex characters}, and the fallback header holds the same, not encoded."""
    user = await api.sign_up()
    answer = await api.call("POST", "/v1/account/sessions", json=LOGIN)
    sent = answer.headers.getall("Set-Cookie")[-1].partition(";")[0].partition("=")[2]
    value = unquote(sent)
    assert sent == quote(value, safe="")
    found = json.loads(base64.b64decode(value, validate=True))
    assert list(found) == ["id", "secret"]
    assert found["id"] == user["$id"]
    assert len(bytes.fromhex(found["secret"])) == 32
    assert json.loads(answer.headers["X-Fallback-Cookies"]) == {"a_session_shop": value}


async def test_https_makes_cookies_secure_and_one_site_needs_no_fallback(aiohttp_client, api: Api, settings: Settings):
    """Secure follows the public address; a page of the same registrable domain gets no fallback header."""
    own = settings.model_copy(update={"public_url": "https://accounts.example.co.uk"})
    pages = Api(await aiohttp_client(make(own)))
    await api.sign_up()
    headers = {"Origin": "https://accounts.example.co.uk"}
    near = await pages.call("POST", "/v1/account/sessions", json=LOGIN, headers=headers)
    assert all("; Secure" in cookie for cookie in near.headers.getall("Set-Cookie"))
    assert "X-Fallback-Cookies" not in near.headers
    far = await pages.call("POST", "/v1/account/sessions", json=LOGIN, headers={"Origin": "http://localhost"})
    assert "X-Fallback-Cookies" in far.headers


async def test_the_cookie_is_partitioned_where_the_project_says_so(
    aiohttp_client, api: Api, pool: Pool, settings: Settings
):
    """The one for other sites, when it is set and when it is cleared; the legacy one and plain http never."""
    await projects.change(pool, "shop", partitioned_cookies=True)
    pages = Api(await aiohttp_client(make(settings.model_copy(update={"public_url": "https://accounts.example.com"}))))
    await api.sign_up()
    answer = await pages.call("POST", "/v1/account/sessions", json=LOGIN)
    member = {"Cookie": answer.headers.getall("Set-Cookie")[-1].partition(";")[0]}
    ended = await pages.call("DELETE", "/v1/account/sessions/current", json={}, headers=member)
    for each in (answer, ended):
        legacy, modern = each.headers.getall("Set-Cookie")[-2:]
        assert modern.endswith("; Secure; SameSite=None; Partitioned")
        assert "Partitioned" not in legacy


async def test_a_bare_public_suffix_is_no_common_site(aiohttp_client, api: Api, pool: Pool, settings: Settings):
    """shop.co.uk and accounts.co.uk share nothing that a browser would send cookies to."""
    own = settings.model_copy(update={"public_url": "https://accounts.co.uk"})
    await projects.add_platform(pool, "shop", hostname="shop.co.uk")
    pages = Api(await aiohttp_client(make(own)))
    await api.sign_up()
    answer = await pages.call("POST", "/v1/account/sessions", json=LOGIN, headers={"Origin": "https://shop.co.uk"})
    assert "X-Fallback-Cookies" in answer.headers


async def test_every_way_in(api: Api):
    """The cookie encoded or raw, the legacy one alone, the header, the fallback: each carries the session."""
    value = await value_of(api)
    encoded, fallback = quote(value, safe=""), json.dumps({"a_session_shop": value})
    for headers in (
        {"Cookie": f"a_session_shop={encoded}"},
        {"Cookie": f"a_session_shop={value}"},
        {"Cookie": f'a_session_shop="{value}"'},
        {"Cookie": f"theme=dark; a_session_shop={value}; x"},
        {"Cookie": f"a_session_shop_legacy={encoded}"},
        {"Cookie": f"a_session_shop=junk; a_session_shop_legacy={encoded}"},
        {"X_Appwrite_Session": value},
        {"X_Appwrite_Session": encoded},
        {"X_Fallback_Cookies": fallback},
        {"Cookie": "a_session_shop=", "X_Fallback_Cookies": fallback},
        {"Cookie": f"a_session_shop={value}", "X_Fallback_Cookies": "[]"},
    ):
        assert await status_with(api, **headers) == 200, headers


@pytest.mark.parametrize(
    "fallback", ["", "[]", "{}", "null", "1", '"x"', "{", '{"a_session_other": "x"}', '{"a_session_shop": 5}',
                 '{"a_session_shop": null}', "[" * 3000, "x" * 8000],
)  # fmt: skip
async def test_a_fallback_without_a_session_is_a_guest(api: Api, fallback: str):
    """Absent, empty, [], another project's, or junk: a guest, and never an error."""
    assert await status_with(api, X_Fallback_Cookies=fallback) == 401


async def test_a_wrong_session_does_not_fall_through(api: Api):
    """A cookie that can be read but is nobody's ends the search: no other way in is tried."""
    value = await value_of(api)
    wrong = base64.b64encode(b'{"id":"x","secret":"y"}').decode()
    fallback = json.dumps({"a_session_shop": value})
    assert await status_with(api, Cookie=f"a_session_shop={wrong}; a_session_shop_legacy={value}") == 401
    assert await status_with(api, Cookie=f"a_session_shop={wrong}", X_Appwrite_Session=value) == 401
    assert await status_with(api, Cookie=f"a_session_shop={wrong}", X_Fallback_Cookies=fallback) == 401


def packed(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    "value",
    ["", "junk", "%", "%zz", "====", "a" * 5000, packed(b"null"), packed(b"[]"), packed(b"{}"), packed(b"\xff"),
     packed(b'{"id":"x"}'), packed(b'{"secret":"x"}'), packed(b'{"id":1,"secret":2}'),
     packed(b'{"id":["x"],"secret":"y"}'),
     packed(b'{"id":"\\u0000","secret":"y"}'), packed(b'{"id":"x","secret":"\\u0000"}'),
     packed(b'{"id":"\\ud800","secret":"y"}'), packed(b'{"id":"x","secret":{}}'), packed(b'{"id":"","secret":""}'),
     packed(b"[" * 2000), packed(b'{"id":"' + b"x" * 2500 + b'","secret":"y"}')],
)  # fmt: skip
async def test_what_cannot_be_read_is_a_guest(api: Api, value: str):
    """Bad base64, bad JSON, wrong types, NUL, surrogates, depth, length: 401 as for any guest, in both eras."""
    for headers in ({"Cookie": f"a_session_shop={value}"}, {"X-Appwrite-Session": value}):
        for modern in (False, True):
            answer = await api.call("GET", "/v1/account", headers=headers, modern=modern)
            assert (answer.status, answer.data["type"]) == (401, "general_unauthorized_scope")


async def test_four_hundred_cookies(api: Api):
    """However many cookies a browser keeps, the session is found among them."""
    value = await value_of(api)
    many = "; ".join(f"c{number}=v" for number in range(400))
    assert await status_with(api, Cookie=f"{many}; a_session_shop={value}") == 200


async def test_capitals_in_a_project_id(api: Api, pool: Pool):
    """The cookie's name is sent in lower case; it is read in both spellings."""
    await projects.create(pool, "BigShop", name="Big")
    big = {"X-Appwrite-Project": "BigShop"}
    await api.call("POST", "/v1/account", json=LOGIN, headers=big)
    answer = await api.call("POST", "/v1/account/sessions", json=LOGIN, headers=big)
    name, _, value = answer.headers.getall("Set-Cookie")[-1].partition(";")[0].partition("=")
    assert name == "a_session_bigshop"
    for spelling in ("a_session_bigshop", "a_session_BigShop", "a_session_BigShop_legacy"):
        found = await api.call("GET", "/v1/account", headers=big | {"Cookie": f"{spelling}={value}"})
        assert found.status == 200, spelling
    fallback = {"X-Fallback-Cookies": answer.headers["X-Fallback-Cookies"]}
    assert (await api.call("GET", "/v1/account", headers=big | fallback)).status == 200


async def test_the_project_may_stand_in_the_query(api: Api, pool: Pool):
    """?project= stands for the header, for its cookie's name too; the two may not differ."""
    value = await value_of(api)
    await projects.create(pool, "other", name="Other")
    headers = {"X-Appwrite-Project": "other", "Cookie": f"a_session_shop={value}"}
    assert (await api.call("GET", "/v1/account", headers=headers)).status == 401
    assert (await api.call("GET", str(URL("/v1/account?project=shop")), headers=headers)).status == 400
    for named in (None, "", "shop"):
        headers["X-Appwrite-Project"] = named
        assert (await api.call("GET", str(URL("/v1/account?project=shop")), headers=headers)).status == 200
