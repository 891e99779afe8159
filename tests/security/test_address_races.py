"""The owner of an address is decided under its lock: nothing read before the wait counts (S67, S69)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from service.accounts import user_admin
from service.clientinfo.user_agents import parse
from service.db import Connection, Pool, run_with_retry, transaction
from service.errors import EmailExists, EmailTaken, UserExists
from service.settings import Settings
from service.store import members, sessions, tokens, user_emails, users
from service.store.events import Actor
from service.store.members import Member
from service.store.projects import Project
from service.store.sessions import ClientInfo
from service.store.tokens import Kind
from service.store.users import User
from testkit.api import Api
from testkit.hosted_pages import follow_link
from testkit.proofs import ANN, deadlocks
from tests.security.test_notices import PASSWORD, change_email, link, proved

pytestmark = [pytest.mark.unlimited, pytest.mark.usefixtures("cheap")]
EVE, BOB = "eve@evil.example.com", "bob@example.com"


@pytest.fixture
async def wide(database: str, pool: Pool, project: Project) -> AsyncIterator[Pool]:
    """Room for many who wait at once."""
    wide = Pool(database, size=12, name="test")
    yield wide
    await wide.close()


@asynccontextmanager
async def patient(pool: Pool) -> AsyncIterator[Connection]:
    """A transaction that waits for as long as it takes."""
    async with transaction(pool) as tx:
        await tx.execute("set local lock_timeout = 0")
        await tx.execute("set local statement_timeout = 0")
        await tx.execute("set local idle_in_transaction_session_timeout = 0")
        yield tx


async def user(pool: Pool, name: str, *, email: str | None = None, verified: bool = True) -> User:
    address = email or f"{name}@example.com"
    async with transaction(pool) as tx:
        made = await users.create(tx, "shop", user_id=name, email=address, name="", password_hash=None)
        return await user_emails.set_verified(tx, made, email_verified=verified)


async def member(pool: Pool, name: str) -> Member:
    async with transaction(pool) as tx:
        owner = await users.find(tx, "shop", user_id=name)
        assert owner
        session, _ = await sessions.open_session(
            tx, owner, provider="email", provider_uid="", place=ClientInfo("", "", parse("")), seconds=600
        )
        found = await members.find_by_session(tx, "shop", user_id=name, session_id=session.id)
    assert found
    return found


async def steal(tx: Connection, victim: Member) -> None:
    """The writes of PATCH /v1/account/email for a verified account: the old address stays reserved."""
    locked = await members.lock(tx, victim, claimed=EVE)
    assert locked
    await user_emails.change(tx, locked, email=EVE)
    await tokens.issue(
        tx, "shop", kind=Kind.EMAIL_UNDO, user_id=victim.id, email=ANN, email_version=1, kid="test", seconds=600
    )


async def sign_up(pool: Pool, number: int) -> str:
    async with patient(pool) as tx:
        await users.create(tx, "shop", user_id=f"thief{number}", email=ANN, name="", password_hash=None)
    return "got it"


async def move(pool: Pool, number: int) -> str:
    mover = await member(pool, f"mover{number}")
    async with patient(pool) as tx:
        locked = await members.lock(tx, mover, claimed=ANN)
        assert locked
        await user_emails.change(tx, locked, email=ANN)
    return "got it"


async def move_by_operator(pool: Pool, number: int) -> str:
    async with patient(pool) as tx:
        locked = await user_emails.claim(tx, "shop", user_id=f"mover{number}", email=ANN)
        assert locked
        await user_emails.change(tx, locked, email=ANN)
    return "got it"


async def all_wait(pool: Pool, count: int) -> None:
    """Until so many wait for a lock."""
    async with asyncio.timeout(60):
        while (await pool.fetchrow("select count(*) from pg_locks where not granted"))[0] < count:  # noqa: ASYNC110 - Postgres can't be awaited
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("take", [sign_up, move, move_by_operator])
async def test_s67_nobody_gets_a_stolen_address_while_it_is_reserved(
    wide: Pool, take: Callable[[Pool, int], Awaitable[str]]
):
    """Six ask for the address before the transaction that frees and reserves it is over: each is told that it is taken.

    The account that had it gets it back by its undo.
    """
    await user(wide, "ann", email=ANN)
    victim = await member(wide, "ann")
    for number in range(6):
        await user(wide, f"mover{number}")
    async with patient(wide) as tx:
        await steal(tx, victim)
        asked = [asyncio.create_task(take(wide, number)) for number in range(6)]
        await all_wait(wide, 6)
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(one) for one in told} <= {UserExists, EmailTaken}, told
    async with transaction(wide) as tx:
        owner = await user_emails.claim(tx, "shop", user_id="ann", email=ANN)
        assert owner
        assert (await user_emails.secure(tx, owner, email=ANN)).email == ANN


async def test_s67_a_thief_and_six_sign_ups_at_once(api: Api, pool: Pool, settings: Settings):
    """Over HTTP, ten times: whoever is first, the owner's undo ends in an account that has its address."""
    for _ in range(10):
        await pool.execute("delete from tokens")
        await pool.execute("delete from users")
        victim = await proved(api, pool)
        body = {"email": ANN, "password": PASSWORD}
        _, *told = await asyncio.gather(
            change_email(api, victim), *(api.call("POST", "/v1/account", json=body) for _ in range(6))
        )
        assert {answer.status for answer in told} == {409}
        assert (await follow_link(api, await link(pool, settings, Kind.EMAIL_UNDO))).status == 200
        assert [row[0] for row in await pool.fetch("select email from users")] == [ANN]


async def test_s69_an_undo_waits_for_who_proves_the_address_meanwhile(wide: Pool):
    """The mailbox's reader begins anew by a link while the undo is under way: one of them has the address, no fault."""
    await user(wide, "ann", email=ANN)
    victim = await member(wide, "ann")
    async with patient(wide) as tx:
        await steal(tx, victim)

    async def undo() -> User:
        async with patient(wide) as tx:
            owner = await user_emails.claim(tx, "shop", user_id="ann", email=ANN)
            assert owner
            return await user_emails.secure(tx, owner, email=ANN)

    async with patient(wide) as tx:
        began = await user_emails.create_verified_if_absent(tx, "shop", user_ids=["anew"], email=ANN)
        assert began
        assert (began.id, began.created, began.email_verified) == ("anew", True, True)
        undone = asyncio.create_task(undo())
        await all_wait(wide, 1)
    now = await undone
    assert (now.email, now.email_verified, now.email_version) == (None, False, 3)


async def test_two_changes_of_one_account_at_once_are_two_changes(wide: Pool):
    """The second finds another address than it went by, and begins again: both former ones are reserved."""
    await user(wide, "ann", email=ANN)
    victim = await member(wide, "ann")

    async def change() -> str | None:
        async with patient(wide) as tx:
            locked = await members.lock(tx, victim, claimed=BOB)
            assert locked
            return (await user_emails.change(tx, locked, email=BOB)).email

    async with patient(wide) as tx:
        await steal(tx, victim)
        second = asyncio.create_task(run_with_retry(change))
        await all_wait(wide, 1)
    assert await second == BOB
    assert (await users.find(wide, "shop", user_id="ann")).email_version == 3


async def test_a_block_that_is_lifted_meanwhile_keeps_the_address(wide: Pool):
    """A blocked account that never proved its address is let in again just before somebody else signs up with it."""
    await user(wide, "ann", email=ANN, verified=False)
    await wide.execute("update users set status = 'blocked'")
    async with patient(wide) as tx:
        owner = await users.lock(tx, "shop", user_id="ann")
        assert owner
        await users.change_status(tx, owner, status="active")
        asked = asyncio.create_task(sign_up(wide, 1))
        await all_wait(wide, 1)
    with pytest.raises(UserExists):
        await asked
    assert (await users.find(wide, "shop", user_id="ann")).email == ANN


async def test_accounts_that_swap_addresses_wait_for_nobody_in_a_ring(wide: Pool):
    """Twenty times two accounts ask for each other's address at once: both are refused, and no two lock each other."""
    await user(wide, "ann", email=ANN, verified=False)
    await user(wide, "bob", email=BOB, verified=False)

    async def swap(name: str, email: str) -> type[Exception]:
        operator = user_admin.AdminContext(wide, "shop", Actor("", ""), None)
        with pytest.raises(EmailExists) as refused:
            await user_admin.change_email(operator, name, email=email)
        return refused.type

    before = await deadlocks(wide)
    for _ in range(20):
        await asyncio.gather(swap("ann", BOB), swap("bob", ANN))
    assert await deadlocks(wide) == before
