"""Custom tokens under attack; what all secrets have in common is tested in test_tokens.py."""

import asyncio
from secrets import token_hex
from typing import Any

import pytest

from service.db import Pool
from service.store import projects
from service.store.tokens import Kind
from testkit import api_keys
from testkit.api import Api, one_won
from testkit.proofs import ANN, Post

pytestmark = pytest.mark.usefixtures("cheap")
TOKEN_SESSION = "/v1/account/sessions/token"


async def made(api: Api, pool: Pool, ann: str, **body: int) -> str:
    server = await api_keys.key(pool)
    answer = await api.call("POST", f"/v1/users/{ann}/tokens", json=body, headers=server, modern=True)
    assert answer.status == 201, answer.data
    return str(answer.data["secret"])


async def tried(api: Api, user_id: str, secret: str, **more: Any) -> int:
    body = {"userId": user_id, "secret": secret}
    return int((await api.call("POST", TOKEN_SESSION, json=body, modern=True, **more)).status)


@pytest.mark.unlimited
async def test_s13_of_twenty_at_once_one_gets_in(api: Api, pool: Pool, ann: str):
    """One token, twenty requests at once: one session."""
    secret = await made(api, pool, ann)
    statuses = await asyncio.gather(*(tried(api, ann, secret) for _ in range(20)))
    assert one_won(statuses)
    assert (await pool.fetchrow("select count(*) from sessions"))[0] == 1


async def test_s12_who_knows_an_id_can_not_use_up_a_long_token(behind: Api, pool: Pool):
    """A secret of 32 characters can't be guessed: wrong ones neither count against it nor lock its user's windows."""
    ann = (await behind.sign_up(ANN))["$id"]
    secret = await made(behind, pool, ann, length=32)
    for number in range(12):
        where = {"X-Forwarded-For": f"203.0.113.{number}"}
        assert await tried(behind, ann, token_hex(16), headers=where) == 401
    assert await tried(behind, ann, secret) == 201


@pytest.mark.unlimited
async def test_s12_a_guess_counts_for_tokens_of_its_length(api: Api, pool: Pool, ann: str):
    """Five guesses of six characters end the tokens of six characters, and no mailed link or other token."""
    short, other = await made(api, pool, ann), await made(api, pool, ann, length=8)
    wrong = "000000" if short != "000000" else "000001"
    for _ in range(5):
        assert await tried(api, ann, wrong) == 401
    assert await tried(api, ann, short) == 401
    assert await tried(api, ann, other) == 201


@pytest.mark.unlimited
async def test_s12_a_token_is_no_guess_at_a_mailed_code(api: Api, pool: Pool, ann: str, post: Post):
    """Long tokens cost the codes of their user nothing; one of six characters is a guess at both kinds."""
    await post.issue(Kind.OTP, ann)
    assert await tried(api, ann, await made(api, pool, ann, length=8)) == 201
    assert (await pool.fetchrow("select attempts from tokens where kind = 'otp'"))[0] == 0


@pytest.mark.unlimited
async def test_s15_a_token_is_for_its_user_project_and_route(api: Api, pool: Pool, ann: str):
    """Under another id, in another project, at a route for mailed secrets: an invalid token, and good afterwards."""
    bob = (await api.sign_up("bob@example.com"))["$id"]
    await projects.create(pool, "other", name="Other")
    secret = await made(api, pool, ann, length=36)
    assert await tried(api, bob, secret) == 401
    assert await tried(api, ann, secret, headers={"X-Appwrite-Project": "other"}) == 401
    proof = {"userId": ann, "secret": secret, "password": "another horse"}
    for path in ("recovery", "recovery/otp", "verifications/email", "verifications/email/otp", "sessions/magic-url"):
        assert (await api.call("PUT", f"/v1/account/{path}", json=proof, modern=True)).status == 401
    assert await tried(api, ann, secret) == 201


@pytest.mark.unlimited
@pytest.mark.parametrize("change", ["kind = 'otp'", "user_id = 'bob'", "email = 'bob@example.com'", "asked_as = 'bob'"])
async def test_s15_a_row_that_was_changed_opens_nothing(api: Api, pool: Pool, ann: str, change: str):
    """The secret is derived from the row: what was moved to another user or kind has another one."""
    body = {"userId": "bob", "email": "bob@example.com", "password": "correct horse"}
    assert (await api.call("POST", "/v1/account", json=body, modern=True)).status == 201
    secret = await made(api, pool, ann)
    await pool.execute(f"update tokens set {change}")
    assert await tried(api, ann, secret) == 401
    assert (await pool.fetchrow("select count(*) from sessions where user_id = $1", ann))[0] == 0


@pytest.mark.unlimited
async def test_s15_a_part_of_a_secret_opens_nothing(api: Api, pool: Pool, ann: str):
    """Not even of a row whose length was changed by hand: the length is part of what the secret is derived from."""
    secret = await made(api, pool, ann, length=32)
    assert await tried(api, ann, secret[:4]) == 401
    await pool.execute("update tokens set secret_length = 4")
    assert await tried(api, ann, secret[:4]) == 401


@pytest.mark.unlimited
async def test_s20_no_secret_is_stored(api: Api, pool: Pool, ann: str):
    """The row has no part of it."""
    secret = await made(api, pool, ann, length=64)
    row = await pool.fetchrow("select tokens::text from tokens")
    assert not any(secret[place : place + 8] in row[0] for place in range(56))
