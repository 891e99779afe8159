"""Codes for verification and recovery under attack (S12 to S15, S24).

What all secrets have in common is tested in test_tokens.py.
"""

import asyncio
from typing import Any

import pytest

from service.crypto import password_hashing
from service.db import Pool
from service.store.tokens import CODES, Kind
from testkit.api import Api, cookie_of
from testkit.proofs import ANN, WAYS, Post, Proof, Way, use
from tests.security.test_known_device import mark_of

pytestmark = pytest.mark.usefixtures("cheap")
BY_CODE = [way for way in WAYS if way.kind in CODES]
each_way = pytest.mark.parametrize("way", BY_CODE, ids=lambda way: way.kind)
CREATE = "/v1/account/recovery/otp"


def other(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


@each_way
@pytest.mark.unlimited
async def test_s13_of_twenty_at_once_one_gets_in(  # noqa: PLR0917 - pytest passes names
    api: Api, pool: Pool, ann: str, post: Post, way: Way, monkeypatch: pytest.MonkeyPatch
):
    """One code, twenty requests at once: one of them succeeds, and what it does happens once."""
    monkeypatch.setattr(password_hashing, "_PATIENCE", 30.0)  # a busy machine may hash slowly
    proof = await post.issue(way.kind, ann)
    answers = await asyncio.gather(*(use(api, way, proof, modern=True) for _ in range(20)))
    assert sorted(answer.status for answer in answers)[:1] == [way.status]
    assert [answer.status for answer in answers].count(401) == 19
    assert await pool.fetch("select 1 from tokens where kind = $1", way.kind) == []
    sessions = (await pool.fetchrow("select count(*) from sessions"))[0]
    assert sessions == (1 if way.kind is Kind.OTP else 0)


@each_way
@pytest.mark.unlimited
async def test_s15_a_code_of_one_kind_is_refused_by_the_other_routes(
    api: Api, pool: Pool, ann: str, post: Post, way: Way
):
    """Neither a verification's nor a recovery's code signs in, and a sign-in's proves and recovers nothing.

    All are asked for under one id, so that the id alone keeps none of them from a route.
    """
    proofs = {each.kind: await post.issue(each.kind, ann) for each in BY_CODE}
    assert len({proof.secret for proof in proofs.values()}) == 3
    for kind, proof in proofs.items():
        if kind is not way.kind:
            answer = await use(api, way, proof)
            assert (answer.status, answer.data["type"]) == (401, "user_invalid_token")
    page = await api.call("POST", "/auth/code?project=shop", data=proofs[Kind.RECOVERY_OTP].body)
    assert "Set-Cookie" not in page.headers
    row = await pool.fetchrow("select email_verified, (select count(*) from sessions) from users")
    assert tuple(row) == (False, 0)
    counted = {row[0]: row[1] for row in await pool.fetch("select kind, attempts from tokens")}
    assert counted[way.kind] == 2 + (way.kind is Kind.OTP), "a guess counts for the kind of its route alone"


@pytest.mark.unlimited
async def test_s15_a_code_is_bound_to_its_user_address_and_version(api: Api, pool: Pool, ann: str, post: Post):
    """A row that was changed by hand has another code."""
    await api.sign_up("eve@example.com")
    for change in ("email = 'eve@example.com'", "email_version = 2", "kind = 'recovery_otp'"):
        proof = await post.issue(Kind.VERIFICATION_OTP, ann)
        await pool.execute(f"update tokens set {change} where id = $1", proof.id)
        for way in BY_CODE:
            assert (await use(api, way, proof)).status == 401
        await pool.execute("delete from tokens")


@pytest.mark.unlimited
async def test_s12_a_guess_at_a_recovery_is_for_one_request(api: Api, pool: Pool, ann: str, post: Post):
    """Each request has an id of its own: whoever guesses at one costs no other request a guess."""
    one, two = [await post.issue(Kind.RECOVERY_OTP, ann, asked_as=name) for name in ("one", "two")]
    way = next(way for way in WAYS if way.kind is Kind.RECOVERY_OTP)
    for _ in range(3):
        assert (await use(api, way, Proof(one.id, "one", other(one.secret)))).status == 401
    assert (await use(api, way, one)).status == 401
    assert (await use(api, way, two)).status == 200


async def asked(api: Api, email: str, **headers: str) -> Any:
    return (await api.call("POST", CREATE, json={"email": email}, headers=headers, modern=True)).status


@pytest.mark.parametrize("email", [ANN, "nobody@example.com"])
async def test_s24_five_codes_a_day_recover_a_mailbox(behind: Api, pool: Pool, email: str):
    """From however many networks they are asked for, with or without an account; a link can be had all the same.

    Fifteen guesses a day and victim are left of that: three for each code.
    """
    await behind.sign_up()
    statuses = [await asked(behind, email, **{"X-Forwarded-For": f"203.0.113.{number}"}) for number in range(7)]
    assert statuses == [201] * 5 + [429] * 2
    link = {"email": email, "url": "http://localhost/there"}
    assert (await behind.call("POST", "/v1/account/recovery", json=link, modern=True)).status == 201
    codes = await pool.fetch("select 1 from tokens where kind = 'recovery_otp'")
    assert len(codes) == 5


async def test_s24_nobody_uses_up_the_codes_of_the_owner(behind: Api, pool: Pool):
    """The owner's devices have codes of their own: five a day for all of them together."""
    await behind.sign_up()
    await pool.execute("update users set email_verified = true")
    body = {"email": ANN, "password": "correct horse"}
    mark = mark_of(await behind.call("POST", "/v1/account/sessions", json=body))
    for number in range(6):
        await asked(behind, ANN, **{"X-Forwarded-For": f"203.0.113.{number}"})
    assert await asked(behind, ANN) == 429
    assert [await asked(behind, ANN, Cookie=mark) for _ in range(6)] == [201] * 5 + [429]


async def test_s24_a_code_that_is_not_sent_is_not_counted(behind: Api, pool: Pool):
    """A refusal uses up neither the codes of a mailbox nor its mails."""
    for number in range(3):
        await behind.call("POST", CREATE, json={"email": ANN, "phrase": "no"}, modern=True)
        assert await asked(behind, "not an address", **{"X-Forwarded-For": f"203.0.113.{number}"}) == 400
    assert [await asked(behind, ANN) for _ in range(5)] == [201] * 5


@pytest.mark.unlimited
async def test_s68_a_recovery_by_code_puts_a_squatter_out(api: Api, pool: Pool, ann: str, post: Post):
    """A squatter of another's address loses the password, the sessions and their JWTs when the owner comes."""
    squatter = await api.sign_in()
    jwt = (await api.call("POST", "/v1/account/jwts", headers=squatter, modern=True)).data["jwt"]
    way = next(way for way in WAYS if way.kind is Kind.RECOVERY_OTP)
    assert (await use(api, way, await post.issue(way.kind, ann))).status == 200
    assert (await api.call("GET", "/v1/account", headers=squatter)).status == 401
    assert (await api.call("GET", "/v1/account", headers={"X-Appwrite-JWT": jwt})).status == 401
    body = {"email": ANN, "password": "correct horse"}
    assert (await api.call("POST", "/v1/account/sessions", json=body)).status == 401
    owner = await api.call("POST", "/v1/account/sessions", json=body | {"password": "another horse"})
    account = await api.call("GET", "/v1/account", headers={"Cookie": cookie_of(owner)})
    assert account.data["emailVerification"] is True
