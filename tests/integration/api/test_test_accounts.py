"""Test accounts: mailed codes of theirs may also be a fixed one, for as long as the operator has said."""

import pytest

from service.crypto.secret import Secret
from service.db import Pool
from service.settings import Settings
from service.store import test_accounts
from service.store.tokens import Kind
from testkit.api import Api, kind
from testkit.proofs import Post
from testkit.visitor import change_project

REVIEWER, BOB, CODE = "review@example.org", "bob@example.org", "271828"
REFUSED = (401, "user_invalid_token")


@pytest.fixture
async def reviewer(api: Api, pool: Pool, settings: Settings) -> None:
    """The reviewer of an app store has a fixed code; Bob, at the same domain, has none."""
    await change_project(api, test_domains=["example.org"])
    await test_accounts.save(pool, settings.key_ring, "shop", email=REVIEWER, code=Secret(CODE), days=30)


async def sign_in(api: Api, email: str, code: str = CODE) -> tuple[int, str]:
    body = {"userId": email.partition("@")[0], "email": email}
    assert (await api.call("POST", "/v1/account/tokens/email", json=body, modern=True)).status == 201
    return await guess(api, email, code)


async def guess(api: Api, email: str, code: str) -> tuple[int, str]:
    body = {"userId": email.partition("@")[0], "secret": code}
    return kind(await api.call("POST", "/v1/account/sessions/token", json=body))


@pytest.mark.usefixtures("reviewer")
async def test_the_fixed_code_signs_in_for_its_address_alone(api: Api, pool: Pool, caplog: pytest.LogCaptureFixture):
    """Each time a code was asked for, once each time; uses are counted and logged, without address or code."""
    assert await guess(api, REVIEWER, CODE) == REFUSED, "nobody asked for a code"
    assert (await sign_in(api, REVIEWER))[0] == 201
    assert await guess(api, REVIEWER, CODE) == REFUSED, "a code works once"
    assert (await sign_in(api, REVIEWER))[0] == 201
    assert await sign_in(api, BOB) == REFUSED
    assert [row[0] for row in await pool.fetch("select email from users")] == [REVIEWER]
    assert (await pool.fetchrow("select uses, used_at is not null from test_accounts"))[:] == (2, True)
    told, _again = [record for record in caplog.records if getattr(record, "event", "") == "test_account.code_used"]
    assert told.levelname == "WARNING"
    assert not {REVIEWER, CODE} & {str(value) for value in vars(told).values()}


@pytest.mark.usefixtures("reviewer")
async def test_a_fixed_code_ends_with_its_time_or_its_domain(api: Api, pool: Pool):
    """By the database's clock; and as soon as the operator takes the domain away, though the row is there."""
    await change_project(api, test_domains=["example.net"])
    assert await sign_in(api, REVIEWER) == REFUSED
    await change_project(api, test_domains=["example.org"])
    await pool.execute("update test_accounts set expires_at = now()")
    assert await guess(api, REVIEWER, CODE) == REFUSED


@pytest.mark.usefixtures("reviewer")
async def test_guesses_at_a_fixed_code_are_limited_as_at_others(api: Api):
    """Five wrong ones end the code that was asked for, the fixed one with it."""
    assert await sign_in(api, REVIEWER, "314159") == REFUSED
    for _ in range(4):
        assert await guess(api, REVIEWER, "314159") == REFUSED
    assert await guess(api, REVIEWER, CODE) == REFUSED


@pytest.mark.usefixtures("reviewer")
async def test_a_fixed_code_is_no_second_factor(api: Api, pool: Pool, settings: Settings):
    """Codes of challenges and of SMS are none that it stands for; those that recover an account are."""
    post, made = Post(pool, settings), await api.sign_up(REVIEWER)
    await post.issue(Kind.RECOVERY_OTP, made["$id"], email=REVIEWER)
    body = {"userId": made["$id"], "secret": CODE, "password": "another horse", "passwordAgain": "another horse"}
    assert (await api.call("PUT", "/v1/account/recovery/otp", json=body, modern=True)).status == 200
    member = await api.sign_in(REVIEWER, "another horse")
    asked = await api.call("POST", "/v1/account/mfa/challenges", json={"factor": "email"}, headers=member, modern=True)
    answer = {"challengeId": asked.data["$id"], "otp": CODE}
    refused = await api.call("PUT", "/v1/account/mfa/challenges", json=answer, headers=member, modern=True)
    assert kind(refused) == REFUSED
