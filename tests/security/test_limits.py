"""The limiter under attack (docs/security.md S54, S71 to S79): its number is the number, whatever one tries."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import pytest
from aiohttp import DummyCookieJar
from pydantic import SecretStr
from redis.asyncio import Redis

from bench.resilience import limit_burst, login_flood
from devstack.servers import free_port
from service.app import make
from service.db import Pool
from service.http.rate_limit_keys import mailbox_key, windows_of_address
from service.rate_limiter import HOUR, RateLimiter, Rule, Window, full_windows, redis_windows
from service.settings import Settings
from service.store import projects, rate_limit_windows
from service.store.tokens import Kind
from testkit.api import Api
from testkit.proofs import Post

pytestmark = pytest.mark.usefixtures("patient")

ASK = {"email": "j.doe@gmail.com", "url": "http://localhost/reset"}
GUESS = {"email": "j.doe@gmail.com", "password": "wrong horse"}
PROOF = {"userId": "u1", "secret": "0f" * 128, "password": "other horse", "passwordAgain": "other horse"}
TEN = Rule("ten", 10, HOUR)


@pytest.fixture
def away(settings: Settings) -> Settings:
    """Nobody listens where Redis should be."""
    return settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{free_port()}/0"), "trusted_hops": 1})


@pytest.fixture
async def waiting(database: str, pool: Pool) -> AsyncIterator[Pool]:
    """For many at once: a busy machine may take its time."""
    patient = Pool(database, size=4, name="test", patience=60)
    yield patient
    await patient.close()


def counter(redis: Redis, pool: Pool) -> RateLimiter:
    return RateLimiter(redis, b"key", rate_limit_windows.Store(pool))


async def test_s72_no_window_ever_holds_more(redis: Redis, pool: Pool):
    """Over three windows and all their edges, no span of a window's length holds more than the limit."""
    rule, passed = Rule("edge", 5, 1), []
    limits, until = counter(redis, pool), time.monotonic() + 3.2
    while (asked := time.monotonic()) < until:
        if (await limits.count("shop", [Window(rule, "x")])).allowed:
            passed.append((asked, time.monotonic()))
        await asyncio.sleep(0.005)
    assert len(passed) > rule.limit, "places fall free again"
    # The call was counted somewhere between the two moments, so this is the longest that it can have been.
    assert all(later[1] - earlier[0] >= rule.window for earlier, later in zip(passed, passed[5:], strict=False))


@pytest.mark.parametrize("back", [0, 60_000_000])
async def test_s72_a_clock_set_back_frees_nothing(redis: Redis, pool: Pool, back: int):
    """Calls that stand in the future still count, and none overwrites another."""
    limits = counter(redis, pool)
    await limits.count("shop", [Window(TEN, "x")])
    (key,) = await redis.keys("rl:*")
    mark, score = (await redis.zrange(key, 0, 0, withscores=True))[0]
    await redis.zadd(key, {mark: score + back})
    found = [(await limits.count("shop", [Window(TEN, "x")])).allowed for _ in range(12)]
    assert found == [True] * 9 + [False] * 3
    assert await redis.zcard(key) == 10


async def test_s73_every_form_of_a_call_is_one_window(api: Api):
    """Spelling of the address, path, query, Host, body's form, era: ten forms fill the window of ten."""
    spellings = [
        "J.DOE@GMAIL.COM", "jdoe@gmail.com", "j.d.o.e+shop@gmail.com", "jdoe@googlemail.com", "j.doe@Googlemail.com",
        "jdoe+1@gmail.com", "JDOE+2@gmail.com",
    ]  # fmt: skip
    for email in spellings:
        assert (await api.call("POST", "/v1/account/recovery", json=ASK | {"email": email})).status == 201
    await api.call("POST", "/v1//account/recovery?x=1", json=ASK)
    await api.call("POST", "/v1/%61ccount/recovery", json=ASK, headers={"Host": "other.example"})
    tenth = await api.call("POST", "/v1/account/recovery", data=ASK, modern=True)
    assert tenth.status == 201
    assert (await api.call("POST", "/v1/account/recovery", json=ASK)).status == 429


@pytest.mark.parametrize("path", ["/v1/account/recovery/", "/v1/./account/recovery;x"])
async def test_s73_no_other_path_leads_to_the_route(api: Api, pool: Pool, path: str):
    """A path that looks alike is no way around the window: it leads nowhere."""
    assert (await api.call("POST", path, json=ASK)).status == 404
    assert await pool.fetch("select 1 from mails where recipient <> $1", ASK["email"]) == []


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "GET"])
async def test_s73_other_methods_do_nothing(api: Api, pool: Pool, redis: Redis, method: str):
    """Only the limited method acts; the others neither act nor count."""
    await api.call(method, "/v1/account/sessions/magic-url", json=ASK)
    assert await pool.fetch("select 1 from mails") == []
    assert await redis.keys("rl:*magic*") == []


def test_s73_a_mailbox_is_one_however_it_is_written():
    """The lossy form is for counting: who can be told apart by a relay stays apart."""
    same = ["ann.lee@example.com", "ANNLEE@Example.com", "annlee+a+b@example.com", " a.n.n.l.e.e@example.com. "]
    assert {mailbox_key(email) for email in same} == {"annlee@example.com"}
    assert mailbox_key("+tag@example.com") != mailbox_key("@example.com")
    assert mailbox_key("annlee@example.org") != mailbox_key("annlee@example.com")
    assert len(mailbox_key("x" * 100_000)) <= 512


async def test_s74_a_thousand_claimed_addresses_are_one(api: Api):
    """Whatever X-Forwarded-For and its like say without a trusted proxy, the socket's peer is counted."""
    found = set()
    for number in range(1000):
        claim = f"10.0.{number % 256}.{number // 256}"
        headers = {"X-Forwarded-For": claim, "Forwarded": f"for={claim}", "X-Real-IP": claim, "Client-IP": claim}
        found.add((number < 10, (await api.call("POST", "/v1/account", json={}, headers=headers)).status))
    assert found == {(True, 400), (False, 429)}


async def test_s74_behind_a_proxy_only_its_own_word_counts(behind: Api):
    """Elements left of the trusted hop are the client's invention; junk there makes it the peer."""
    for number in range(10):
        headers = {"X-Forwarded-For": f"192.0.2.{number}, junk, 203.0.113.7"}
        assert (await behind.call("POST", "/v1/account", json={}, headers=headers)).status == 400
    for hop, status in (("1.1.1.1, 203.0.113.7", 429), ("::ffff:203.0.113.7", 429), ("203.0.113.8", 400)):
        assert (await behind.call("POST", "/v1/account", json={}, headers={"X-Forwarded-For": hop})).status == status


def test_s75_ten_thousand_addresses_of_a_64_are_one():
    """A customer's /64 is one value in all spellings; a /48 is a second, wider one."""
    first = int(IPv6Address("2001:db8:1:2::"))
    spelled = {str(IPv6Address(first + number * 7_919)) for number in range(10_000)}
    spelled |= {"2001:DB8:1:2::1", "2001:0db8:0001:0002:0000:0000:0000:0001"}
    wide = replace(TEN, name="ten.wide", limit=100)
    assert {tuple(windows_of_address(TEN, ip)) for ip in spelled} == {
        (
            Window(TEN, "2001:db8:1:2::", own=True, by_address=True),
            Window(wide, "2001:db8:1::/48", own=True, by_address=True),
        )
    }
    alone = [Window(TEN, "192.0.2.1", own=True, by_address=True)]
    assert windows_of_address(TEN, "::ffff:192.0.2.1") == windows_of_address(TEN, "192.0.2.1") == alone


async def test_s75_a_48_has_ten_times_the_calls_of_a_64(behind: Api):
    """Turning through the networks of one site ends at its own limit; the next site has its own."""
    found = []
    for number in range(101):
        headers = {"X-Forwarded-For": f"2001:db8:7:{number:x}::1"}
        found.append((await behind.call("POST", "/v1/account", json={}, headers=headers)).status)
    assert found == [400] * 100 + [429]
    other = {"X-Forwarded-For": "2001:db8:8::1"}
    assert (await behind.call("POST", "/v1/account", json={}, headers=other)).status == 400


@pytest.mark.usefixtures("cheap")
@pytest.mark.usefixtures("patient")
async def test_s76_parallel_guesses_are_counted_before_they_are_looked_at(api: Api):
    """A hundred wrong passwords at once: ten are looked at, ninety are refused."""
    await api.sign_up(GUESS["email"])
    answers = await asyncio.gather(*(api.call("POST", "/v1/account/sessions", json=GUESS) for _ in range(100)))
    assert sorted(answer.status for answer in answers) == [401] * 10 + [429] * 90


async def test_s76_who_knows_an_id_keeps_nobody_from_a_link(api: Api, pool: Pool, settings: Settings):
    """A window of guesses is one link's: junk sent under a user's id uses up the windows of links that are none."""
    user = (await api.sign_up())["$id"]
    for number in range(12):
        junk = PROOF | {"userId": user, "secret": f"{number:020x}" + "0f" * 118}
        assert (await api.call("PUT", "/v1/account/recovery", json=junk)).status == 401
    for kind, path in ((Kind.VERIFICATION, "/v1/account/verification"), (Kind.RECOVERY, "/v1/account/recovery")):
        proof = await Post(pool, settings).issue(kind, user)
        assert (await api.call("PUT", path, json=proof.body)).status == 200


async def test_s76_one_network_has_a_hundred_guesses_at_links(behind: Api):
    """However many links and users it names; codes of six digits are counted by the id that they were asked for."""
    here = {"X-Forwarded-For": "192.0.2.1"}
    for number in range(101):
        junk = PROOF | {"userId": f"u{number}", "secret": f"{number:020x}" + "0f" * 118}
        last = await behind.call("PUT", "/v1/account/recovery", json=junk, headers=here)
    assert last.status == 429
    codes = [{"userId": "u1", "secret": f"{number:06}"} for number in range(11)]
    found = [(await behind.call("POST", "/v1/account/sessions/token", json=code)).status for code in codes]
    assert found == [401] * 10 + [429]


async def test_s77_ones_own_success_clears_nothing(api: Api, redis: Redis):
    """An attacker who signs in to an own account between guesses gains no guess at another's, nor from elsewhere."""
    await api.sign_up(GUESS["email"])
    await api.sign_up("eve@example.com")
    found = []
    for _ in range(6):
        found += [(await api.call("POST", "/v1/account/sessions", json=GUESS)).status for _twice in range(2)]
        await api.sign_in("eve@example.com")
    assert found == [401] * 10 + [429] * 2
    (by_ip,) = await redis.keys("rl:*:create_session.ip:*")
    assert await redis.zcard(by_ip) == 10, "refused calls do not count, right ones no longer, all others do"


async def test_s54_one_network_gets_no_further_than_its_own_limit(behind: Api, project: projects.Project, pool: Pool):
    """One password tried on many accounts: a network's and the project's windows stand beside the accounts' own."""
    await projects.set_limit(pool, "shop", rule="create_session.ip", numbers=[3, HOUR])
    await projects.set_limit(pool, "shop", rule="create_session.project", numbers=[5, HOUR])
    found = []
    for network in range(3):
        for number in range(4):
            body = GUESS | {"email": f"user{network}{number}@example.com"}
            headers = {"X-Forwarded-For": f"192.0.2.{network}"}
            found.append((await behind.call("POST", "/v1/account/sessions", json=body, headers=headers)).status)
    assert found == [401, 401, 401, 429, 401, 401, *[429] * 6]


@pytest.mark.parametrize(("method", "body"), [("PUT", PROOF), ("POST", ASK)], ids=["guess", "mail"])
async def test_s78_without_redis_processes_count_together(
    aiohttp_client, api: Api, away: Settings, method: str, body: dict
):
    """For a secret or a mailbox, two processes that lost Redis let through ten of forty, not twenty."""
    both = [Api(await aiohttp_client(make(away), cookie_jar=DummyCookieJar())) for _ in range(2)]
    path = "/v1/account/recovery"
    answers = await asyncio.gather(*(both[number % 2].call(method, path, json=body) for number in range(40)))
    refused = [answer for answer in answers if answer.status == 429]
    assert len(refused) == 30, Counter(answer.status for answer in answers)
    assert all(0 < int(answer.headers["Retry-After"]) <= 24 * HOUR for answer in refused)


async def test_s78_postgres_says_what_redis_would(pool: Pool):
    """Its function answers as the script does: all windows count a call or none, places fall free one by one."""
    store, asked = rate_limit_windows.Store(pool), (["a", "b"], [2, 3], [HOUR, HOUR])
    found = [await store.count(*asked) for _ in range(3)]
    assert [[each.before for each in answer] for answer in found] == [[0, 0], [1, 1], [2, 2]]
    assert [{each.counted_at is None for each in answer} for answer in found] == [{False}, {False}, {True}]
    assert all(0 < each.wait <= HOUR * 1_000_000 for answer in found for each in answer)
    assert (await store.count(["b"], [3], [HOUR]))[0].before == 2, "the refused call counted nowhere"
    await pool.execute("update windows set calls = array[calls[1] - interval '2 hours'] || calls[2:]")
    assert [each.before for each in await store.count(*asked)] == [1, 2]
    assert await rate_limit_windows.reset(pool, asked[0]) == 2
    assert (await store.count(*asked))[0].before == 0


async def test_s78_the_release_before_counts_in_the_same_windows(pool: Pool):
    """While two releases run beside each other they give out one number of places."""
    store = rate_limit_windows.Store(pool)
    old = "select before from count_call(array['x'], array[3], array[3600])"
    await store.count(["x"], [3], [HOUR])
    assert (await pool.fetchrow(old))[0] == 1
    await pool.execute("update windows set many = '{}'")  # as rows of before the migration are
    assert (await store.count(["x"], [3], [HOUR]))[0].before == 2
    assert (await pool.fetchrow(old))[0] == 3


@pytest.mark.parametrize("limit", [10, 2_500])
async def test_s78_many_at_once_get_exactly_the_limit(waiting: Pool, limit: int):
    """Windows shared in any order by many calls: exactly the limit passes, and nobody waits in a ring."""
    store, names, share = rate_limit_windows.Store(waiting), ["x", "y", "z"], -(-limit // 1000)
    await waiting.execute(
        "insert into windows (name, calls, many, expires_at) select name, array_agg(now()), array_agg($2::int), "
        "'infinity' from unnest($1::text[]) name, generate_series(1, $3) group by name",
        names,
        share,
        (limit - 10) // share,
    )
    orders = (names, ["z", "x", "y"], ["y", "z", "x"])
    answers = await asyncio.gather(*(store.count(orders[n % 3], [limit] * 3, [HOUR] * 3) for n in range(60)))
    assert sum(answer[0].counted_at is not None for answer in answers) == 10


async def test_s78_a_wide_window_is_one_small_row(pool: Pool):
    """A moment stands for several calls where a window is wide; none leaves too early, and each can be given back."""
    store = rate_limit_windows.Store(pool)
    taken = [(await store.count(["x"], [1_100], [HOUR]))[0].counted_at for _ in range(23)]
    assert (await pool.fetchrow("select many from windows"))[0] == [11, 11, 1]
    await store.refund(["x", "x"], [1_100, 1_100], [taken[0], taken[12]])
    assert (await pool.fetchrow("select many from windows"))[0] == [10, 10, 1]
    assert (await rate_limit_windows.find(pool, ["x"], [HOUR]))[0].before == 21
    await store.refund(["x"], [1_100], [taken[22]])
    assert (await pool.fetchrow("select many from windows"))[0] == [10, 10]


async def test_s78_left_over_windows_go_away(pool: Pool):
    """Expired windows are removed by those who count, one call in eight: an outage leaves nothing for ever."""
    store = rate_limit_windows.Store(pool)
    for number in range(5):
        await store.count([f"old{number}"], [10], [1])
    await pool.execute("update windows set expires_at = now() - interval '1 second'")
    for _ in range(300):
        await store.count(["new"], [1000], [HOUR])
        if [row[0] for row in await pool.fetch("select name from windows")] == ["new"]:
            return
    pytest.fail("300 calls took nothing away")


async def test_s78_an_expired_window_may_be_taken_away_under_a_call(waiting: Pool):
    """While others count in it and remove it: each call gets an answer for each of its windows."""
    store = rate_limit_windows.Store(waiting)

    async def count(number: int) -> int:
        found = await store.count([f"w{number % 3}", f"w{(number + 1) % 3}"], [1000, 1000], [HOUR, HOUR])
        await waiting.execute("update windows set expires_at = now() - interval '1 second' where name = $1", "w0")
        return len(found)

    assert set(await asyncio.gather(*(count(number) for number in range(120)))) == {2}


async def test_s78_a_redis_that_forgets_gives_no_new_guesses(api: Api, redis: Redis):
    """After FLUSHALL the windows of guesses and mails are what they were (docs/reliability.md F22)."""
    for body in (GUESS, ASK):
        path = "/v1/account/recovery" if body is ASK else "/v1/account/sessions"
        before = [(await api.call("POST", path, json=body)).status for _ in range(10)]
        await redis.flushdb()
        assert 429 not in before
        assert (await api.call("POST", path, json=body)).status == 429


async def test_s78_half_of_the_processes_without_redis(aiohttp_client, api: Api, away: Settings):
    """A process that sees Redis and one that does not let ten through together, not ten each."""
    both = [api, Api(await aiohttp_client(make(away), cookie_jar=DummyCookieJar()))]
    asked = (both[number % 2].call("PUT", "/v1/account/recovery", json=PROOF) for number in range(40))
    assert [answer.status for answer in await asyncio.gather(*asked)].count(401) == 10


async def test_s79_a_hundred_thousand_keys_stay_small_and_pass(redis: Redis, pool: Pool):
    """Every key has its end and one size, however long the value is: a million of them take less than 200 MiB."""
    limits = counter(redis, pool)
    for start in range(0, 100_000, 5_000):
        async with redis.pipeline(transaction=False) as pipe:
            for number in range(start, start + 5_000):
                name = limits.key_of("shop", Rule("create_session.email", 10, HOUR), f"{number}" * 50)
                pipe.eval(redis_windows._SCRIPT, 1, name, "a call's id", 10, HOUR * 1_000_000, 1)
            await pipe.execute()
    found = (await redis.info("keyspace"))[f"db{redis.connection_pool.connection_kwargs['db']}"]
    assert found["keys"] == found["expires"] == 100_000
    _, names = await redis.scan(count=1000)
    sizes = [await redis.memory_usage(name) for name in names]
    assert 0 < sum(sizes) / len(sizes) < 200 * 2**20 / 1_000_000


async def test_s79_the_process_keeps_a_bounded_number(monkeypatch: pytest.MonkeyPatch, away: Settings, pool: Pool):
    """While Redis is away, full windows push each other out, not the process out of its memory."""
    monkeypatch.setattr(full_windows, "_MOST", 100)
    limits, one = counter(Redis.from_url(away.redis_url.get_secret_value()), pool), replace(TEN, limit=1)
    for number in range(300):
        await limits.count("shop", [Window(one, f"{number // 2}")])
    assert len(limits._full.notes) == 100


async def test_a_project_has_numbers_of_its_own(api: Api, pool: Pool):
    """A rule may be narrower, wider or off for a project; the headers say its own numbers."""
    await projects.set_limit(pool, "shop", rule="update_recovery.ip", numbers=[2, 60])
    found = [await api.call("PUT", "/v1/account/recovery", json=PROOF) for _ in range(3)]
    assert [answer.status for answer in found] == [401, 401, 429]
    assert found[0].headers["RateLimit-Policy"] == '"default";q=2;w=60'


async def test_a_projects_number_is_also_that_of_a_48(behind: Api, pool: Pool):
    """The wider window of IPv6 follows the number that the project has set: ten times it, or none."""
    await projects.set_limit(pool, "shop", rule="create_anonymous_session.ip", numbers=[1, 3600])
    here = [{"X-Forwarded-For": f"2001:db8:0:{number:x}::1"} for number in range(11)]
    found = [await behind.call("POST", "/v1/account/sessions/anonymous", json={}, headers=place) for place in here]
    assert [answer.status for answer in found] == [201] * 10 + [429]


async def test_a_rule_that_is_off_counts_nothing(api: Api, pool: Pool, redis: Redis):
    """Off is off: no window, no header, no refusal."""
    for by in ("userId", "ip"):
        await projects.set_limit(pool, "shop", rule=f"update_recovery.{by}", numbers=[])
    found = [await api.call("PUT", "/v1/account/recovery", json=PROOF) for _ in range(12)]
    assert {answer.status for answer in found} == {401}
    assert "X-RateLimit-Limit" not in found[0].headers
    assert await redis.keys("rl:*") == []


async def test_a_dry_run_counts_and_refuses_nobody(api: Api, pool: Pool, caplog: pytest.LogCaptureFixture):
    """An operator may watch first: headers and one log line say what would be refused, and all pass."""
    await projects.change(pool, "shop", limits_dry_run=True)
    found = [await api.call("PUT", "/v1/account/recovery", json=PROOF) for _ in range(12)]
    assert [answer.status for answer in found] == [401] * 12
    assert found[-1].headers["X-RateLimit-Remaining"] == "89", "a full window of others is not shown"
    told = [record for record in caplog.records if getattr(record, "event", "") == "rate_limit.dry_run_exceeded"]
    assert [(record.project, record.rule) for record in told] == [("shop", "update_recovery.userId")] * 2


async def test_observed_addresses_refuse_nobody_and_other_windows_do(
    aiohttp_client: Any, settings: Settings, project: projects.Project, redis: Redis, caplog: pytest.LogCaptureFixture
):
    """LIMITS=observe-addresses is for one machine, where everybody has one address: an eleventh sign-up passes.

    Guesses at one account are refused as ever.
    """
    observing = settings.model_copy(update={"limits": "observe-addresses"})
    api = Api(await aiohttp_client(make(observing), cookie_jar=DummyCookieJar()))
    found = [
        await api.call("POST", "/v1/account", json={"email": f"u{number}@example.com", "password": "correct horse 9"})
        for number in range(12)
    ]
    assert [answer.status for answer in found] == [201] * 12
    told = [record for record in caplog.records if getattr(record, "event", "") == "rate_limit.dry_run_exceeded"]
    assert [(record.project, record.rule) for record in told] == [("shop", "create_account.ip")] * 2
    guesses = [await api.call("PUT", "/v1/account/recovery", json=PROOF) for _ in range(12)]
    assert [answer.status for answer in guesses] == [401] * 10 + [429] * 2


async def test_guesses_count_beyond_an_observed_address(
    aiohttp_client: Any, settings: Settings, pool: Pool, project: projects.Project, redis: Redis
):
    """A client whose address is over its limit, and only observed, is refused by the other limits as ever."""
    await pool.execute("""update projects set limits = '{"create_session.ip": [1, 3600], "mail.ip": [1, 3600]}'""")
    observing = settings.model_copy(update={"limits": "observe-addresses"})
    api = Api(await aiohttp_client(make(observing), cookie_jar=DummyCookieJar()))

    async def answers(path: str, **body: str) -> list[int]:
        found = [
            await api.call("POST", path, json={"email": f"{name}@example.com"} | body)
            for name in ("other", "other", *["ann"] * 12)
        ]
        return [answer.status for answer in found]

    assert await answers("/v1/account/sessions/email", password="wrong password") == [401] * 12 + [429] * 2
    assert await answers("/v1/account/recovery", url="http://localhost/r") == [201] * 12 + [429] * 2


async def test_g09_bursts_over_two_processes(environment: dict[str, str], pool: Pool, redis: Redis):
    """A hundred at once over two processes, with Redis and without: exactly ten are looked at."""
    rows = await limit_burst.bursts(environment | {"LOG_LEVEL": "error"}, 3, seed=9)
    assert [row.value for row in rows] == ["10 in 3 rounds of 3", "10 in 1 rounds of 1"]


async def test_g16_a_flood_of_logins_takes_bounded_memory(environment: dict[str, str], pool: Pool, redis: Redis):
    """Bad logins beyond what can be hashed are told to come again; a member reads on, and memory keeps its bound."""
    alone, _beside, memory, answers = await login_flood.flood(
        environment | {"LIMITS": "off", "LOG_LEVEL": "error"}, 2, seed=16, attackers=150
    )
    assert alone.value
    assert memory.met, memory
    assert answers.met, answers
