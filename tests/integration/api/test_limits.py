"""Limits: declared beside each route, counted exactly, and never off (docs/limits.md)."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiohttp import DummyCookieJar
from pydantic import SecretStr
from redis.asyncio import Redis

from devstack.servers import free_port
from service.accounts import first_tab, mail_quotas, sms_quotas, wrong_codes
from service.app import make, routes
from service.db import Pool
from service.http.middleware import SERVICES
from service.rate_limiter import redis_windows
from service.settings import Settings
from service.store import projects
from testkit.api import Api

HOUR, DAY = 3600, 86_400
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
# Of the routes of second factors, codes, passkeys and phones, which the document does not have: all of each route's.
OURS = {
    "PATCH /v1/account/mfa": {(10, HOUR, "user")},
    "GET /v1/account/mfa/factors": set(),
    "POST /v1/account/mfa/authenticators/{type}": {(10, HOUR, "user")},
    "PUT /v1/account/mfa/authenticators/{type}": {(10, HOUR, "user")},
    "DELETE /v1/account/mfa/authenticators/{type}": {(10, HOUR, "user")},
    "POST /v1/account/mfa/recovery-codes": {(10, HOUR, "user")},
    "PATCH /v1/account/mfa/recovery-codes": {(10, HOUR, "user")},
    "POST /v1/account/mfa/challenges": {(10, HOUR, "user")},
    "POST /v1/account/mfa/challenge": {(10, HOUR, "user")},
    "PUT /v1/account/mfa/challenges": {(10, HOUR, "challengeId")},
    "PUT /v1/account/mfa/challenge": {(10, HOUR, "challengeId")},
    "POST /v1/account/verifications/email/otp": {(10, HOUR, "user")},
    "PUT /v1/account/verifications/email/otp": {(10, HOUR, "userId"), (100, HOUR, "ip")},
    "POST /v1/account/recovery/otp": {(10, HOUR, "email"), (100, HOUR, "ip")},
    "PUT /v1/account/recovery/otp": {(10, HOUR, "userId"), (100, HOUR, "ip")},
    "POST /v1/account/passkeys": {(10, HOUR, "user")},
    "PUT /v1/account/passkeys/{passkeyId}/verification": {(10, HOUR, "user")},
    "POST /v1/account/tokens/passkey": {(50, HOUR, "ip")},
    "PUT /v1/account/tokens/passkey": {(50, HOUR, "ip")},
    "POST /v1/account/tokens/phone": {(10, HOUR, "phone"), (10, HOUR, "ip")},
    "PUT /v1/account/sessions/phone": {(10, HOUR, "userId"), (50, HOUR, "ip")},
    "PATCH /v1/account/phone": {(10, HOUR, "user")},
    "POST /v1/account/verifications/phone": {(10, HOUR, "user"), (10, HOUR, "ip")},
    "PUT /v1/account/verifications/phone": {(10, HOUR, "userId"), (100, HOUR, "ip")},
}
# Over all routes that take codes or send SMS.
TOGETHER = {
    "codes.project": (200, HOUR), "codes.network": (20, HOUR),
    "mfa.hour": (10, HOUR), "mfa.day": (30, DAY), "mfa.recovery": (5, HOUR),
    "sms.hour": (5, HOUR), "sms.number": (10, DAY), "sms.owner.hour": (5, HOUR),
    "sms.owner": (10, DAY), "sms.ip": (10, HOUR), "sms.day": (500, DAY),
    "mail.recovery_code": (5, DAY),
}  # fmt: skip
ASK = {"email": "ann@example.com", "url": "http://localhost/reset"}


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting is what is tested here, not how long a busy machine waits for Redis."""
    monkeypatch.setattr(redis_windows, "_PATIENCE", 10.0)


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


def test_routes_of_factors_and_phones_declare_their_numbers():
    """Each of them, and no other; so do the rules that count over routes."""
    declared = {
        f"{route.method} {path}": {(limit.rule.limit, limit.rule.window, limit.by) for limit in route.limits}
        for route in routes()
        for path in route.paths
    }
    assert {name: declared[name] for name in OURS} == OURS
    rules = {
        rule.name: (rule.limit, rule.window)
        for rule in (*wrong_codes.RULES, *sms_quotas.RULES, *mail_quotas.RULES, *first_tab.RULES)
    }
    assert {name: rules[name] for name in TOGETHER} == TOGETHER


# They refuse everybody, and look at nothing first.
NOT_SERVED = {"delete_consent", "delete_consent_token"}


# Wrong answers are counted for the member (service/accounts/wrong_codes.py), recovery codes apart: one window for all
# would let a thief keep the owner from them.
COUNTED_WITHIN = {"update_mfa_challenge"}


def test_no_route_is_without_a_limit():
    """Every route that writes has a limit: by network where anybody may call, by member where a member may."""
    bound = {"public": {"ip", "network"}, "member": {"user"}}
    free = {
        route.name
        for route in routes()
        if route.method != "GET" and route.access in bound
        if not bound[route.access] & {limit.by for limit in route.limits}
    }
    assert free - NOT_SERVED == COUNTED_WITHIN


def test_what_a_body_names_is_counted_for_checked_bodies():
    """A window that a body names needs the body's model: without one there is nothing to check it by."""
    named = [r for r in routes() if {"email", "userId", "project"} & {limit.by for limit in r.limits}]
    assert all(route.contract.request for route in named)


# Anonymous sessions and both starts of a sign-in by a provider: each is a way to any number of accounts.
# A device is registered, renewed and removed in turn, each as often as the other two.
ONE_WINDOW = {"create_anonymous_session.ip": 3, "create_push_target.user": 3}


def test_no_two_rules_share_a_name():
    """A rule's name is its window: a page and the route whose work it does count each other's calls, few others do."""
    counted: dict[str, list[tuple[object, bool]]] = {}
    for route in routes():
        for limit in route.limits:
            counted.setdefault(limit.rule.name, []).append((limit, route.page))
    for name, uses in counted.items():
        assert len({limit for limit, _ in uses}) == 1, name
        assert [page for _, page in uses].count(False) <= ONE_WINDOW.get(name, 1), name
        assert [page for _, page in uses].count(True) <= 1, name


async def test_exactly_ten_of_thirty_get_through(aiohttp_client, api: Api, settings: Settings, pool: Pool):
    """Thirty at once over two API processes against a limit of ten: ten pass, twenty are refused."""
    other = Api(await aiohttp_client(make(settings), cookie_jar=DummyCookieJar()))
    found = await asyncio.gather(statuses(api, [ASK] * 15), statuses(other, [ASK] * 15))
    assert sorted(found[0] + found[1]) == [201] * 10 + [429] * 20
    assert (await pool.fetchrow("select count(*) from mails"))[0] == 10


async def test_headers_count_down(api: Api):
    """Of the caller's own window: the first call of ten shows 9 left, the tenth 0, the eleventh the time to wait."""
    await api.sign_up()
    member, path = await api.sign_in(), "/v1/account/jwt"
    left, resets = [], []
    for _ in range(10):
        answer = await api.call("POST", path, headers=member)
        left.append(int(answer.headers["X-RateLimit-Remaining"]))
        resets.append(int(answer.headers["X-RateLimit-Reset"]))
        assert answer.headers["X-RateLimit-Limit"] == "10"
        assert answer.headers["RateLimit-Policy"] == '"default";q=10;w=3600'
    assert left == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert max(resets) - min(resets) <= 2, "a sliding window frees its first place at one moment"
    refused = await api.call("POST", path, headers=member)
    assert (refused.status, refused.headers["X-RateLimit-Remaining"]) == (429, "0")
    assert 0 < int(refused.headers["Retry-After"]) <= HOUR
    assert refused.headers["RateLimit"] == f'"default";r=0;t={refused.headers["Retry-After"]}'
    assert refused.data["message"] == "Too many requests"
    modern = await api.call("POST", path, headers=member, modern=True)
    assert (modern.status, modern.data["type"]) == (429, "general_rate_limit_exceeded")


async def test_a_route_without_a_limit_shows_none(api: Api):
    """Reads are not counted."""
    answer = await api.call("GET", "/v1/account")
    assert not [name for name in answer.headers if "ratelimit" in name.lower()]


async def test_other_spellings_share_the_window(api: Api):
    """Case, dots, tags: one mailbox is one window; another has its own."""
    emails = ["ann@example.com", "ANN@EXAMPLE.COM", "Ann@Example.Com", "a.n.n@example.com", "ann+1@example.com"] * 2
    await statuses(api, [ASK | {"email": email} for email in emails])
    assert await statuses(api, [ASK]) == [429]
    assert await statuses(api, [ASK | {"email": "bob@example.com"}]) == [201]


async def test_both_paths_share_the_window(api: Api):
    """All paths of a route share one window."""
    login = {"email": "ann@example.com", "password": "wrong horse"}
    await statuses(api, [login] * 5, "/v1/account/sessions")
    await statuses(api, [login] * 5, "/v1/account/sessions/email")
    assert await statuses(api, [login], "/v1/account/sessions") == [429]


async def test_malformed_calls_count(api: Api, pool: Pool, redis: Redis):
    """A call that fails its validation counts for its network, and opens no window for what its body names."""
    await projects.set_limit(pool, "shop", rule="create_recovery.ip", numbers=[10, HOUR])
    bodies = [{"email": f"u{number}@example.com"} for number in range(10)]
    assert await statuses(api, bodies) == [400] * 10
    assert [key.split(b":")[2] for key in await redis.keys("rl:*")] == [b"create_recovery.ip"]
    assert [row[0].split(":")[2] for row in await pool.fetch("select name from windows")] == ["create_recovery.ip"]
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
    assert [(await statuses(api, [ASK]))[0] for _ in range(8)] == [201] * 7 + [429]
    assert await redis.zcard(key) == 7


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
    for project, status, left in (("shop", 401, "99"), ("shop", 401, "98"), ("other", 401, "99")):
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
    """Redis away is never unlimited: the same windows stand in Postgres, with the same headers."""
    away = settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{free_port()}/0")})
    app = make(away)
    alone = Api(await aiohttp_client(app, cookie_jar=DummyCookieJar()))
    first = await alone.call("POST", "/v1/account/recovery", json=ASK)
    assert (first.status, first.headers["X-RateLimit-Remaining"]) == (201, "99")
    # A few at a time: each call writes windows in Postgres, and on a busy machine 29 at once meet the deadline.
    found = [status for size in (4,) * 7 + (1,) for status in await statuses(alone, [ASK] * size)]
    assert sorted(found) == [201] * 9 + [429] * 20
    assert app[SERVICES].limits.redis.fallbacks >= 30, "one call each, for the limits and the budget of the mailbox"
    await app[SERVICES].job_queue.drain()
    assert app[SERVICES].job_queue.failed_enqueues == 10


@contextmanager
def without_redis(api: Api) -> Iterator[None]:
    """An outage, as the process sees it."""
    windows = api.client.server.app[SERVICES].limits.redis
    well, windows._redis = windows._redis, Redis(port=free_port())
    try:
        yield
    finally:
        windows._redis, windows._rest_until = well, 0.0


async def test_f21_an_outage_opens_no_full_window(api: Api, redis: Redis):
    """A client that had ten calls before Redis went has none while it is away: Postgres has counted them too."""
    await statuses(api, [ASK] * 11)
    with without_redis(api):
        assert await statuses(api, [ASK] * 2) == [429] * 2
        assert await statuses(api, [ASK | {"email": "bob@example.com"}] * 10) == [201] * 10


async def test_f21_what_was_counted_without_redis_counts_on(api: Api, redis: Redis):
    """Calls of an outage are not forgotten when Redis is back, which never heard of them."""
    with without_redis(api):
        assert await statuses(api, [ASK] * 7) == [201] * 7
    assert sorted(await statuses(api, [ASK] * 6)) == [201] * 3 + [429] * 3


async def test_what_postgres_refuses_counts_in_redis_no_more(api: Api, redis: Redis):
    """Refused calls stay counted nowhere: Redis hears that what it let pass was refused after all."""
    with without_redis(api):
        await statuses(api, [ASK] * 9)
    assert sorted(await statuses(api, [ASK] * 20)) == [201] + [429] * 19
    (key,) = await redis.keys("rl:*:create_recovery.email:*")
    assert await redis.zcard(key) == 1


async def test_limits_off_refuses_nobody(aiohttp_client, api: Api, settings: Settings):
    """A conformance run counts and shows it, but refuses nobody."""
    lax = Api(await aiohttp_client(make(settings.model_copy(update={"limits": "off"}))))
    assert await statuses(lax, [{}] * 12, "/v1/account") == [400] * 12
    answer = await lax.call("POST", "/v1/account", json={})
    assert answer.headers["X-RateLimit-Remaining"] == "0"
