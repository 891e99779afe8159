"""Limits: declared beside each route, counted exactly, and never off (contract.md appendix C, column A)."""

import asyncio

import pytest
from aiohttp import DummyCookieJar
from pydantic import SecretStr
from redis.asyncio import Redis

from service import limits
from service.api.app import make, routes
from service.api.middleware import SERVICES
from service.db import Pool
from service.local.servers import free_port
from service.settings import Settings
from tests.conftest import Api

HOUR = 3600
# What the API's document promises: calls, seconds, and what they are counted by.
DOCUMENTED = {
    "POST /v1/account": (10, HOUR, "ip"),
    "POST /v1/account/sessions": (10, HOUR, "email"),
    "POST /v1/account/sessions/email": (10, HOUR, "email"),
    "POST /v1/account/jwt": (10, HOUR, "user"),
    "POST /v1/account/jwts": (10, HOUR, "user"),
    "DELETE /v1/account/sessions/{sessionId}": (100, HOUR, "ip"),
    "POST /v1/account/recovery": (10, HOUR, "email"),
    "PUT /v1/account/recovery": (10, HOUR, "userId"),
    "POST /v1/account/verification": (10, HOUR, "user"),
    "POST /v1/account/verifications/email": (10, HOUR, "user"),
    "PUT /v1/account/verification": (10, HOUR, "userId"),
    "PUT /v1/account/verifications/email": (10, HOUR, "userId"),
    "GET /v1/account": None,
    "GET /v1/account/logs": None,
}
LATER = {
    "DELETE /v1/account/sessions": (100, HOUR, "ip"),
    "POST /v1/account/sessions/anonymous": (50, HOUR, "ip"),
    "POST /v1/account/sessions/magic-url": (10, HOUR, "email"),
    "PUT /v1/account/sessions/magic-url": (10, HOUR, "userId"),
}
ASK = {"email": "ann@example.com", "url": "http://localhost/reset"}


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting is what is tested here, not how long a busy machine waits for Redis."""
    monkeypatch.setattr(limits, "_PATIENCE", 10.0)


async def statuses(api: Api, bodies: list[dict], path: str = "/v1/account/recovery") -> list[int]:
    answers = await asyncio.gather(*(api.call("POST", path, json=body) for body in bodies))
    return [answer.status for answer in answers]


def test_routes_declare_the_documented_numbers():
    """Every route of the document counts what the document says, first of all its limits."""
    declared = {
        f"{route.method} {path}": [(limit.rule.limit, limit.rule.window, limit.by) for limit in route.limits]
        for route in routes()
        for path in route.paths
    }
    assert declared.keys() >= DOCUMENTED.keys()
    for name, wanted in (LATER | DOCUMENTED).items():
        if name in declared:
            assert declared[name][:1] == ([wanted] if wanted else []), name


def test_no_two_rules_share_a_name():
    """A rule's name is its window: two routes under one name would count each other's calls."""
    names = [limit.rule.name for route in routes() for limit in route.limits]
    assert len(names) == len(set(names))


async def test_exactly_ten_of_thirty_get_through(aiohttp_client, api: Api, settings: Settings, pool: Pool):
    """Thirty at once over two API processes against a limit of ten: ten pass, twenty are refused."""
    other = Api(await aiohttp_client(make(settings), cookie_jar=DummyCookieJar()))
    found = await asyncio.gather(statuses(api, [ASK] * 15), statuses(other, [ASK] * 15))
    assert sorted(found[0] + found[1]) == [201] * 10 + [429] * 20
    assert (await pool.fetchrow("select count(*) from mails"))[0] == 10


async def test_headers_count_down(api: Api):
    """The first call of ten shows 9 left, the tenth 0, the eleventh is refused with the time to wait."""
    left, resets = [], []
    for _ in range(10):
        answer = await api.call("POST", "/v1/account/recovery", json=ASK)
        left.append(int(answer.headers["X-RateLimit-Remaining"]))
        resets.append(int(answer.headers["X-RateLimit-Reset"]))
        assert answer.headers["X-RateLimit-Limit"] == "10"
        assert answer.headers["RateLimit-Policy"] == '"default";q=10;w=3600'
    assert left == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert max(resets) - min(resets) <= 2, "a sliding window frees its first place at one moment"
    refused = await api.call("POST", "/v1/account/recovery", json=ASK)
    assert (refused.status, refused.headers["X-RateLimit-Remaining"]) == (429, "0")
    assert 0 < int(refused.headers["Retry-After"]) <= HOUR
    assert refused.headers["RateLimit"] == f'"default";r=0;t={refused.headers["Retry-After"]}'
    assert refused.data["message"] == "Too many requests"
    modern = await api.call("POST", "/v1/account/recovery", json=ASK, modern=True)
    assert (modern.status, modern.data["type"]) == (429, "general_rate_limit_exceeded")


async def test_a_route_without_a_limit_shows_none(api: Api):
    """Reads are not counted."""
    answer = await api.call("GET", "/v1/account")
    assert not [name for name in answer.headers if "ratelimit" in name.lower()]


async def test_other_spellings_share_the_window(api: Api):
    """Case, blanks around, the other path: one address is one window; another address has its own."""
    emails = ["ann@example.com", "ANN@EXAMPLE.COM", "Ann@Example.Com", " ann@example.com", "ann@example.com "] * 2
    await statuses(api, [ASK | {"email": email} for email in emails])
    assert await statuses(api, [ASK]) == [429]
    assert await statuses(api, [ASK | {"email": "bob@example.com"}]) == [201]


async def test_both_paths_share_the_window(api: Api):
    """An alias is the same route."""
    login = {"email": "ann@example.com", "password": "wrong horse"}
    await statuses(api, [login] * 5, "/v1/account/sessions")
    await statuses(api, [login] * 5, "/v1/account/sessions/email")
    assert await statuses(api, [login], "/v1/account/sessions") == [429]


async def test_malformed_calls_count(api: Api):
    """What fails its validation has been a call: nobody probes for nothing."""
    assert await statuses(api, [{"email": "ann@example.com"}] * 10) == [400] * 10
    assert await statuses(api, [ASK]) == [429]


async def test_refused_calls_do_not_count(api: Api, redis: Redis):
    """The window holds ten calls however often one knocks: patience is rewarded."""
    await statuses(api, [ASK] * 25)
    (key,) = await redis.keys("rl:*:create_recovery.email:*")
    assert await redis.zcard(key) == 10


async def test_the_oldest_place_falls_free(api: Api, redis: Redis, pool: Pool):
    """The window slides: as the oldest call leaves it, exactly one more gets through."""
    await statuses(api, [ASK] * 10)
    for key in await redis.keys("rl:*"):
        oldest = (await redis.zrange(key, 0, 0))[0]
        await redis.zincrby(key, -24 * HOUR * 1_000_000, oldest)
    await pool.execute("update windows set calls = array[calls[1] - interval '1 day'] || calls[2:]")
    assert sorted(await statuses(api, [ASK] * 3)) == [201, 429, 429]


async def test_f27_what_is_no_window_is_thrown_away(api: Api, redis: Redis):
    """A key of another type under a window's name is gone with the next call; what Postgres has counted stands."""
    await statuses(api, [ASK] * 3)
    (key,) = await redis.keys("rl:*:create_recovery.email:*")
    await redis.set(key, "not a window")
    answer = await api.call("POST", "/v1/account/recovery", json=ASK)
    assert (answer.status, answer.headers["X-RateLimit-Remaining"]) == (201, "6")
    assert await redis.zcard(key) == 1


async def test_redis_holds_no_address(api: Api, redis: Redis):
    """Keys are HMACs that expire: neither e-mail nor client address can be read from them."""
    await statuses(api, [ASK])
    await api.sign_up()
    keys = await redis.keys("rl:*")
    assert {key.split(b":")[2] for key in keys} >= {b"create_recovery.email", b"create_account.ip", b"mail.hour"}
    for key in keys:
        assert b"ann" not in key
        assert b"127.0.0.1" not in key
        assert 0 < await redis.ttl(key) <= 24 * HOUR


async def test_401_comes_before_the_limit(api: Api, redis: Redis):
    """A guest on a member route is not counted."""
    for _ in range(11):
        assert (await api.call("POST", "/v1/account/jwt")).status == 401
    assert await redis.keys("rl:*") == []


async def test_projects_count_apart(api: Api, pool: Pool):
    """One project's flood is not another's."""
    await pool.execute("insert into projects (id, name) values ('other', 'Other')")
    await pool.execute("insert into platforms (project_id, hostname) values ('other', 'localhost')")
    guess = {"userId": "u1", "secret": "junk", "password": "wrong horse", "passwordAgain": "wrong horse"}
    for project, status, left in (("shop", 401, "9"), ("shop", 401, "8"), ("other", 401, "9")):
        answer = await api.call("PUT", "/v1/account/recovery", json=guess, headers={"X-Appwrite-Project": project})
        assert (answer.status, answer.headers["X-RateLimit-Remaining"]) == (status, left)


async def test_members_count_apart(api: Api):
    """By user: one member's eleventh call is refused while another's first passes."""
    await api.sign_up()
    await api.sign_up("eve@example.com")
    ann, eve = await api.sign_in(), await api.sign_in("eve@example.com")
    answers = [await api.call("POST", "/v1/account/jwt", headers=ann) for _ in range(11)]
    assert [answer.status for answer in answers] == [201] * 10 + [429]
    assert (await api.call("POST", "/v1/account/jwts", headers=eve)).status == 201


async def test_without_redis_calls_are_counted_all_the_same(aiohttp_client, api: Api, settings: Settings):
    """Redis away is never unlimited: the same windows stand elsewhere, with the same headers."""
    away = settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{free_port()}/0")})
    app = make(away)
    alone = Api(await aiohttp_client(app, cookie_jar=DummyCookieJar()))
    first = await alone.call("POST", "/v1/account/recovery", json=ASK)
    assert (first.status, first.headers["X-RateLimit-Remaining"]) == (201, "9")
    found = await statuses(alone, [ASK] * 29)
    assert sorted(found) == [201] * 9 + [429] * 20
    assert app[SERVICES].limits.fallbacks == 30 + 10, "ten of the thirty got as far as the budget of the mailbox"
    assert app[SERVICES].bell.missed == 10


async def test_f21_an_outage_opens_no_full_window(api: Api, redis: Redis, monkeypatch: pytest.MonkeyPatch):
    """Who had ten calls before Redis went has none while it is away: this process has seen the window full."""
    await statuses(api, [ASK] * 11)
    limited = api.client.server.app[SERVICES].limits
    monkeypatch.setattr(limited, "_redis", Redis(port=free_port()))
    assert await statuses(api, [ASK] * 2) == [429] * 2
    assert await statuses(api, [ASK | {"email": "bob@example.com"}] * 10) == [201] * 10


async def test_f21_what_was_counted_here_counts_on(api: Api, redis: Redis, monkeypatch: pytest.MonkeyPatch):
    """Calls of an outage are not forgotten when Redis is back, which never heard of them."""
    limited = api.client.server.app[SERVICES].limits
    with monkeypatch.context() as away:
        away.setattr(limited, "_redis", Redis(port=free_port()))
        assert await statuses(api, [ASK] * 7) == [201] * 7
    limited._rest_until = 0.0
    answer = await api.call("POST", "/v1/account/recovery", json=ASK)
    assert (answer.status, answer.headers["X-RateLimit-Remaining"]) == (201, "2")
    assert sorted(await statuses(api, [ASK] * 4)) == [201] * 2 + [429] * 2


async def test_limits_off_refuses_nobody(aiohttp_client, api: Api, settings: Settings):
    """A conformance run counts and shows it, but refuses nobody."""
    lax = Api(await aiohttp_client(make(settings.model_copy(update={"limits": "off"}))))
    assert await statuses(lax, [ASK] * 12) == [201] * 12
    answer = await lax.call("POST", "/v1/account/recovery", json=ASK)
    assert answer.headers["X-RateLimit-Remaining"] == "0"
