"""The user of a mail that was requested by address: found, locked and set by one statement."""

import asyncio
from uuid import UUID

import pytest

from service.db import Pool, transaction
from service.store import outbox_claims, projects, users
from service.store.outbox_claims import Claim
from service.store.tokens import Token
from testkit.outbox import ANN, request_mail
from testkit.outbox import claim as claim_mail
from testkit.waiting import until
from worker.mail import compose

WAITS = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
ALL = (
    "select m.id, m.user_id, t.user_id, t.email_version, e.user_id, e.ready from mails m "
    "join tokens t on t.project_id = m.project_id and t.id = m.token_id "
    "join events e on e.project_id = m.project_id and e.token_id = m.token_id order by m.id"
)


async def claimed(pool: Pool) -> tuple[Claim, Token]:
    claim = await claim_mail(pool, await request_mail(pool), worker="one", lease=60)
    assert claim
    token = compose.token_of(claim)
    assert token
    return claim, token


async def user(pool: Pool, user_id: str, email: str, *, project: str = "shop") -> None:
    await users.create(pool, project, user_id=user_id, email=email, name="", password_hash=None)


async def assigned(pool: Pool) -> dict[UUID, tuple[object, ...]]:
    return {row[0]: tuple(row)[1:] for row in await pool.fetch(ALL)}


async def test_the_user_of_the_address_is_set_once(pool: Pool, project: projects.Project):
    """In its token, mail and event and in no other's; its event is named, for its job; the second time nothing is."""
    await projects.create(pool, "other", name="Other")
    await user(pool, "namesake", ANN, project="other")
    await user(pool, "ann", ANN)
    (claim, token), (beside, _) = await claimed(pool), await claimed(pool)
    found = await outbox_claims.assign_recipient(pool, claim, token)
    assert found
    assert (found.id, found.user_id, found.email_version) == (token.id, "ann", 1)
    events = await pool.fetch("select id from events where token_id = $1", token.id)
    assert found.events == [row[0] for row in events]
    assert await assigned(pool) == {
        claim.id: ("ann", "ann", 1, "ann", True),
        beside.id: (None, None, None, None, False),
    }
    assert await outbox_claims.assign_recipient(pool, claim, token) is None


@pytest.mark.parametrize("status", ["blocked", "absent"])
async def test_without_a_user_nothing_is_changed(pool: Pool, project: projects.Project, status: str):
    """A blocked user counts as none: what becomes of the token is decided after a second look."""
    if status == "blocked":
        await user(pool, "ann", ANN)
        await pool.execute("update users set status = 'blocked'")
    claim, token = await claimed(pool)
    assert await outbox_claims.assign_recipient(pool, claim, token) is None
    assert await assigned(pool) == {claim.id: (None, None, None, None, False)}


async def test_an_address_that_changes_hands_meanwhile_is_nobodys(pool: Pool, project: projects.Project):
    """Its former user, whom another transaction has locked, gets no link to what is another's by now."""
    await user(pool, "ann", ANN)
    await user(pool, "bob", "bob@example.com")
    claim, token = await claimed(pool)
    async with transaction(pool) as tx:
        await tx.execute("update users set email = 'former@example.com', email_version = 2 where id = 'ann'")
        await tx.execute("update users set email = $1, email_version = 2 where id = 'bob'", ANN)
        finding = asyncio.create_task(outbox_claims.assign_recipient(pool, claim, token))
        await until(lambda: pool.fetchrow(WAITS))
    assert await finding is None
    assert await assigned(pool) == {claim.id: (None, None, None, None, False)}
