"""Statements about sessions: each touches exactly the rows that it names."""

import json
from collections.abc import Awaitable, Callable

import pytest

from service import ids
from service.clientinfo.user_agents import Device
from service.db import Pool, Queries
from service.store import projects, sessions, users
from service.store.sessions import ClientInfo, Session, SessionPage
from service.store.users import User

DEVICE = Device(
    "WIN", "Windows", "10", "browser", "CH", "Chrome", "70.0", "Blink", "71.0", "desktop", "Acme", "A1"
)  # fmt: skip


@pytest.fixture
async def owners(pool: Pool, project: projects.Project) -> list[User]:
    """Ann and Eve of the project shop, and a user of the project `other` who has Ann's id."""
    await projects.create(pool, "other", name="Other")
    return [
        await users.create(pool, at, user_id=name, email=f"{name}@example.com", name="", password_hash=None)
        for at, name in (("shop", "ann"), ("shop", "eve"), ("other", "ann"))
    ]


async def opened(pool: Pool, user: User, seconds: int = 60) -> Session:
    place = ClientInfo("192.0.2.1", "de", DEVICE)
    session, secret = await sessions.open_session(
        pool, user, provider="email", provider_uid="ann@example.com", place=place, seconds=seconds
    )
    assert len(bytes.fromhex(secret)) == 32
    return session


async def left(pool: Pool) -> set[str]:
    return {row[0] for row in await pool.fetch("select id from sessions")}


async def test_a_session_is_read_as_it_was_opened(pool: Pool, owners: list[User]):
    """Each fact of the client in its own column; another user, of another project too, reads nothing."""
    session = await opened(pool, owners[0])
    assert (session.os_code, session.client_name, session.client_engine_version) == ("WIN", "Chrome", "71.0")
    assert (session.device_name, session.device_brand, session.device_model) == ("desktop", "Acme", "A1")
    ann, *others = owners
    assert await sessions.find(pool, ann, session_id=session.id) == session
    assert await sessions.page(pool, ann, SessionPage()) == [session]
    for other in others:
        assert await sessions.find(pool, other, session_id=session.id) is None
        assert await sessions.page(pool, other, SessionPage()) == []
        assert await sessions.extend(pool, other, session_id=session.id, seconds=900) is None
        assert await sessions.close(pool, other, session_id=session.id) is False
    assert await sessions.page(pool, ann, SessionPage()) == [session]


async def test_an_expired_session_is_not_read(pool: Pool, owners: list[User]):
    """Neither alone, nor in the list, nor is its life made longer again."""
    session, live = await opened(pool, owners[0], seconds=0), await opened(pool, owners[0])
    assert await sessions.find(pool, owners[0], session_id=session.id) is None
    assert await sessions.page(pool, owners[0], SessionPage()) == [live]
    assert await sessions.extend(pool, owners[0], session_id=session.id, seconds=60) is None


async def test_one_session_is_extended(pool: Pool, owners: list[User]):
    """It ends so many seconds from now; the user's other session ends when it did."""
    session, other = await opened(pool, owners[0]), await opened(pool, owners[0])
    extended = await sessions.extend(pool, owners[0], session_id=session.id, seconds=900)
    assert extended
    assert extended.id == session.id
    assert (extended.expires_at - extended.updated_at).total_seconds() == 900
    assert await sessions.find(pool, owners[0], session_id=session.id) == extended
    assert await sessions.find(pool, owners[0], session_id=other.id) == other
    assert await sessions.page(pool, owners[0], SessionPage()) == [extended, other], "the oldest first"


async def close_one(pool: Pool, ann: User, kept: str, ended: str) -> int:
    return await sessions.close(pool, ann, session_id=ended)


async def close_others(pool: Pool, ann: User, kept: str, ended: str) -> int:
    return await sessions.close_others(pool, ann, kept=kept)


@pytest.mark.parametrize("close", [close_one, close_others])
async def test_closing_spares_the_session_kept_and_other_users(
    pool: Pool, owners: list[User], close: Callable[..., Awaitable[int]]
):
    """One of the user's two sessions ends, and says so once."""
    kept, ended, *others = [await opened(pool, owner) for owner in (owners[0], *owners)]
    assert await close(pool, owners[0], kept.id, ended.id) == 1
    assert await close(pool, owners[0], kept.id, ended.id) == 0
    assert await left(pool) == {kept.id, *(session.id for session in others)}


async def test_closing_all_spares_other_users(pool: Pool, owners: list[User]):
    """Another user's stay, and those of the same user id in another project."""
    _, _, *others = [await opened(pool, owner) for owner in (owners[0], *owners)]
    assert await sessions.close_all(pool, owners[0]) == 2
    assert await left(pool) == {session.id for session in others}


async def test_of_too_many_sessions_the_oldest_ends(pool: Pool, owners: list[User]):
    """A user has as many as the project allows; neither other users nor other projects lose any."""
    await projects.change(pool, "shop", session_limit=2)
    spared = {(await opened(pool, owner)).id for owner in owners[1:]}
    mine = [""]
    while len(mine) < 5:
        # Ids of one millisecond are in no order.
        if ids.new()[:11] > mine[-1][:11]:
            mine.append((await opened(pool, owners[0])).id)
    assert await left(pool) == spared | set(mine[3:])


async def test_thousands_of_surplus_sessions_end_in_one_pass(pool: Pool, owners: list[User]):
    """A user who had them before there was a limit can sign in: the cost grows with their number and not its square.

    Without statistics the planner takes a user's rows for few, as it does in a large table where most users have two.
    """
    await opened(pool, owners[0])
    await pool.execute(
        "insert into sessions select (jsonb_populate_record(s, jsonb_build_object('id', lpad(number::text, 20, '0'))))"
        ".* from sessions s, generate_series(1, 2000) number"
    )
    (found,) = await pool.fetch("explain (analyze, format json) select end_surplus_sessions('shop', 'ann')")
    plan = json.loads(found[0])[0]["Plan"]
    assert plan["Shared Hit Blocks"] < 20 * 2000
    assert len(await left(pool)) == 99


async def test_a_secret_is_found_by_its_index(pool: Pool, owners: list[User]):
    """A request costs the same however many sessions its user has."""
    await opened(pool, owners[0])
    await pool.execute(
        "insert into sessions select (jsonb_populate_record(s, jsonb_build_object('id', number,"
        " 'secret_hash', '\\x' || md5(number::text)))).* from sessions s, generate_series(1, 5000) number"
    )
    await pool.execute("analyze sessions")
    statement = Queries("members").statements["find_member_by_secret"]
    plan = await pool.fetch(f"explain {statement.sql}", "shop", "ann", b"secret")
    assert any("sessions_of_secret" in row[0] for row in plan), plan


async def test_an_expired_session_is_deleted_a_day_later(pool: Pool, owners: list[User]):
    """A row stays for a day after its end."""
    young, old = await opened(pool, owners[0]), await opened(pool, owners[0])
    for hours, session in ((23, young), (25, old)):
        ended = "update sessions set expires_at = now() - make_interval(hours => $1) where id = $2"
        await pool.execute(ended, hours, session.id)
    assert await sessions.delete_expired(pool, most=500) == 1
    assert await left(pool) == {young.id}
