"""An account taken over by its address, or lain in wait for (S67 to S70)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from service.db import Pool
from service.settings import Settings
from service.store.tokens import Kind
from testkit.api import Api, cookie_of
from testkit.patience import PATIENCE
from testkit.proofs import ANN, WAYS, Post, use

pytestmark = [pytest.mark.unlimited, pytest.mark.usefixtures("cheap")]

VICTIM = "victim@example.com"
RECOVERY, VERIFICATION, _, *SIGN_INS = WAYS[:6]


async def move(api: Api, member: dict[str, str], email: str, password: str = "correct horse"):
    body = {"email": email, "password": password}
    return await api.call("PATCH", "/v1/account/email", json=body, headers=member)


async def answered(act: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """The answer to a request that is sent again after a 503: a busy machine may shed load."""
    for _ in range(100):
        if (answer := await act(*arguments)).status != 503:
            break
    return answer


async def login(api: Api, email: str, password: str = "correct horse") -> int:
    return (await api.call("POST", "/v1/account/sessions", json={"email": email, "password": password})).status


async def test_s67_a_stolen_session_changes_no_address(api: Api, pool: Pool):
    """Without the password nothing happens: same address, still proved, nobody is mailed."""
    await api.sign_up(ANN)
    await pool.execute("update users set email_verified = true")
    stolen = await api.sign_in()
    for body, status in (({"password": "guess"}, 401), ({"password": ""}, 400), ({}, 400)):
        answer = await api.call("PATCH", "/v1/account/email", json=body | {"email": VICTIM}, headers=stolen)
        assert answer.status == status
    assert tuple(await pool.fetchrow("select email, email_version, email_verified from users")) == (ANN, 1, True)
    assert (await pool.fetchrow("select count(*) from mails"))[0] == 0


async def test_s67_with_the_password_the_owner_is_told(api: Api, pool: Pool, post: Post):
    """The old address hears of it, the new one is unproved, and no link that was under way works any more."""
    ann = (await api.sign_up(ANN))["$id"]
    await pool.execute("update users set email_verified = true")
    proofs = [await post.issue(way.kind, ann) for way in WAYS]
    assert (await move(api, await api.sign_in(), VICTIM)).data["emailVerification"] is False
    told = {tuple(row) for row in await pool.fetch("select letter, recipient from mails")}
    assert told == {("verification", VICTIM), ("email_changed", ANN)}
    for way, proof in zip(WAYS, proofs, strict=True):
        assert (await use(api, way, proof)).status == 401


@pytest.mark.parametrize("way", SIGN_INS, ids=lambda way: f"{way.kind} {way.path}")
async def test_s68_who_proves_the_address_is_alone_in_the_account(api: Api, pool: Pool, post: Post, way):
    """Signing in by mail to an account whose address nobody had proved: the owner is in, the address is proved.

    The stranger's sessions and password, a JWT of his and every link that he had sent are good for nothing.
    """
    ann = (await api.sign_up(VICTIM))["$id"]
    stranger = await api.sign_in(VICTIM)
    jwt = (await api.call("POST", "/v1/account/jwt", headers=stranger)).data["jwt"]
    verification = await post.issue(Kind.VERIFICATION, ann, email=VICTIM)
    answer = await use(api, way, await post.issue(way.kind, ann, email=VICTIM))
    assert answer.status == 201
    owner = {"Cookie": cookie_of(answer)}
    assert (await api.call("GET", "/v1/account", headers=stranger)).status == 401
    assert (await api.call("GET", "/v1/account", headers={"X-Appwrite-JWT": jwt})).status == 401
    assert (await use(api, VERIFICATION, verification)).status == 401
    assert await login(api, VICTIM) == 401
    account = (await api.call("GET", "/v1/account", headers=owner)).data
    assert (account["$id"], account["emailVerification"]) == (ann, True)
    chosen = await api.call("PATCH", "/v1/account/password", json={"password": "my own horse"}, headers=owner)
    assert chosen.status == 200
    assert await login(api, VICTIM, "my own horse") == 201


async def test_s68_a_recovery_leaves_nobody_else_in(api: Api, post: Post):
    """The owner's recovery proves the address; the stranger's session and password end with it."""
    ann = (await api.sign_up(VICTIM))["$id"]
    stranger = await api.sign_in(VICTIM)
    assert (await use(api, RECOVERY, await post.issue(Kind.RECOVERY, ann, email=VICTIM))).status == 200
    assert (await api.call("GET", "/v1/account", headers=stranger)).status == 401
    assert await login(api, VICTIM) == 401


@pytest.mark.parametrize("way", SIGN_INS, ids=lambda way: f"{way.kind} {way.path}")
async def test_s68_a_proved_account_keeps_what_it_has(api: Api, pool: Pool, post: Post, way):
    """A sign-in by mail to a proved address is one more session: nobody loses a password by it."""
    ann = (await api.sign_up(ANN))["$id"]
    await pool.execute("update users set email_verified = true")
    member = await api.sign_in()
    assert (await use(api, way, await post.issue(way.kind, ann))).status == 201
    assert (await api.call("GET", "/v1/account", headers=member)).status == 200
    assert await login(api, ANN) == 201


async def test_s68_an_address_that_was_changed_must_be_proved_anew(api: Api, pool: Pool, post: Post):
    """A proof of the earlier address is none of the new one: its owner who signs in by mail is alone as well."""
    ann = (await api.sign_up(ANN))["$id"]
    await pool.execute("update users set email_verified = true")
    stranger = await api.sign_in()
    assert (await move(api, stranger, VICTIM)).status == 200
    answer = await use(api, SIGN_INS[0], await post.issue(Kind.MAGIC_URL, ann, email=VICTIM))
    assert answer.status == 201
    assert (await api.call("GET", "/v1/account", headers=stranger)).status == 401
    assert await login(api, VICTIM) == 401


@pytest.mark.parametrize("act", ["password", "email"])
async def test_s67_a_session_that_ends_meanwhile_changes_nothing(api: Api, pool: Pool, act: str):
    """While the new password is hashed the owner signs out everywhere: who has the session comes too late.

    An account that has no password asks for none, so that the session is all that the change rests on.
    """
    await api.sign_up(ANN)
    stolen = await api.sign_in()
    await pool.execute("update users set password_hash = null")
    password = {"password": "a thief's own horse"}
    body = password | ({"email": VICTIM} if act == "email" else {})
    async with pool.connection() as held, held.transaction():
        await held.execute("select 1 from users for update")
        late = asyncio.create_task(api.call("PATCH", f"/v1/account/{act}", json=body, headers=stolen))
        await waiting(pool)
        await held.execute("delete from sessions")
    assert (await late).status == 401
    assert tuple(await pool.fetchrow("select email, password_hash from users")) == (ANN, None)


async def test_s24_an_address_that_changes_meanwhile_gets_no_mail(api: Api, pool: Pool):
    """A proof is asked for while the address moves on: the mailbox whose budget was not asked gets nothing."""
    await api.sign_up(ANN)
    member = await api.sign_in()
    async with pool.connection() as held, held.transaction():
        await held.execute("select 1 from users for update")
        body = {"url": "http://localhost/verify"}
        late = asyncio.create_task(api.call("POST", "/v1/account/verification", json=body, headers=member))
        await waiting(pool)
        await held.execute(f"update users set email = '{VICTIM}', email_version = 2")
    assert (await late).status == 400
    assert (await pool.fetchrow("select count(*) from mails"))[0] == 0


async def waiting(pool: Pool) -> None:
    """Until somebody waits for a lock."""
    async with asyncio.timeout(PATIENCE):
        while not (await pool.fetchrow("select count(*) from pg_locks where not granted"))[0]:  # noqa: ASYNC110 - Postgres can't be awaited
            await asyncio.sleep(0.01)


async def test_acts_on_one_account_never_cross(api: Api, pool: Pool, settings: Settings, post: Post):
    """Recovery, new address, new password, sign-out and block all at once: no fault, and what is left fits together."""
    for number in range(10):
        email = f"u{number}@example.com"
        user = (await api.sign_up(email))["$id"]
        await pool.execute("update users set email_verified = true where id = $1", user)
        member = await api.sign_in(email)
        proofs = [(way, await post.issue(way.kind, user, email=email)) for way in (RECOVERY, SIGN_INS[0], SIGN_INS[2])]
        renewed = {"password": "yet another horse", "oldPassword": "correct horse"}
        last = [api.call("DELETE", "/v1/account", headers=member)] if number % 2 else []
        answers = await asyncio.gather(
            *(use(api, way, proof) for way, proof in proofs),
            move(api, member, f"new.{email}"),
            api.call("PATCH", "/v1/account/password", json=renewed, headers=member),
            api.call("DELETE", "/v1/account/sessions", headers=member),
            *last,
        )
        assert {answer.status for answer in answers} <= {200, 201, 204, 400, 401}, [answer.status for answer in answers]
        assert (await pool.fetchrow("select count(*) from users where id = $1", user))[0] == 1
        for way, proof in proofs:
            assert (await use(api, way, proof)).status == 401
        proofs_left = "select count(*) from tokens where email = $1 and kind not in ('email_undo', 'disavowal')"
        assert (await pool.fetchrow(proofs_left, email))[0] == 0


async def test_s69_of_fifty_at_once_one_gets_the_address(api: Api, pool: Pool):
    """Fifty accounts change to one address, in other spellings too: one has it, the others are told a plain no."""
    people = [f"p{number}@example.com" for number in range(50)]
    for email in people:
        await api.sign_up(email)
    members = [await api.sign_in(email) for email in people]
    spellings = [VICTIM, VICTIM.upper(), VICTIM.title()]
    answers = await asyncio.gather(
        *(answered(move, api, member, spellings[number % 3]) for number, member in enumerate(members))
    )
    assert sorted(answer.status for answer in answers) == [200] + [400] * 49
    assert {answer.data["type"] for answer in answers if answer.status == 400} == {"user_target_already_exists"}
    assert (await pool.fetchrow("select count(*) from users where email = $1", VICTIM))[0] == 1
    assert (await pool.fetchrow("select count(*) from mails where recipient = $1", VICTIM))[0] == 1


async def test_s70_there_and_back_again(api: Api, pool: Pool, settings: Settings, post: Post):
    """From A to B and back to A by the member's own changes: what was mailed to the first A is dead, row or no row.

    What was asked for by the address alone is ended by who has proved it; else it is its mailbox's, as before. A custom
    token was mailed to nobody.
    """
    ann = (await api.sign_up(ANN))["$id"]
    await pool.execute("update users set email_verified = true")
    proofs = [await post.issue(way.kind, ann) for way in WAYS]
    member = await api.sign_in()
    rows = await pool.fetch("select * from tokens where user_id is not null and kind <> 'custom'")
    assert (await move(api, member, "b@example.com")).status == 200
    assert (await move(api, member, ANN)).status == 200
    for row in rows:  # as a backup that was played in would bring them back
        await pool.execute("insert into tokens select (jsonb_populate_record(null::tokens, $1)).*", dict(row))
    for way, proof in zip(WAYS, proofs, strict=True):
        assert (await use(api, way, proof)).status == 401
    assert (await pool.fetchrow("select email_verified from users"))[0] is False
