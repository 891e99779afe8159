"""Limits that the statement of what they guard counts in Postgres: as exact as those that are counted before it."""

import asyncio

import pytest
from redis.asyncio import Redis

from service import failpoints
from service.db import Pool
from service.http.middleware import SERVICES
from service.rate_limiter import HOUR
from service.settings import Settings
from service.store.tokens import Kind
from testkit.api import Api
from testkit.proofs import Post
from testkit.visitor import change_project, limit_project

pytestmark = pytest.mark.usefixtures("cheap", "disarmed")
ANN = {"email": "ann@example.com", "password": "correct horse"}
ASK = {"email": ANN["email"], "url": "http://localhost/reset"}
RECOVERY, SIGN_IN = "/v1/account/recovery", "/v1/account/sessions/email"


async def counted(pool: Pool, rule: str) -> int:
    """Calls that a rule's windows hold in Postgres."""
    rows = await pool.fetch("select many from windows where name like '%:' || $1 || ':%'", rule)
    return sum(sum(row[0]) for row in rows)


async def in_redis(redis: Redis) -> int:
    return sum([await redis.zcard(key) for key in await redis.keys("rl:*")])


async def rows(pool: Pool) -> tuple[int, ...]:
    """Count the tokens, mails and events that requests for a link have written."""
    return tuple(
        await pool.fetchrow(
            "select (select count(*) from tokens), (select count(*) from mails), (select count(*) from events)"
        )
    )


@pytest.mark.parametrize("rule", ["create_recovery.email", "mail.hour"])
async def test_an_act_that_postgres_refuses_writes_nothing(api: Api, pool: Pool, redis: Redis, rule: str):
    """Redis has lost its windows and lets the call pass: it is refused all the same, and counts nowhere."""
    await limit_project(api, rule, 2, HOUR)
    for _ in range(2):
        assert (await api.call("POST", RECOVERY, json=ASK)).status == 201
    before, windows = await rows(pool), await pool.fetch("select name, many from windows order by name")
    await redis.flushdb()
    answer = await api.call("POST", RECOVERY, json=ASK)
    assert (answer.status, answer.data["type"]) == (429, "general_rate_limit_exceeded")
    assert int(answer.headers["Retry-After"]) > 0
    assert await rows(pool) == before == (2, 2, 2)
    # Only the window of all calls of an address keeps a call that a quota refuses.
    kept = {"create_recovery.email": 0, "mail.hour": 1}[rule]
    assert await counted(pool, "create_recovery.ip") == 2 + kept
    assert sum(sum(row["many"]) for row in windows) + kept == sum(
        sum(row[0]) for row in await pool.fetch("select many from windows")
    )
    assert await in_redis(redis) == kept


async def test_a_sign_in_that_postgres_refuses_looks_for_nobody(api: Api, pool: Pool, redis: Redis):
    """The right password of a user who exists gets the same refusal as any other."""
    await api.sign_up()
    await limit_project(api, "create_session.email", 1, HOUR)
    assert (await api.call("POST", SIGN_IN, json=ANN | {"password": "wrong horse"})).status == 401
    await redis.flushdb()
    assert (await api.call("POST", SIGN_IN, json=ANN)).status == 429
    assert (await pool.fetchrow("select count(*) from sessions"))[0] == 0


async def test_a_secret_that_postgres_refuses_is_no_attempt(api: Api, pool: Pool, redis: Redis, settings: Settings):
    """A right link is worth as much after a refusal as before it."""
    user_id = (await api.sign_up())["$id"]
    proof = await Post(pool, settings).issue(Kind.RECOVERY, user_id)
    await limit_project(api, "update_recovery.ip", 1, HOUR)
    assert (await api.call("PUT", RECOVERY, json=proof.body | {"secret": "0" * 64})).status == 401
    await redis.flushdb()
    assert (await api.call("PUT", RECOVERY, json=proof.body)).status == 429
    assert (await pool.fetchrow("select attempts from tokens"))[0] == 0


async def test_a_call_that_is_refused_for_another_reason_counts(api: Api, pool: Pool):
    """Passwords that differ are refused before the statement that would count, and the guess counts all the same."""
    body = {"userId": "ann", "secret": "0" * 64, "password": "correct horse", "passwordAgain": "another horse"}
    found = [(await api.call("PUT", RECOVERY, json=body)).status for _ in range(11)]
    assert found == [400] * 10 + [429]
    assert await counted(pool, "update_recovery.userId") == 10


@pytest.mark.parametrize("side", ["before", "after"])
async def test_f03_a_call_whose_answer_is_lost_counts_once(api: Api, pool: Pool, redis: Redis, side: str):
    """Run again or found to be done: the windows have one call, and the answer shows them."""
    failpoints.arm(f"db.mail_token.{side}:raise:1")
    answer = await api.call("POST", RECOVERY, json=ASK)
    assert (answer.status, answer.headers["X-RateLimit-Remaining"]) == (201, "99")
    assert await rows(pool) == (1, 1, 1)
    assert {await counted(pool, rule) for rule in ("create_recovery.email", "create_recovery.ip", "mail.hour")} == {1}
    assert await in_redis(redis) == (await pool.fetchrow("select count(*) from windows"))[0]


async def test_a_call_that_postgres_cannot_count_keeps_no_place_in_redis(api: Api, pool: Pool, redis: Redis):
    """A client that asks again after a 503 uses no place up."""
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("lock table mails")
        assert (await api.call("POST", RECOVERY, json=ASK)).status == 503
    assert (await rows(pool), await counted(pool, "create_recovery.email")) == ((0, 0, 0), 0)
    assert await in_redis(redis) == 0


async def test_a_call_without_a_connection_waits_once(api: Api, pool: Pool, redis: Redis):
    """A busy pool sheds a call after one wait, and it keeps no place: the statement that counts is not asked twice."""
    assert (await api.call("POST", RECOVERY, json=ASK | {"email": "bob@example.com"})).status == 201
    before, windows = await in_redis(redis), await pool.fetch("select name, many from windows order by name")
    served = api.client.server.app[SERVICES].pool
    served._patience, held = 0.1, [await served.acquire() for _ in range(served._size)]
    waits = served.waits
    answer = await api.call("POST", RECOVERY, json=ASK)
    waits = served.waits - waits
    for connection in held:
        served.release(connection)
    assert (answer.status, waits) == (503, 1)
    assert await in_redis(redis) == before
    assert await pool.fetch("select name, many from windows order by name") == windows


async def test_an_invitation_is_looked_up_after_the_count(api: Api, pool: Pool, redis: Redis):
    """A project without a limit for wrong codes looks none up for a call that Postgres refuses."""
    await change_project(api, sign_up="invitation")
    await limit_project(api, "invitations.network")
    await limit_project(api, "create_magic_url.email", 1, HOUR)
    ask = {"userId": "unique()", "email": ANN["email"]}
    assert (await api.call("POST", "/v1/account/tokens/magic-url", json=ask)).status == 201
    await redis.flushdb()
    failpoints.arm("db.find_invitation_of_code.before:raise")
    code = {"X-Invitation": "0" * 25}
    assert (await api.call("POST", "/v1/account/tokens/magic-url", json=ask, headers=code)).status == 429


async def test_calls_at_once_are_counted_exactly(api: Api, pool: Pool, redis: Redis):
    """Each act counts itself: of thirty for one mailbox ten are done, and a slow Redis changes nothing."""
    await redis.flushdb()
    answers = await asyncio.gather(*(api.call("POST", RECOVERY, json=ASK) for _ in range(30)))
    assert sorted(answer.status for answer in answers) == [201] * 10 + [429] * 20
    assert await rows(pool) == (10, 10, 10)


async def test_a_dry_run_lets_a_full_window_pass(api: Api, pool: Pool, redis: Redis):
    """An observed limit is counted before the act, which is done in any case."""
    await change_project(api, limits_dry_run=True)
    await limit_project(api, "create_recovery.email", 1, HOUR)
    assert [(await api.call("POST", RECOVERY, json=ASK)).status for _ in range(3)] == [201] * 3
    assert await rows(pool) == (3, 3, 3)


async def test_a_release_before_counts_in_the_same_windows(api: Api, pool: Pool):
    """During an upgrade a process may count by the function of the release before: no call is counted by neither."""
    assert (await api.call("POST", RECOVERY, json=ASK)).status == 201
    (name,) = [row[0] for row in await pool.fetch("select name from windows where name like '%create_recovery.email%'")]
    old = "select before, counted_at from count_in_windows(array[$1::text], array[10], array[3600], array[1])"
    assert [(await pool.fetchrow(old, name))["before"] for _ in range(4)] == [1, 2, 3, 4]
    found = [(await api.call("POST", RECOVERY, json=ASK)).status for _ in range(6)]
    assert found == [201] * 5 + [429]


async def test_a_members_request_counts_itself_and_its_quota(api: Api, pool: Pool, redis: Redis):
    """A member's mail that Postgres refuses is not written; a body that can't be read uses up no quota."""
    await api.sign_up()
    member = await api.sign_in()
    await limit_project(api, "mail.hour", 2, HOUR)

    async def verify(**body: str) -> int:
        return (await api.call("POST", "/v1/account/verification", json=body, headers=member)).status

    assert await verify(url="http://localhost/") == 201
    await redis.flushdb()
    assert await verify(address="none") == 400
    assert (await counted(pool, "create_verification.user"), await counted(pool, "mail.hour")) == (2, 1)
    assert await verify(url="http://localhost/") == 201
    assert await verify(url="http://localhost/") == 429
    await redis.flushdb()
    assert await verify(url="http://localhost/") == 429
    assert (await pool.fetchrow("select count(*) from mails where letter = 'verification'"))[0] == 2


async def test_a_proved_address_is_told_so_whatever_its_quota(api: Api, pool: Pool, redis: Redis):
    """A mail that is not due is counted in no quota, so that none refuses the answer."""
    await api.sign_up()
    member = await api.sign_in()
    await pool.execute("update users set email_verified = true")
    await limit_project(api, "mail.hour", 1, HOUR)
    body = {"url": "http://localhost/"}
    found = [
        await api.call("POST", "/v1/account/verifications/email", json=body, headers=member, modern=True)
        for _ in range(3)
    ]
    assert [(answer.status, answer.data["type"]) for answer in found] == [(409, "user_email_already_verified")] * 3
    assert await counted(pool, "mail.hour") == 0
