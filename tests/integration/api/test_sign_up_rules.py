"""Options of a project: accounts that clients may make, and addresses that a password signs in with."""

import json

import pytest

from service import failpoints
from service.db import Pool
from service.settings import Settings
from service.store import projects
from service.store.tokens import Kind
from testkit.api import Api, kind
from testkit.proofs import Post
from testkit.visitor import Visitor, change_project, parameters

ANN, BOB = "ann@example.com", "bob@example.org"
CLOSED = (501, "user_auth_method_unsupported")


async def users(pool: Pool) -> list[str]:
    return [row[0] or "" for row in await pool.fetch("select email from users order by email")]


async def sign_up(api: Api, email: str) -> tuple[int, str]:
    return kind(await api.call("POST", "/v1/account", json={"email": email, "password": "correct horse"}))


async def test_nobody_makes_an_account_where_sign_up_is_closed(api: Api, pool: Pool, settings: Settings):
    """By password, as a guest, by a mailed link or code, or by a number; whoever has one signs in as before."""
    await api.sign_up(ANN)
    await change_project(api, sign_up="closed")
    assert await sign_up(api, BOB) == CLOSED
    assert await sign_up(api, ANN) == CLOSED, "the answer does not tell who has an account"
    assert kind(await api.call("POST", "/v1/account/sessions/anonymous", json={})) == CLOSED
    post = Post(pool, settings)
    for each, address in ((Kind.MAGIC_URL, BOB), (Kind.OTP, BOB), (Kind.PHONE_LOGIN, "+4915112345678")):
        token = await post.issue(each, "bob", email=address)
        body = {"userId": token.user_id, "secret": token.secret}
        answer = await api.call("POST", "/v1/account/sessions/token", json=body)
        assert kind(answer) == (401, "user_invalid_token"), each
    assert await users(pool) == [ANN]
    await api.sign_in(ANN)
    token = await post.issue(Kind.MAGIC_URL, "ann", email=ANN)
    body = {"userId": token.user_id, "secret": token.secret}
    assert (await api.call("POST", "/v1/account/sessions/token", json=body)).status == 201


async def test_a_provider_makes_no_account_where_sign_up_is_closed(visitor: Visitor, pool: Pool):
    """The app gets the refusal; who has an account with the address that the provider has verified signs in."""
    await change_project(visitor.api, sign_up="closed")
    refused = parameters(await visitor.sign_in())["error"]
    assert json.loads(refused)["type"] == CLOSED[1]
    assert await users(pool) == []
    await pool.execute(
        "insert into users (project_id, id, email, email_verified) values ('shop', 'ann', $1, true)", ANN
    )
    answer = await visitor.sign_in()
    assert "error" not in parameters(answer)
    assert await users(pool) == [ANN]


async def test_addresses_of_listed_domains_sign_up(api: Api, pool: Pool, settings: Settings):
    """Their domain is compared as a whole; nobody gets round it by changing the address, or as a guest."""
    await change_project(api, sign_up="domains", sign_up_domains=["example.com", "xn--bcher-kva.example"])
    for email in ("eve@sub.example.com", "eve@example.com.evil.example", BOB):
        assert await sign_up(api, email) == CLOSED, email
    assert kind(await api.call("POST", "/v1/account/sessions/anonymous", json={})) == CLOSED
    await api.sign_up(ANN)
    assert (await sign_up(api, "u@BÜCHER.example"))[0] == 201
    token = await Post(pool, settings).issue(Kind.OTP, "carl", email="carl@example.com")
    body = {"userId": token.user_id, "secret": token.secret}
    assert (await api.call("POST", "/v1/account/sessions/token", json=body)).status == 201
    member, asked = await api.sign_in(ANN), {"email": BOB, "password": "correct horse"}
    assert kind(await api.call("PATCH", "/v1/account/email", json=asked, headers=member)) == CLOSED
    assert (await users(pool)) == [ANN, "carl@example.com", "u@xn--bcher-kva.example"]


@pytest.mark.usefixtures("disarmed")
async def test_a_password_signs_in_with_a_verified_address_only(api: Api, pool: Pool):
    """Only who has the password learns of it, and a link is mailed.

    Its quota counts although the call fails, and although a fault of Postgres has it run again.
    """
    await api.sign_up(ANN)
    await projects.set_limit(pool, "shop", rule="mail.hour", numbers=[2, 3600])
    await change_project(api, verified_sign_in=True)

    async def sign_in(email: str, password: str) -> tuple[int, str]:
        body = {"email": email, "password": password}
        return kind(await api.call("POST", "/v1/account/sessions/email", json=body))

    assert await sign_in(ANN, "wrong horse") == await sign_in(BOB, "correct horse") == (401, "user_invalid_credentials")
    assert await pool.fetch("select from mails") == []
    failpoints.arm("db.commit.before:raise:1")
    for _ in range(3):
        assert await sign_in(ANN, "correct horse") == (400, "user_email_not_verified")
    assert failpoints.reached("db.commit.before") == 3, "the first was run again, and the last mailed nothing"
    failpoints.disarm()
    assert [row[0] for row in await pool.fetch("select letter from mails")] == ["verification"] * 2
    await pool.execute("update users set email_verified = true")
    assert (await sign_in(ANN, "correct horse"))[0] == 201
