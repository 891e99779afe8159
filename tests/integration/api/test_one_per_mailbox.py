"""One account per mailbox: spellings of an address that a provider takes for one make one account."""

import asyncio

import pytest

from service.cli.exit_codes import WRONG
from service.db import Pool, Queries
from service.settings import Settings
from service.store import users
from service.store.tokens import Kind
from testkit import api_keys
from testkit.api import Api, kind
from testkit.proofs import Post
from testkit.visitor import change_project
from tests.integration.conftest import Terminal

ANN, OTHER = "ann.lee@gmail.com", "annlee+shop@googlemail.com"
TAKEN = (409, "user_already_exists")


@pytest.fixture
async def one_per_mailbox(api: Api) -> None:
    await change_project(api, one_per_mailbox=True)


async def addresses(pool: Pool) -> list[str]:
    return [row[0] or "" for row in await pool.fetch("select email from users order by email nulls first")]


async def sign_up(api: Api, email: str) -> tuple[int, str]:
    return kind(await api.call("POST", "/v1/account", json={"email": email, "password": "correct horse"}))


async def prove(api: Api, pool: Pool, settings: Settings, email: str) -> tuple[int, str]:
    token = await Post(pool, settings).issue(Kind.OTP, "new", email=email)
    body = {"userId": token.user_id, "secret": token.secret}
    return kind(await api.call("POST", "/v1/account/sessions/token", json=body))


@pytest.mark.parametrize(
    ("address", "mailbox"),
    [
        ("a.n.n+x+y@gmail.com", "ann@gmail.com"), ("a.nn@googlemail.com", "ann@gmail.com"),
        ("ann+x@proton.me", "ann@proton.me"), ("a.nn@outlook.com", "a.nn@outlook.com"),
        ("ann+x@example.com", "ann+x@example.com"), ("+x@gmail.com", "+x@gmail.com"),
        ("ann+x@gmail.com.example", "ann+x@gmail.com.example"),
    ],
)  # fmt: skip
async def test_only_what_a_known_provider_ignores_is_ignored(pool: Pool, address: str, mailbox: str):
    """A + may be a part of a name elsewhere; a local part without anything else stays as it is."""
    assert (await pool.fetchrow("select mailbox_of($1)", address))[0] == mailbox


@pytest.mark.usefixtures("one_per_mailbox")
async def test_a_second_account_is_refused_as_for_a_taken_address(api: Api, pool: Pool):
    """At sign-up, a change of address, and by the app's server; an account's own other spelling is its to take."""
    await api.sign_up(ANN)
    same = await sign_up(api, ANN)
    assert same == await sign_up(api, OTHER) == TAKEN
    await api.sign_up("bob@example.com")
    member, asked = await api.sign_in("bob@example.com"), {"email": OTHER, "password": "correct horse"}
    known = await api.call("PATCH", "/v1/account/email", json=asked | {"email": ANN}, headers=member)
    refused = await api.call("PATCH", "/v1/account/email", json=asked, headers=member)
    assert (refused.status, refused.data) == (known.status, known.data)
    server = await api_keys.key(pool)
    body = {"userId": "eve", "email": OTHER, "password": "correct horse"}
    assert (await api.call("POST", "/v1/users", json=body, headers=server)).status == 409
    own = await api.call("PATCH", "/v1/account/email", json=asked, headers=await api.sign_in(ANN))
    assert own.status == 200
    assert await addresses(pool) == [OTHER, "bob@example.com"]


async def test_without_the_option_each_spelling_makes_an_account(api: Api):
    """As before."""
    await api.sign_up(ANN)
    await api.sign_up(OTHER)


@pytest.mark.usefixtures("one_per_mailbox")
async def test_sign_ups_at_once_make_one_account(api: Api, pool: Pool):
    """The mailbox is locked: of several spellings at once one is first."""
    emails = [f"ann+{number}@gmail.com" for number in range(4)]
    found = await asyncio.gather(*(sign_up(api, email) for email in emails))
    assert len(await addresses(pool)) == 1
    assert sorted(status for status, _ in found if status != 503)[1:] == [409] * (sum(s != 503 for s, _ in found) - 1)


@pytest.mark.usefixtures("one_per_mailbox")
async def test_who_proves_an_address_has_its_mailbox(api: Api, pool: Pool, settings: Settings):
    """An account that has not proved its address gives it up; one that has keeps out whoever proves another."""
    await api.sign_up(OTHER)
    assert (await prove(api, pool, settings, ANN))[0] == 201
    assert await addresses(pool) == ["", ANN]
    assert await prove(api, pool, settings, OTHER) == (401, "user_invalid_token")
    assert (await prove(api, pool, settings, ANN))[0] == 201
    assert await addresses(pool) == ["", ANN]


async def test_switching_on_names_who_shares_a_mailbox(api: Api, type_: Terminal, pool: Pool):
    """Nobody's account is chosen for the operator; when one is left it can be switched on."""
    for number, email in enumerate((ANN, OTHER, "bob@example.com", "bob+x@example.com")):
        await users.create(pool, "shop", user_id=f"u{number}", email=email, name="", password_hash=None)
    code, _, err = await type_("projects", "set", "shop", "--one-per-mailbox", "on")
    assert code == WRONG
    assert "share a mailbox: u0, u1\n" in err
    await pool.execute("delete from users where id = 'u1'")
    assert (await type_.json("projects", "set", "shop", "--one-per-mailbox", "on"))["one_per_mailbox"] is True


async def test_shared_mailboxes_are_found_by_indexes(pool: Pool, project):
    """To switch the rule on reads no user who spells a mailbox as it is: a project may have millions of them."""
    statement = Queries("user_emails").statements["list_shared_mailboxes"]
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(
            "insert into users (project_id, id, email) select 'shop', 'u' || n, 'u' || n || '@example.com'"
            " from generate_series(1, 3000) n"
        )
        # Rows of other tests, which nobody vacuums, make an index look large.
        await connection.execute("analyze users; set local enable_seqscan = off")
        plan = await connection.fetch(f"explain {statement.sql}", "shop", 10)
    text = "\n".join(row[0] for row in plan)
    assert "users_by_mailbox" in text, text
    assert "Seq Scan" not in text, text
