"""Registering an account, and reading one's own."""

import asyncio

import pytest

from service.crypto import password_hashing
from service.db import Pool
from service.store import projects
from testkit.api import Api


async def test_an_account_starts_unverified_and_signed_out(api: Api):
    """A new account is unactivated, its address unproved, and neither cookie nor session comes with it."""
    answer = await api.call(
        "POST", "/v1/account", json={"email": "Ann@Example.com", "password": "correct horse", "name": "Ann"}
    )
    assert answer.status == 201
    assert "Set-Cookie" not in answer.headers
    assert "X-Fallback-Cookies" not in answer.headers
    registered = answer.data["registration"]
    assert answer.data == {
        "$id": answer.data["$id"],
        "name": "Ann",
        "registration": registered,
        "status": 0,
        "passwordUpdate": registered,
        "email": "ann@example.com",
        "emailVerification": False,
        "prefs": {},
    }


async def test_no_mail_greets_a_new_account(api: Api, pool: Pool):
    """Registering sends no mail and opens no session: what it leaves is a user and an event."""
    await api.sign_up()
    counts = {
        table: (await pool.fetchrow(f"select count(*) from {table}"))[0]
        for table in ("users", "sessions", "tokens", "mails", "events")
    }
    assert counts == {"users": 1, "sessions": 0, "tokens": 0, "mails": 0, "events": 1}


async def test_the_password_is_kept_as_argon2id(api: Api, pool: Pool):
    """The database holds an Argon2id hash of 19 MiB and two passes, and never the password."""
    await api.sign_up(password="correct horse")
    row = await pool.fetchrow("select password_hash, users::text as everything from users")
    assert row["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert "correct horse" not in row["everything"]


@pytest.mark.parametrize("email", ["ann@example.com", "ANN@EXAMPLE.COM", "Ann@Example.Com"])
async def test_an_address_has_one_account(api: Api, email: str):
    """An address is taken in every spelling of its case: 409, in each era's words."""
    await api.sign_up()
    body = {"email": email, "password": "another horse"}
    old = await api.call("POST", "/v1/account", json=body)
    new = await api.call("POST", "/v1/account", json=body, modern=True)
    assert (old.status, old.data["message"]) == (409, "Account already exists")
    assert (new.status, new.data["type"]) == (409, "user_already_exists")


async def test_parallel_registrations_make_one_account(api: Api, pool: Pool, monkeypatch: pytest.MonkeyPatch):
    """Of any number who take one address at once exactly one gets it; the others are told so, never a 500."""
    monkeypatch.setattr(password_hashing, "_PATIENCE", 30.0)  # a busy machine may hash slowly
    body = {"email": "race@example.com", "password": "correct horse"}
    answers = await asyncio.gather(*(api.call("POST", "/v1/account", json=body) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    assert (await pool.fetchrow("select count(*) from users"))[0] == 1


async def test_the_same_address_may_register_in_another_project(api: Api, pool: Pool):
    """Accounts belong to a project: the same address elsewhere is another account."""
    await projects.create(pool, "other", name="Other")
    first = await api.sign_up()
    second = await api.call(
        "POST",
        "/v1/account",
        json={"email": "ann@example.com", "password": "correct horse"},
        headers={"X-Appwrite-Project": "other"},
    )
    assert second.status == 201
    assert second.data["$id"] != first["$id"]


async def test_a_client_may_choose_the_id(api: Api):
    """A given userId is used as it is, `unique()` asks for a fresh one, and a taken one is 409."""
    body = {"userId": "ann_1.A-b", "email": "ann@example.com", "password": "correct horse"}
    assert (await api.call("POST", "/v1/account", json=body, modern=True)).data["$id"] == "ann_1.A-b"
    taken = await api.call("POST", "/v1/account", json=body | {"email": "bob@example.com"}, modern=True)
    assert (taken.status, taken.data["type"]) == (409, "user_already_exists")
    fresh = await api.call(
        "POST", "/v1/account", json=body | {"userId": "unique()", "email": "bob@example.com"}, modern=True
    )
    assert fresh.status == 201
    assert len(fresh.data["$id"]) == 20


async def test_what_nobody_asked_for_is_not_set(api: Api):
    """Fields that are not the route's are ignored: nobody gives himself a verified address or a label."""
    body = {
        "email": "ann@example.com", "password": "correct horse", "emailVerification": True, "status": 1,
        "labels": ["admin"], "$id": "mine", "registration": 1, "prefs": {"a": 1}, "password_hash": "x",
    }  # fmt: skip
    user = (await api.call("POST", "/v1/account", json=body, modern=True)).data
    assert user["emailVerification"] is False
    assert user["labels"] == []
    assert user["prefs"] == {}
    assert user["$id"] != "mine"


@pytest.mark.parametrize(
    ("modern", "length", "status"),
    [(False, 5, 400), (False, 6, 201), (False, 32, 201), (False, 33, 400), (True, 7, 400), (True, 8, 201),
     (True, 256, 201), (True, 257, 400)],
)  # fmt: skip
async def test_password_lengths(api: Api, modern: bool, length: int, status: int):
    """A new password has 6 to 32 characters in the legacy era and 8 to 256 in the modern one."""
    answer = await api.call(
        "POST", "/v1/account", json={"email": "ann@example.com", "password": "p" * length}, modern=modern
    )
    assert answer.status == status


async def test_a_project_may_ask_for_longer_passwords(api: Api, pool: Pool):
    """A project's own minimum stands above the era's."""
    await projects.change(pool, "shop", password_min=12)
    answer = await api.call("POST", "/v1/account", json={"email": "ann@example.com", "password": "eleven char"})
    assert (answer.status, answer.data["message"]) == (
        400, "Invalid password: Password must be between 12 and 32 chars",
    )  # fmt: skip


async def test_only_a_member_reads_an_account(api: Api):
    """A guest is told so in his era's words; a member gets the very account that was made."""
    user = await api.sign_up()
    old = await api.call("GET", "/v1/account")
    new = await api.call("GET", "/v1/account", modern=True)
    assert (old.status, old.data["message"]) == (401, "User (role: guest) missing scope (account)")
    assert (new.status, new.data["message"]) == (401, 'User (role: guests) missing scopes (["account"])')
    assert (await api.call("GET", "/v1/account", headers=await api.sign_in())).data == user


async def test_prefs_come_back_byte_for_byte(api: Api, pool: Pool):
    """Stored preferences are sent as they are: order, nested emptiness and big numbers survive."""
    await api.sign_up()
    member = await api.sign_in()
    stored = '{"z": {}, "a": [], "n": 12345678901234567890, "u": "ä\u2028"}'
    await pool.execute("update users set prefs = $1", stored)
    answer = await api.client.get("/v1/account", headers=member | {"X-Appwrite-Project": "shop"})
    assert f'"prefs":{stored}' in await answer.text()
