"""Sessions as they travel: never fixed beforehand, dead at once, junk at most a guest (docs/security.md S56 to S66)."""

import base64
import json
import random
from typing import Any
from urllib.parse import quote

import pytest

from service.app import make
from service.db import Pool
from service.settings import Settings
from testkit import edge
from testkit.api import Api, cookie_of
from testkit.api_keys import key

pytestmark = pytest.mark.unlimited

LOGIN = {"email": "ann@example.com", "password": "correct horse"}


async def test_s56_no_session_is_fixed_beforehand(api: Api, pool: Pool):
    """A sign-in makes a secret of its own, whatever session, real or made up, the request brought along."""
    await api.sign_up()
    await api.sign_up("eve@example.com")
    planted = await api.sign_in("eve@example.com")
    made_up = base64.b64encode(b'{"id":"ann","secret":"' + b"0" * 64 + b'"}').decode()
    for cookie in (planted["Cookie"], f"a_session_shop={made_up}"):
        answer = await api.call("POST", "/v1/account/sessions", json=LOGIN, headers={"Cookie": cookie})
        assert answer.status == 201
        own = cookie_of(answer)
        assert own != cookie
        assert (await api.call("GET", "/v1/account", headers={"Cookie": own})).data["email"] == LOGIN["email"]
    assert (await api.call("GET", "/v1/account", headers=planted)).data["email"] == "eve@example.com"
    assert (await api.call("GET", "/v1/account", headers={"Cookie": f"a_session_shop={made_up}"})).status == 401


async def test_s57_every_cookie_is_kept_from_scripts_and_wires(aiohttp_client, api: Api, settings: Settings):
    """Set or cleared, by whatever route: HttpOnly, Secure under https, Path=/, no Domain, an end; both are cleared."""
    own = settings.model_copy(update={"public_url": "https://accounts.example.net"})
    safe = Api(await aiohttp_client(make(own)))
    await api.sign_up()
    signed_in = await safe.call("POST", "/v1/account/sessions", json=LOGIN)
    member = {"Cookie": cookie_of(signed_in)}
    anonymous = await safe.call("POST", "/v1/account/sessions/anonymous", json={})
    signed_out = await safe.call("DELETE", "/v1/account/sessions/current", headers=member)
    for answer, cleared in ((signed_in, False), (anonymous, False), (signed_out, True)):
        cookies = [line for line in answer.headers.getall("Set-Cookie") if line.startswith("a_session_")]
        assert [line.partition("=")[0] for line in cookies] == ["a_session_shop_legacy", "a_session_shop"]
        for line in cookies:
            value, *flags = line.partition("=")[2].split("; ")
            names = {flag.partition("=")[0] for flag in flags}
            assert {"Path", "Expires", "HttpOnly", "Secure"} <= names
            assert "Domain" not in names
            assert (value == "") == cleared
        assert cookies[1].endswith("SameSite=None")


async def test_s58_a_session_dies_in_every_process_at_once(aiohttp_client, api: Api, settings: Settings, pool: Pool):
    """Sign-out, a new password, a block, an operator's end: the next request is refused, in another process too."""
    other = Api(await aiohttp_client(make(settings)))
    await api.sign_up()
    user = (await pool.fetchrow("select id from users"))[0]
    operator = await key(pool)
    ends = [
        (lambda mine, _other: api.call("DELETE", "/v1/account/sessions/current", headers=mine), 401),
        (lambda _mine, other: api.call("DELETE", "/v1/account/sessions", headers=other), 401),
        (lambda _mine, other: api.call(
            "PATCH", "/v1/account/password", headers=other,
            json={"password": LOGIN["password"], "oldPassword": LOGIN["password"]},
        ), 401),
        (lambda _mine, _other: api.call("DELETE", f"/v1/users/{user}/sessions", headers=operator), 401),
        (lambda _mine, _other: api.call(
            "PATCH", f"/v1/users/{user}/status", headers=operator, json={"status": False}, modern=True
        ), 403),
    ]  # fmt: skip
    for end, status in ends:
        mine, second = await api.sign_in(), await api.sign_in()
        token = (await other.call("POST", "/v1/account/jwt", json={}, headers=mine)).data["jwt"]
        for ways in (mine, {"X-Appwrite-JWT": token}):
            assert (await other.call("GET", "/v1/account", headers=ways)).status == 200
        assert (await end(mine, second)).status < 300
        for ways in (mine, {"X-Appwrite-JWT": token}):
            for process in (api, other):
                assert (await process.call("GET", "/v1/account", headers=ways, modern=True)).status == status


def junk(chance: random.Random) -> str:
    """A session as nobody should send it: real ones broken in one or more ways, or nothing like one."""
    value = json.dumps(
        {"id": chance.choice(["ann", "", 1, None, ["ann"], {"$ne": ""}, "\0", "x" * 500]),
         "secret": chance.choice(["0" * 64, "", 1, None, [], {}, "\u00e9", "z" * 900])}
    )  # fmt: skip
    value = chance.choice([value, value[:-1], "[" * chance.randrange(900), "null", "{}", value * 2, "\ud800"])
    raw = base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()
    match chance.randrange(8):
        case 0:
            raw = raw[: chance.randrange(len(raw) + 1)]
        case 1:
            raw = "".join(chance.choice("abcXYZ019+/=%-_ ,\"'\\{}[]()<>@:\t") for _ in range(chance.randrange(200)))
        case 2:
            raw = quote(raw, safe="")[: chance.randrange(400)]
        case 3:
            raw = raw + "=" * chance.randrange(5)
        case 4:
            raw = "a" * chance.randrange(4000)
        case 5:
            raw = bytes(chance.randrange(0x80, 0x100) for _ in range(chance.randrange(80))).decode("latin-1")
    return raw


async def test_s63_five_thousand_sessions_of_junk(settings: Settings, api: Api):
    """However a session is broken, in a cookie, a header or the fallback: a guest and one line, never a fault."""
    chance = random.Random(63)
    statuses: dict[int, int] = {}
    async with edge.edge(settings) as port:
        with edge.lines() as log:
            for start in range(0, 5000, 50):
                raws = [request_with(junk(chance), number, chance) for number in range(start, start + 50)]
                for told in await edge.ask_all(port, raws):
                    statuses[told.status] = statuses.get(told.status, 0) + 1
    found = [json.loads(line) for line in log.getvalue().splitlines()]
    assert statuses == {401: 5000}
    assert len(found) == 5000
    assert {line["event"] for line in found} == {"request.handled"}


def request_with(value: str, number: int, chance: random.Random) -> bytes:
    name = chance.choice(["a_session_shop", "a_session_shop_legacy", "A_SESSION_SHOP", " a_session_shop "])
    many = "; ".join(f"c{index}=v" for index in range(chance.choice([0, 0, 0, 3, 400])))
    header = (
        f"Cookie: {many}; {name}={value}",
        f"X-Appwrite-Session: {value}",
        f"X-Fallback-Cookies: {value}",
        "X-Fallback-Cookies: " + json.dumps({"a_session_shop": value}),
        f"Cookie: {name}={value}; {name}={value}",
    )[number % 5].replace("\t", " ")[:7900]
    start = "GET /v1/account HTTP/1.1\r\nHost: localhost\r\nX-Appwrite-Project: shop\r\n"
    return f"{start}{header}\r\n\r\n".encode("latin-1", "replace")


BYTES = ("X-Appwrite-Key", "X-Appwrite-JWT", "X-Appwrite-Session", "X-Fallback-Cookies", "X-Appwrite-Project", "Cookie",
         "X-Appwrite-Response-Format", "X-Appwrite-Locale", "X-Forwarded-User-Agent", "X-Accounts-Doctor", "Origin",
         "Referer", "Sec-Fetch-Site", "Accept-Language", "Content-Type", "Content-Encoding", "User-Agent")  # fmt: skip


@pytest.mark.parametrize("name", BYTES)
async def test_s63_bytes_that_are_no_text(settings: Settings, api: Api, name: str):
    """No header's bytes need be text: on a guest's, a member's and a server's route a refusal, never a fault."""
    async with edge.edge(settings) as port:
        for value in (b"\xff\xfe", b"\xed\xa0\x80", b"a_session_shop=\xff", b"\xc3\xa9.\xff.\xff", b"key_\xff"):
            for era in (b"", b"X-Appwrite-Response-Format: 1.9.5\r\n"):
                for method, path in ((b"GET", b"/v1/account"), (b"GET", b"/v1/users"), (b"POST", b"/v1/account/jwt"),
                                     (b"GET", b"/whoami"), (b"PUT", b"/v1/account/recovery")):  # fmt: skip
                    raw = b"%b %b HTTP/1.1\r\nHost: localhost\r\n%b: %b\r\n%b" % (
                        method,
                        path,
                        name.encode(),
                        value,
                        era,
                    )
                    raw += b"" if name == "X-Appwrite-Project" else b"X-Appwrite-Project: shop\r\n"
                    body = b"" if method == b"GET" else b"{}"
                    told = await edge.ask(port, raw + b"Content-Length: %d\r\n\r\n" % len(body) + body)
                    assert 400 <= told.status < 500, (path, value)


STRANGE = [
    ("GET", "/v1/account/sessions/{session}", 404), ("PATCH", "/v1/account/sessions/{session}", 404),
    ("DELETE", "/v1/account/sessions/{session}", 404), ("GET", "/v1/users/{user}", 401),
    ("DELETE", "/v1/users/{user}", 401), ("GET", "/v1/users/{user}/prefs", 401),
    ("PATCH", "/v1/users/{user}/prefs", 401), ("PATCH", "/v1/users/{user}/name", 401),
    ("PATCH", "/v1/users/{user}/email", 401), ("PATCH", "/v1/users/{user}/password", 401),
    ("PATCH", "/v1/users/{user}/status", 401), ("PUT", "/v1/users/{user}/labels", 401),
    ("PATCH", "/v1/users/{user}/verification", 401), ("GET", "/v1/users/{user}/sessions", 401),
    ("DELETE", "/v1/users/{user}/sessions", 401), ("DELETE", "/v1/users/{user}/sessions/{session}", 401),
    ("GET", "/v1/users/{user}/logs", 401), ("GET", "/v1/users", 401),
]  # fmt: skip


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize("name", ["id", "upper", "encoded"])
async def test_s66_nothing_of_another_user(api: Api, pool: Pool, modern: bool, name: str):
    """Another member's session or account can't be seen, changed or ended by naming it, in any spelling of its id."""
    await api.sign_up()
    await api.sign_up("eve@example.com")
    victim, eve = await api.sign_in(), await api.sign_in("eve@example.com")
    user, session = await pool.fetchrow(
        "select s.user_id, s.id from sessions s join users u on u.id = s.user_id where u.email = 'ann@example.com'"
    )
    spellings = {"id": session, "upper": session.upper(), "encoded": f"%{ord(session[0]):x}{session[1:]}"}
    spelled = spellings[name]
    before = await everything(pool)
    for method, path, status in STRANGE:
        answer = await api.call(
            method, path.format(user=user, session=spelled), headers=eve | {"X-Appwrite-Session": "junk"},
            json=None if method == "GET" else {}, modern=modern,
        )  # fmt: skip
        assert answer.status == status, (method, path, answer.data)
        assert user not in str(answer.data)
        assert "ann@example.com" not in str(answer.data)
    assert await everything(pool) == before
    assert (await api.call("GET", "/v1/account", headers=victim)).status == 200


async def everything(pool: Pool) -> list[Any]:
    return [
        [tuple(row) for row in await pool.fetch(statement)]
        for statement in (
            "select id, name, email, prefs, status, password_hash from users order by id",
            "select id, user_id, expires_at from sessions order by id",
        )
    ]
