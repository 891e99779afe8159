"""The writes of a guess are equal for every address: a commit that waits for the disk takes longer than none."""

from collections.abc import Awaitable

import pytest
from asyncpg import Connection

from service import ids
from service.db import Pool
from service.settings import Settings
from service.store import challenges, members, token_lookups
from service.store.tokens import Kind
from testkit.api import Api
from testkit.factors import Person, signed_in
from testkit.proofs import ANN, BY_ID, Post, find_by_code

pytestmark = [pytest.mark.unlimited, pytest.mark.usefixtures("cheap")]
_WRITTEN = """
    select coalesce(sum(n_tup_ins), 0)::int, coalesce(sum(n_tup_upd), 0)::int, coalesce(sum(n_tup_del), 0)::int,
        pg_current_xact_id_if_assigned() is not null
    from pg_stat_xact_user_tables
"""
# Rows added, changed and taken away, and whether there is something to commit.
ONE_CHANGE = (0, 1, 0, True)


@pytest.fixture(autouse=True)
async def slots(api: Api, pool: Pool) -> None:
    """The rows that count guesses at nothing, as a project has them after its first ones."""
    await pool.execute("insert into missed_guesses select 'shop', generate_series(0, 63), 1")


async def written(pool: Pool, settings: Settings, kind: Kind, user_id: str, secret: str) -> tuple[int, int, int, bool]:
    """By one guess."""
    ring = settings.key_ring
    async with pool.connection() as connection:
        if kind in BY_ID:
            guess = find_by_code(connection, kind=kind, requested_user_id=user_id, code=secret, ring=ring)
        else:
            guess = token_lookups.find_by_secret(
                connection, "shop", kind=kind, user_id=user_id, secret=secret, ring=ring
            )
        return await written_by(connection, guess)


async def written_by(connection: Connection, guess: Awaitable[object]) -> tuple[int, int, int, bool]:
    """By one call on this connection."""
    block = connection.transaction()
    await block.start()
    # What this connection did before is counted as well until it is reported.
    before = tuple(await connection.fetchrow(_WRITTEN))
    await guess
    *after, committed = tuple(await connection.fetchrow(_WRITTEN))
    await block.commit()
    added, changed, gone = (now - then for now, then in zip(after, before, strict=False))
    return added, changed, gone, committed


# Guesses at a code of a challenge count for the challenge, see below.
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.MFA_EMAIL, Kind.MFA_PHONE)])
async def test_s09_a_guess_writes_the_same_at_a_token_and_at_nothing(
    api: Api, pool: Pool, settings: Settings, post: Post, kind: Kind
):
    """Live, guessed at five times, expired, used, of another user, or never there: one row is changed and committed."""
    ann = (await api.sign_up(ANN))["$id"]
    live = await post.issue(kind, ann)
    wrong = "wrong!" if kind in BY_ID else live.secret[:20] + "0" * 236
    found = {"live": await written(pool, settings, kind, ann, wrong)}
    found["nobody"] = await written(pool, settings, kind, ids.new(), wrong)
    await pool.execute("update tokens set attempts = 5")
    found["guessed at"] = await written(pool, settings, kind, ann, wrong)
    await pool.execute("update tokens set attempts = 0, expires_at = now()")
    found["expired"] = await written(pool, settings, kind, ann, wrong)
    await pool.execute("delete from tokens")
    found["used"] = await written(pool, settings, kind, ann, wrong)
    found["never there"] = await written(pool, settings, kind, ann, "9" * len(wrong))
    assert set(found.values()) == {ONE_CHANGE}, found


async def test_s09_an_answer_writes_the_same_at_a_challenge_and_at_nothing(api: Api, pool: Pool):
    """Live, answered five times, expired, of another session, or never there: one row is changed and committed."""
    await api.sign_up(ANN)
    ann, other = await signed_in(api, pool), await signed_in(api, pool)
    await ann.enrol()
    live = await ann.challenge("totp")
    found = {"live": await answered(pool, ann, live), "another session": await answered(pool, other, live)}
    await pool.execute("update challenges set attempts = 5")
    found["answered five times"] = await answered(pool, ann, live)
    await pool.execute("update challenges set attempts = 0, expires_at = now()")
    found["expired"] = await answered(pool, ann, live)
    found["never there"] = await answered(pool, ann, ids.new())
    assert set(found.values()) == {ONE_CHANGE}, found


async def answered(pool: Pool, person: Person, challenge_id: str) -> tuple[int, int, int, bool]:
    """By one answer to a challenge."""
    session = (await person.call("GET", "/v1/account/sessions/current")).data
    async with pool.connection() as connection:
        member = await members.find_by_session(connection, "shop", user_id=session["userId"], session_id=session["$id"])
        assert member is not None
        return await written_by(connection, challenges.count_attempt(connection, member, challenge_id=challenge_id))


async def test_missed_guesses_fill_nothing(api: Api, pool: Pool, settings: Settings):
    """However many guesses miss, no row is added once a project has those that count them."""
    for _ in range(20):
        await written(pool, settings, Kind.RECOVERY, ids.new(), ids.new() + "0" * 236)
    after = (await pool.fetchrow("select count(*), sum(guesses) from missed_guesses"))[:]
    assert after == (64, 64 + 20)


async def test_the_first_missed_guesses_of_a_project_are_one_write_too(api: Api, pool: Pool, settings: Settings):
    """Before they have their rows they add them: one row and a commit as well."""
    await pool.execute("delete from missed_guesses")
    written_first = await written(pool, settings, Kind.RECOVERY, ids.new(), ids.new() + "0" * 236)
    assert written_first == (1, 0, 0, True)
