"""Places in windows: which calls keep theirs and which get it back.

Windows bound guessing and flooding; they must not punish whoever does everything right.
"""

import asyncio
from collections.abc import Iterable

import pytest
from aiohttp import DummyCookieJar
from redis.asyncio import Redis

from devstack.servers import free_port
from service.app import make
from service.db import Pool
from service.http.middleware import SERVICES
from service.rate_limiter import HOUR, RateLimiter, Rule, Window, redis_windows
from service.settings import Settings
from service.store import projects, rate_limit_windows
from service.store.tokens import CODES, Kind
from testkit.api import Api
from testkit.proofs import ANN, WAYS, Post, use
from testkit.visitor import limit_project
from tests.security.test_known_device import mark_of

pytestmark = pytest.mark.usefixtures("patient", "cheap")

RIGHT, WRONG = {"email": ANN, "password": "correct horse"}, {"email": ANN, "password": "wrong horse"}
ASK = {"email": ANN, "url": "http://localhost/reset"}
LOGIN = "/v1/account/sessions"
OWNER, STRANGER = "203.0.113.1", "192.0.2.1"


async def call(api: Api, method: str, path: str, body: dict, *, ip: str = OWNER, **headers: str):
    return await api.call(method, path, json=body, headers={"X-Forwarded-For": ip} | headers)


async def logins(api: Api, body: dict, times: int, *, ip: str = OWNER, **headers: str) -> list[int]:
    return [(await call(api, "POST", LOGIN, body, ip=ip, **headers)).status for _ in range(times)]


def counted(rows: Iterable) -> dict[str, int]:
    """Calls that each rule's windows hold."""
    found: dict[str, int] = {}
    for name, calls in rows:
        rule = name.split(":")[2]
        found[rule] = found.get(rule, 0) + calls
    return {rule: calls for rule, calls in found.items() if calls}


async def in_postgres(pool: Pool) -> dict[str, int]:
    return counted(await pool.fetch("select name, (select coalesce(sum(m), 0)::int from unnest(many) m) from windows"))


async def in_redis(redis: Redis) -> dict[str, int]:
    return counted([(key.decode(), await redis.zcard(key)) for key in await redis.keys("rl:*")])


async def test_s77_a_client_without_cookies_signs_in_as_often_as_it_likes(behind: Api, pool: Pool, redis: Redis):
    """Right sign-ins stay counted for the project, and in the window of all calls of a network alone."""
    await behind.sign_up()
    assert await logins(behind, RIGHT, 25) == [201] * 25
    left = {"create_session.network": 25, "create_session.project": 25, "create_account.ip": 1}
    assert await in_postgres(pool) == await in_redis(redis) == left


async def test_s77_a_success_frees_no_wrong_guess(behind: Api):
    """Nine wrong passwords, any number of right ones, and one more wrong one: the window is full."""
    await behind.sign_up()
    assert await logins(behind, WRONG, 9) == [401] * 9
    assert await logins(behind, RIGHT, 12) == [201] * 12
    assert await logins(behind, WRONG, 3) == [401, 429, 429]
    assert await logins(behind, RIGHT, 1) == [429]


async def test_s77_under_concurrency_each_gets_its_own_place_back(behind: Api, pool: Pool, redis: Redis):
    """Right and wrong ones at once: exactly the wrong ones are left, in Redis and in Postgres."""
    await behind.sign_up()
    await limit_project(behind, "create_session.email", 40, HOUR)
    bodies = [RIGHT if number % 3 else WRONG for number in range(30)]
    answers = await asyncio.gather(*(call(behind, "POST", LOGIN, body) for body in bodies))
    assert sorted(answer.status for answer in answers) == [201] * 20 + [401] * 10
    wanted = {"create_session.email": 10, "create_session.ip": 10}
    for found in (await in_postgres(pool), await in_redis(redis)):
        assert found.items() >= wanted.items()


async def test_s77_a_known_device_gets_its_place_back_too(behind: Api, pool: Pool):
    """A client with cookies has no fewer sign-ins than one without."""
    await behind.sign_up()
    mark = mark_of(await call(behind, "POST", LOGIN, RIGHT))
    assert await logins(behind, RIGHT, 15, Cookie=mark) == [201] * 15
    assert await logins(behind, WRONG, 11, Cookie=mark) == [401] * 10 + [429]


async def test_s77_right_sign_ins_are_bounded_all_the_same(behind: Api, pool: Pool):
    """Nothing is unlimited: a network's calls are counted together, whoever makes them and however they end."""
    await projects.set_limit(pool, "shop", rule="create_session.network", numbers=[5, HOUR])
    await behind.sign_up()
    mark = mark_of(await call(behind, "POST", LOGIN, RIGHT))
    assert await logins(behind, RIGHT, 2) + await logins(behind, RIGHT, 3, Cookie=mark) == [201] * 4 + [429]


@pytest.mark.parametrize("way", WAYS)
async def test_s77_a_right_link_or_code_gives_its_place_back(
    api: Api, pool: Pool, redis: Redis, settings: Settings, way
):
    """Behind one address fifty people may confirm more than fifty links in an hour; wrong secrets stay counted.

    A wrong code stays counted in two windows more, of all the project's code routes (service/accounts/wrong_codes.py).
    """
    ann = (await api.sign_up())["$id"]
    proof = await Post(pool, settings).issue(way.kind, ann)
    before = await in_postgres(pool)
    assert (await use(api, way, proof)).status == way.status
    assert await in_postgres(pool) == before
    assert (await use(api, way, proof)).status == 401
    counted_by = 4 if way.kind in (*CODES, Kind.CUSTOM) else 2
    assert sum((await in_postgres(pool)).values()) == sum(before.values()) + counted_by
    assert await in_redis(redis) == await in_postgres(pool)


async def test_s77_without_redis_places_are_given_back_too(api: Api, pool: Pool, redis: Redis):
    """While Redis is away Postgres alone hears of it; Redis hears of what it had counted when it is back."""
    await api.sign_up()
    held = api.client.app[SERVICES].limits.redis
    well, held._redis = held._redis, Redis(port=free_port())
    assert await logins(api, RIGHT, 15) == [201] * 15
    assert await logins(api, WRONG, 11) == [401] * 10 + [429]
    held._redis, held._rest_until = well, 0.0
    assert await logins(api, RIGHT, 1) == [429]


async def test_s77_what_redis_could_not_be_told_it_is_told_later(pool: Pool, redis: Redis):
    """A place that was taken before Redis went is free there as soon as anything is given back again."""
    limits, window = RateLimiter(redis, b"key", rate_limit_windows.Store(pool)), Window(Rule("r", 10, HOUR), "x")
    first, second = await limits.count("shop", [window]), await limits.count("shop", [window])
    well, limits.redis._redis = limits.redis._redis, Redis(port=free_port())
    await limits.refund(first.places)
    limits.redis._redis, limits.redis._rest_until = well, 0.0
    assert await in_redis(redis) == {"r": 2}
    await limits.refund(second.places)
    assert await redis.keys("rl:*") == []


async def test_s77_a_place_is_given_back_once(pool: Pool, redis: Redis):
    """Giving back twice, or after a reset, takes nobody else's place."""
    limits, window = RateLimiter(redis, b"key", rate_limit_windows.Store(pool)), Window(Rule("r", 10, HOUR), "x")
    first = await limits.count("shop", [window])
    await limits.count("shop", [window])
    for _twice in range(2):
        await limits.refund(first.places)
    (name,) = [place.name for place in first.places]
    assert await redis.zcard(name) == 1
    assert (await rate_limit_windows.find(pool, [name], [HOUR]))[0].before == 1


async def test_s77_a_call_that_is_sent_twice_is_counted_once(pool: Pool, redis: Redis):
    """A connection that breaks behind the script has it sent again: the second answer is the first."""
    limits, rules = RateLimiter(redis, b"key", rate_limit_windows.Store(pool)), [Rule("r", 1, HOUR)]
    answers = [await limits.redis.count("one", ["rl:x"], rules) for _twice in range(2)]
    assert [answer[0].before for answer in answers if answer] == [0, 0]
    assert await redis.zcard("rl:x") == 1


@pytest.mark.parametrize("path", ["/v1/account/jwt", "/v1/account/recovery"])
async def test_s78_late_answers_open_no_second_window(aiohttp_client, api: Api, settings, redis: Redis, path: str):
    """Half of the calls are answered, then Redis stops for a while: ten pass of sixty, over two processes."""
    await api.sign_up()
    member = await api.sign_in()
    both = [api, Api(await aiohttp_client(make(settings), cookie_jar=DummyCookieJar()))]
    body = ASK | {"email": "bob@example.com"} if path.endswith("recovery") else {}
    found = [(await api.call("POST", path, json=body, headers=member)).status for _ in range(4)]
    for _round in range(3):
        await redis.client_pause(200)
        asked = (both[n % 2].call("POST", path, json=body, headers=member) for n in range(20))
        with pytest.MonkeyPatch.context() as hasty:
            hasty.setattr(redis_windows, "_PATIENCE", 0.02)
            found += [answer.status for answer in await asyncio.gather(*asked)]
    assert (found.count(201), found.count(429)) == (10, 54)


async def test_s24_ten_refused_verifications_cost_the_owner_nothing(behind: Api, pool: Pool):
    """A verified account asks for its proof: ten 409s, and a recovery goes out all the same."""
    await behind.sign_up()
    await pool.execute("update users set email_verified = true")
    member = await behind.sign_in()
    url = {"url": "http://localhost/verify"}
    for _ in range(10):
        answer = await behind.call("POST", "/v1/account/verification", json=url, headers=member, modern=True)
        assert answer.status == 409
    assert "mail.hour" not in await in_postgres(pool)
    assert (await call(behind, "POST", "/v1/account/recovery", ASK)).status == 201


@pytest.mark.parametrize("email", ["bob@example.com", ANN], ids=["another's", "one's own"])
async def test_s24_an_address_that_can_not_be_had_costs_its_owner_nothing(behind: Api, pool: Pool, email: str):
    """A change of address that is refused has sent no mail: neither mailbox's budget is touched."""
    await behind.sign_up("bob@example.com")
    await behind.sign_up()
    member = await behind.sign_in()
    for _ in range(5):
        answer = await call(behind, "PATCH", "/v1/account/email", RIGHT | {"email": email}, **member)
        assert answer.status == 400
    found = await in_postgres(pool)
    assert not [rule for rule in found if rule.startswith("mail.")]
    assert found["update_email.ip"] == 5


async def test_s24_a_network_that_has_mailed_enough_uses_up_nobodys_window(behind: Api, pool: Pool, redis: Redis):
    """Calls that the network's budget refuses leave the address's window as it was, in both stores."""
    await projects.set_limit(pool, "shop", rule="mail.ip", numbers=[2, HOUR])
    asked = [
        (await call(behind, "POST", "/v1/account/recovery", ASK | {"email": f"u{n}@a.test"}, ip=STRANGER)).status
        for n in range(3)
    ]
    assert asked == [201, 201, 429]
    for _ in range(10):
        assert (await call(behind, "POST", "/v1/account/recovery", ASK, ip=STRANGER)).status == 429
    assert (await in_postgres(pool))["create_recovery.email"] == 2
    assert (await in_redis(redis))["create_recovery.email"] == 2
    assert (await call(behind, "POST", "/v1/account/recovery", ASK)).status == 201


async def test_s24_a_known_device_can_not_be_multiplied(behind: Api, pool: Pool):
    """All known devices of a mailbox together have a number of mails too: who has the password can make many."""
    await projects.set_limit(pool, "shop", rule="mail.devices", numbers=[3, HOUR])
    await behind.sign_up()
    await pool.execute("update users set email_verified = true")
    tokens = [mark_of(await call(behind, "POST", LOGIN, RIGHT)) for _ in range(5)]
    found = [(await call(behind, "POST", "/v1/account/recovery", ASK, Cookie=mark)).status for mark in tokens]
    assert found == [201] * 3 + [429] * 2
