"""Challenges of second factors: who may make one, how long it lives, who reads it, and what wrong answers cost."""

from datetime import timedelta

import pytest

from service.db import Pool
from service.settings import Settings
from service.store import projects
from testkit import api_keys
from testkit.api import Api, cookie_of, kind
from testkit.factors import AUTHENTICATOR, CHALLENGES, PATH, RECOVERY, Person, mailed_code, signed_in, verified
from testkit.passkeys import forget_projects
from testkit.phones import ANN as NUMBER

pytestmark = pytest.mark.usefixtures("cheap")
INVALID, BUSY = (401, "user_invalid_token"), (429, "general_rate_limit_exceeded")


@pytest.fixture
async def ann(api: Api, pool: Pool) -> Person:
    """Ann, whose address is proved."""
    return await verified(api, pool)


async def without(api: Api, pool: Pool, *rules: str) -> None:
    """Switch rules off for the project, which stand before the one that a test is about."""
    for rule in rules:
        await projects.set_limit(pool, "shop", rule=rule, numbers=[])
    forget_projects(api)


async def test_the_newest_three_of_a_factor_live(ann: Person):
    """Another challenge ends none but the fourth newest; those of another factor stay."""
    app = await ann.enrol()
    codes = (await ann.call("POST", RECOVERY)).data["recoveryCodes"]
    other = await ann.challenge("recoveryCode")
    oldest, *newest = [await ann.challenge("totp") for _ in range(4)]
    assert kind(await ann.answer(oldest, await app.unused())) == INVALID
    for challenge in newest:
        assert (await ann.answer(challenge, await app.unused())).status == 200
    assert (await ann.answer(other, codes[0])).status == 200


async def test_how_long_a_challenge_lives(api: Api, pool: Pool, ann: Person):
    """Fifteen minutes; one whose code is mailed or read by the app's server as long as the project's codes."""
    await ann.enrol()
    await ann.call("POST", RECOVERY)
    await projects.change(pool, "shop", otp_seconds=120, mfa_factors=["totp", "email", "custom"])
    forget_projects(api)
    for factor, seconds in (("totp", 900), ("recoveryCode", 900), ("email", 120), ("custom", 120)):
        made = await ann.call("POST", CHALLENGES, factor=factor)
        [row] = await pool.fetch(
            "select expires_at, expires_at - created_at as life from challenges where id = $1", made.data["$id"]
        )
        assert row["life"] == timedelta(seconds=seconds), factor
        assert made.data["expire"] == row["expires_at"].isoformat(timespec="milliseconds")
    row = await pool.fetchrow("select expires_at - created_at from tokens where kind = 'mfa_email'")
    assert row[0] == timedelta(seconds=120)


async def test_an_account_without_an_address_has_no_mailed_code(api: Api, pool: Pool):
    """Its own error, and nothing is written."""
    opened = await api.call("POST", "/v1/account/sessions/anonymous", json={}, modern=True)
    guest = Person(api, pool, {"Cookie": cookie_of(opened)})
    assert kind(await guest.call("POST", CHALLENGES, factor="email")) == (400, "user_email_not_found")
    assert await pool.fetchrow("select from challenges") is None


@pytest.mark.parametrize("value", ["true", "yes", 1, 0, None, [], {}])
async def test_mfa_is_true_or_false(pool: Pool, ann: Person, value: object):
    """No other value is taken for one of them."""
    assert kind(await ann.call("PATCH", PATH, mfa=value)) == (400, "general_argument_invalid")
    assert kind(await ann.call("PATCH", PATH)) == (400, "general_argument_invalid")
    assert (await pool.fetchrow("select mfa from users"))[0] is False


@pytest.mark.parametrize("otp", ["", "x" * 257, 123456, None])
async def test_codes_of_other_forms(ann: Person, otp: object):
    """1 to 256 characters, or a bad parameter; of six digits only, else a wrong code."""
    await ann.call("POST", AUTHENTICATOR)
    challenge = await ann.challenge("email")
    for answer in (
        await ann.call("PUT", AUTHENTICATOR, otp=otp),
        await ann.call("PUT", CHALLENGES, challengeId=challenge, otp=otp),
    ):
        assert kind(answer) == (400, "general_argument_invalid")


@pytest.mark.parametrize("otp", ["12345", "1234567", "１２３４５６", "12345a", "x" * 256])
async def test_codes_that_are_no_six_digits_are_wrong_ones(ann: Person, otp: str):
    """The same answer as for any wrong code."""
    await ann.call("POST", AUTHENTICATOR)
    assert kind(await ann.call("PUT", AUTHENTICATOR, otp=otp)) == INVALID
    assert kind(await ann.prove("email", otp)) == INVALID


async def test_thirty_wrong_codes_are_a_days(api: Api, pool: Pool, ann: Person):
    """Whatever an hour has left."""
    await without(api, pool, "mfa.hour", "codes.network", "create_mfa_challenge.user")
    app = await ann.enrol()
    for _ in range(6):
        challenge = await ann.challenge("totp")
        for _ in range(5):
            assert kind(await ann.answer(challenge, "none")) == INVALID
    refused = await ann.prove("totp", await app.unused())
    assert kind(refused) == BUSY
    assert int(refused.headers["Retry-After"]) > 3600


async def test_first_codes_of_an_app_count_with_the_others(pool: Pool, settings: Settings, ann: Person):
    """Five wrong ones of an app that waits and five of a mail are the ten of the hour."""
    await ann.call("POST", AUTHENTICATOR)
    for _ in range(5):
        assert kind(await ann.call("PUT", AUTHENTICATOR, otp="none")) == INVALID
    challenge = await ann.challenge("email")
    for _ in range(5):
        assert kind(await ann.answer(challenge, "none")) == INVALID
    again = await ann.challenge("email")
    assert kind(await ann.answer(again, await mailed_code(pool, settings))) == BUSY
    assert kind(await ann.call("PUT", AUTHENTICATOR, otp="none")) == BUSY


async def test_a_server_reads_challenges_of_the_custom_factor_alone(api: Api, pool: Pool, ann: Person):
    """Of this user, while they live, and once a minute; each time stands in the log. It costs the challenge nothing."""
    await projects.change(pool, "shop", mfa_factors=["totp", "email", "custom"])
    forget_projects(api)
    await ann.enrol()
    user_id = (await ann.call("GET", "/v1/account")).data["$id"]
    eve = await verified(api, pool, "eve@example.com")
    eves_id = (await eve.call("GET", "/v1/account")).data["$id"]
    server = Person(api, pool, await api_keys.key(pool, "users.read"))

    async def read(challenge: str, of: str = user_id) -> tuple[int, str]:
        return kind(await server.call("GET", f"/v1/users/{of}/mfa/challenges/{challenge}"))

    for factor in ("totp", "email"):
        assert await read(await ann.challenge(factor)) == INVALID
    challenge = await ann.challenge("custom")
    assert await read(challenge, eves_id) == INVALID
    assert await read(challenge, "nobody") == (404, "user_not_found")
    assert (await read(challenge))[0] == 200
    assert await read(challenge) == INVALID
    await pool.execute("update challenges set read_at = now() - interval '61 seconds'")
    assert (await read(challenge))[0] == 200
    names = [row[0] for row in await pool.fetch("select name from events where name like 'users.challenges%'")]
    assert names == ["users.challenges.read"] * 2
    assert (await pool.fetchrow("select attempts from challenges where id = $1", challenge))[0] == 0
    await pool.execute("update challenges set expires_at = now(), read_at = null")
    assert await read(challenge) == INVALID
    server.headers = await api_keys.key(pool, "sessions.write")
    assert await read(challenge) == (401, "general_unauthorized_scope")


async def test_an_account_stays_shut_while_no_sms_is_sent(api: Api, pool: Pool):
    """A number is a factor although no code can be delivered to it; a recovery code lets its owner in."""
    await api.sign_up()
    ann = await signed_in(api, pool)
    codes = (await ann.call("POST", RECOVERY)).data["recoveryCodes"]
    await pool.execute("update users set phone = $1, phone_verified_at = now()", NUMBER)
    assert (await ann.call("PATCH", PATH, mfa=True)).status == 200
    other = await signed_in(api, pool)
    assert kind(await other.call("GET", "/v1/account")) == (401, "user_more_factors_required")
    listed = (await other.call("GET", f"{PATH}/factors")).data
    assert (listed["phone"], listed["recoveryCode"]) == (False, True)
    assert kind(await other.call("POST", CHALLENGES, factor="phone")) == (503, "general_phone_disabled")
    assert (await other.prove("recoveryCode", codes[0])).status == 200
    assert (await other.call("GET", "/v1/account")).status == 200


@pytest.mark.parametrize(("minutes", "wanted"), [(29, (404, "user_recovery_codes_not_found")), (31, None)])
async def test_a_proof_is_fresh_for_half_an_hour(pool: Pool, ann: Person, minutes: int, wanted: tuple[int, str] | None):
    """Counted from the challenge; an extended session has no newer one."""
    await ann.enrol()
    await pool.execute("update sessions set mfa_at = now() - make_interval(mins => $1)", minutes)
    assert (await ann.call("PATCH", "/v1/account/sessions/current")).status == 200
    assert kind(await ann.call("PATCH", RECOVERY)) == (wanted or (401, "user_challenge_required"))


async def test_a_set_of_recovery_codes_that_is_used_up_is_none(pool: Pool, ann: Person):
    """No factor, and nothing to challenge; a new set can be made."""
    assert (await ann.call("POST", RECOVERY)).status == 201
    assert (await ann.call("GET", f"{PATH}/factors")).data["recoveryCode"] is True
    await pool.execute("update recovery_codes set used_at = now()")
    assert (await ann.call("GET", f"{PATH}/factors")).data["recoveryCode"] is False
    assert kind(await ann.call("POST", CHALLENGES, factor="recoveryCode")) == (404, "user_recovery_codes_not_found")
    assert (await ann.call("POST", RECOVERY)).status == 201


async def test_a_jwt_that_switches_mfa_on_is_not_asked(api: Api, pool: Pool, ann: Person):
    """The JWT's session is the one that did it: neither is closed, another one is."""
    token = (await ann.call("POST", "/v1/account/jwts")).data["jwt"]
    other = await signed_in(api, pool)
    by_jwt = Person(api, pool, {"X-Appwrite-JWT": token})
    assert (await by_jwt.call("PATCH", PATH, mfa=True)).data["mfa"] is True
    assert (await by_jwt.call("GET", "/v1/account")).status == 200
    assert (await ann.call("GET", "/v1/account")).status == 200
    assert kind(await other.call("GET", "/v1/account")) == (401, "user_more_factors_required")


async def test_a_session_keeps_its_second_factor(api: Api, pool: Pool, ann: Person):
    """Neither a switch of mfa nor of the project's factors takes it away, nor the removal of the app."""
    app = await ann.enrol()
    await ann.call("PATCH", PATH, mfa=True)
    other = await signed_in(api, pool)
    assert (await other.prove("totp", await app.unused())).status == 200
    for mfa in (False, True):
        assert (await ann.call("PATCH", PATH, mfa=mfa)).status == 200
        assert (await other.call("GET", "/v1/account")).status == 200
    for allowed in (["email"], ["totp", "email"]):
        await projects.change(pool, "shop", mfa_factors=allowed)
        forget_projects(api)
        assert (await other.call("GET", "/v1/account")).status == 200
    assert (await ann.call("DELETE", AUTHENTICATOR)).status == 204
    assert (await other.call("GET", "/v1/account")).status == 200
