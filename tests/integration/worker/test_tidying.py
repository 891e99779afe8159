"""Tidying: every kind of row by an index, in batches, and none waits for another."""

import logging

import pytest

from service.db import Pool, Queries
from service.store import authenticators, projects, sessions, tokens
from worker.tidying import BATCH, DELETIONS, Tidying

_SESSION = (
    "insert into sessions (project_id, user_id, id, secret_hash, provider, ip, country_code, os_code, os_name,"
    " os_version, client_type, client_code, client_name, client_version, client_engine, client_engine_version,"
    " device_name, device_brand, device_model, expires_at) select 'shop', 'ann', number::text, 'x', 'email', '', '',"
    " '', '', '', '', '', '', '', '', '', '', '', '', now() - interval '25 h' from generate_series(1, $1) number"
)
_VERBS = ("delete", "list")
_OLD = ("expired", "old", "removed", "finished")
# Statements of worker/tidying.py, with their file.
_STATEMENTS = [
    (noun, name)
    for noun in (
        "acts", "authenticators", "challenges", "identities", "oauth_flows", "outbox", "passkey_challenges", "passkeys",
        "recovery_codes", "sessions", "sms", "suppressions", "invitations", "test_accounts", "tokens", "used_id_tokens",
        "user_mfa", "user_phones",
    )
    for name in Queries(noun).statements
    if name == "forget_unshown_tokens" or name.startswith(tuple(f"{verb}_{old}_" for verb in _VERBS for old in _OLD))
]  # fmt: skip
_FACTS = {"project_id": "shop", "user_ids": [], "ids": [], "days": 30}


async def test_more_than_a_batch_is_deleted_at_once(pool: Pool, ann):
    """Batch after batch until nothing is left: a backlog of months is gone after one round."""
    await pool.execute(_SESSION, 2 * BATCH + 1)
    await Tidying(pool, 12, 30, 30).run()
    assert (await pool.fetchrow("select count(*) from sessions"))[0] == 0


async def test_two_sorts_of_one_kind_leave_nothing(pool: Pool, ann):
    """Authenticators go for two reasons, each with a batch of its own: more than one batch is no last one."""
    await pool.execute(
        "insert into authenticators (project_id, user_id, id, kid, sealed, created_at, removed_at)"
        " select 'shop', 'ann', number::text, 'k', repeat('x', 60)::bytea, now() - interval '4 days',"
        " case when number > 1 then now() - interval '73 h' end from generate_series(1, $1) number",
        2 * BATCH + 1,
    )
    await Tidying(pool, 12, 30, 30, {"authenticators": authenticators.delete_old}).run()
    assert (await pool.fetchrow("select count(*) from authenticators"))[0] == 0


async def test_a_kind_that_fails_stops_no_other(pool: Pool, ann, caplog: pytest.LogCaptureFixture):
    """The log names the kind and takes nothing for an outage of Postgres; the others are deleted all the same."""
    await pool.execute(_SESSION, 1)

    async def slow(pool: Pool, *, most: int) -> int:
        return await tokens.delete_expired(pool, most=-most)  # refused by Postgres

    with caplog.at_level(logging.INFO):
        await Tidying(pool, 12, 30, 30, {"tokens": slow, "sessions": sessions.delete_expired}).run()
    (told,) = [record for record in caplog.records if hasattr(record, "event")]
    assert (told.event, told.kind, told.fault) == ("tidying.failed", "tokens", "LIMIT must not be negative")
    assert (await pool.fetchrow("select count(*) from sessions"))[0] == 0


async def test_finished_sms_go_with_the_rest(pool: Pool, ann):
    """Their rows hold numbers: those that ended before the kept days go, a younger one stays."""
    await pool.execute(
        "insert into sms (project_id, id, kind, token_id, recipient, locale, state, deadline_at, ended_at)"
        " select 'shop', uuid_at(at), 'phone_login', 't', '+491', 'en', 'sent', at, at"
        " from (select now() - make_interval(days => unnest(array[29, 31, 40])) as at) days"
    )
    await Tidying(pool, 12, 30, 30, {}).run()
    assert (await pool.fetchrow("select count(*) from sms"))[0] == 1


async def test_a_row_that_is_held_is_left_for_the_next_round(pool: Pool, ann):
    """A request that holds an expired session makes the tidying neither wait nor fail."""
    await pool.execute(_SESSION, 3)
    async with pool.connection() as held, held.transaction():
        await held.execute("select from sessions where id = '2' for update")
        await Tidying(pool, 12, 30, 30).run()
        assert [row[0] for row in await pool.fetch("select id from sessions")] == ["2"]


async def test_a_batch_that_is_held_ends_the_round(pool: Pool, ann):
    """A full batch of which nothing can be deleted is not looked for again and again."""
    await pool.execute(_SESSION, BATCH)
    async with pool.connection() as held, held.transaction():
        await held.execute("select from sessions for update")
        await Tidying(pool, 12, 30, 30).run()
    assert (await pool.fetchrow("select count(*) from sessions"))[0] == BATCH


async def test_each_project_has_its_own_statement(pool: Pool, ann):
    """Rows of several projects are found together and deleted project by project; none is left over."""
    await projects.create(pool, "second", name="Second")
    await pool.execute(
        "insert into tokens (project_id, id, kind, email, kid, expires_at)"
        " select project, number::text, 'otp', 'a@b.example', 'k', now() - interval '25 h'"
        " from unnest(array['shop', 'second']) project, generate_series(1, $1) number",
        BATCH,
    )
    await Tidying(pool, 12, 30, 30).run()
    assert (await pool.fetchrow("select count(*) from tokens"))[0] == 0


@pytest.mark.parametrize(("noun", "name"), _STATEMENTS, ids=[name for _, name in _STATEMENTS])
async def test_it_finds_them_by_an_index(pool: Pool, noun: str, name: str):
    """No statement reads a whole table, whatever its size: each names its rows by an index, at most a batch of them."""
    statement = Queries(noun).statements[name]
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("set local enable_seqscan = off")
        plan = await connection.fetch(f"explain {statement.sql}", *(_FACTS.get(one, 9) for one in statement.params))
    text = "\n".join(row[0] for row in plan)
    assert ("Limit" in text) is ("most" in statement.params)
    assert not [line for line in text.splitlines() if "Seq Scan" in line and "projects" not in line], text


def test_every_such_statement_belongs_to_it():
    """A new table's tidying is found by the test above."""
    deleting = [name for _, name in _STATEMENTS if not name.startswith("list_")]
    assert len(DELETIONS) + 2 == len(deleting)  # mails and SMS besides
