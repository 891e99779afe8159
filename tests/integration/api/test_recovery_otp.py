"""Recovery by a mailed code, over HTTP; the mail's way to the relay is in tests/integration/worker."""

from typing import Any

import pytest

from service.db import Pool
from service.settings import Settings
from service.store import projects
from service.store.tokens import Kind
from testkit.api import Api
from testkit.proofs import ANN, Post, Proof

PATH = "/v1/account/recovery/otp"


async def put(api: Api, proof: Proof, password: str = "a new password") -> Any:
    body = {"userId": proof.user_id, "secret": proof.secret, "password": password}
    return await api.call("PUT", PATH, json=body, modern=True)


@pytest.fixture
async def proof(api: Api, pool: Pool, settings: Settings) -> Proof:
    """A code that a worker has mailed to Ann, under an id that is not hers."""
    user = await api.sign_up()
    return await Post(pool, settings).issue(Kind.RECOVERY_OTP, user["$id"], asked_as="invented")


async def test_asking_leaves_a_token_a_mail_and_an_event(api: Api, pool: Pool):
    """The answer's id is invented, and the code works under it; the worker finds out whose the address is."""
    user = await api.sign_up()
    answer = await api.call("POST", PATH, json={"email": ANN, "phrase": True}, modern=True)
    assert (answer.status, answer.data["secret"]) == (201, "")
    token = await pool.fetchrow("select *, extract(epoch from expires_at - created_at) as seconds from tokens")
    assert (token["kind"], token["email"], token["user_id"]) == ("recovery_otp", ANN, None)
    assert answer.data["userId"] == token["asked_as"] != user["$id"]
    assert answer.data["$id"] != token["id"]
    assert token["seconds"] == 600
    mail = await pool.fetchrow("select * from mails")
    assert (mail["letter"], mail["recipient"], mail["user_id"]) == ("otp_recovery", ANN, None)
    assert mail["facts"]["phrase"] == answer.data["phrase"] != ""
    event = await pool.fetchrow("select * from events where name = 'account.recovery.create'")
    assert (event["user_id"], event["token_id"], event["ready"]) == (None, token["id"], False)


async def test_a_code_that_is_nobodys_yet_opens_nothing(api: Api, pool: Pool, settings: Settings):
    """Until the worker has found its user a code is in no mail: who has it has guessed it."""
    await api.sign_up()
    post = Post(pool, settings)
    guessed = await post.issue(Kind.RECOVERY_OTP, None, asked_as="invented")  # type: ignore[arg-type] # nobody
    assert (await put(api, guessed)).status == 401
    await api.sign_in()


async def test_a_recovery_does_what_a_link_does(api: Api, pool: Pool, proof: Proof):
    """The password is the new one, every session is ended, the address proved, the owner told; no session opens."""
    member = await api.sign_in()
    answer = await put(api, proof)
    assert (answer.status, answer.data["userId"], answer.data["secret"]) == (200, "invented", "")
    assert "Set-Cookie" not in answer.headers
    assert (await api.call("GET", "/v1/account", headers=member)).status == 401
    assert (await pool.fetchrow("select count(*) from sessions"))[0] == 0
    member = await api.sign_in(password="a new password")
    assert (await api.call("GET", "/v1/account", headers=member)).data["emailVerification"] is True
    mail = await pool.fetchrow("select letter, recipient from mails order by created_at desc limit 1")
    assert tuple(mail) == ("password_changed", ANN)
    assert {"account.recovery.update"} <= {row[0] for row in await pool.fetch("select name from events")}
    again = await put(api, proof, "another password")
    assert (again.status, again.data["type"]) == (401, "user_invalid_token")


async def test_a_refused_password_costs_no_guess(api: Api, pool: Pool, proof: Proof):
    """The refusal comes after the code was found right, as often as it takes, and the code works afterwards."""
    for _ in range(4):
        answer = await put(api, proof, ANN)
        assert (answer.status, answer.data["type"]) == (400, "password_personal_data")
    assert (await put(api, proof)).status == 200


async def test_a_wrong_code_says_nothing_about_the_password(api: Api, proof: Proof):
    """Else a guesser would know by the refusal that the code was right, or that the id has an account."""
    wrong = Proof(proof.id, proof.user_id, f"{(int(proof.secret) + 1) % 1_000_000:06}")
    answer = await put(api, wrong, ANN)
    assert (answer.status, answer.data["type"]) == (401, "user_invalid_token")


async def test_the_fourth_guess_is_too_late(api: Api, proof: Proof):
    """Three wrong codes kill a recovery's code: the right one opens nothing any more."""
    wrong = Proof(proof.id, proof.user_id, f"{(int(proof.secret) + 1) % 1_000_000:06}")
    assert [(await put(api, wrong)).status for _ in range(3)] == [401] * 3
    assert (await put(api, proof)).status == 401


async def test_a_blocked_user_gets_no_password(api: Api, pool: Pool, proof: Proof):
    """Even where a code was left over; the block is not told."""
    await pool.execute("update users set status = 'blocked'")
    answer = await put(api, proof)
    assert (answer.status, answer.data["type"]) == (401, "user_invalid_token")


async def test_a_project_that_gives_its_users_away_gives_the_real_id(api: Api, pool: Pool):
    """For a conformance run: an unknown address is a 404, and a code works under the account's id."""
    await projects.change(pool, "shop", reveal_unknown_users=True)
    user = await api.sign_up()
    answer = await api.call("POST", PATH, json={"email": ANN}, modern=True)
    assert answer.data["userId"] == user["$id"]
    answer = await api.call("POST", PATH, json={"email": "nobody@example.com"}, modern=True)
    assert (answer.status, answer.data["type"]) == (404, "user_not_found")
