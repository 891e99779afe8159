"""Accounts that nobody has proved end by themselves, where the project says so, and no other."""

import logging
import re
from datetime import UTC, datetime

import pytest

from service.accounts import user_admin
from service.accounts.user_admin import AdminContext
from service.db import Pool, Queries, transaction
from service.store import account_ends, projects, user_emails, users
from service.store.events import Actor
from worker.account_ends import AccountEnds
from worker.metrics import Metrics
from worker.security_log import SecurityLogWriter

_USERS = """
insert into users (project_id, id, email, email_verified, phone, phone_verified_at, password_hash, kept, created_at,
    email_since)
select 'shop', id, case when anonymous then null else id || '@example.com' end, verified,
    case when by_phone then '+4915100000' || length(id) end, case when by_phone then now() end,
    case when not anonymous then 'x' end, made, now() - make_interval(days => age), now() - make_interval(days => moved)
from (values
    ('squatter', false, false, false, false, 31, null::int),
    ('guest', true, false, false, false, 11, null),
    ('young', false, false, false, false, 29, null),
    ('young-guest', true, false, false, false, 9, null),
    ('proved', false, true, false, false, 99, null),
    ('by-phone', false, false, true, false, 99, null),
    ('made', false, false, false, true, 99, null),
    ('made-guest', true, false, false, true, 99, null),
    ('moved', false, false, false, false, 99, 5),
    ('moved-long-ago', false, false, false, false, 99, 40),
    ('renewed', true, false, false, false, 99, null),
    ('by-passkey', true, false, false, false, 99, null),
    ('by-provider', false, false, false, false, 99, null)
) u (id, anonymous, verified, by_phone, made, age, moved)"""
_MORE = (
    *(
        f"""insert into sessions select 'shop', '{user_id}', 's', 'x', 'anonymous', '', {", ".join(["''"] * 14)},
            now() - interval '99 d', now() - interval '{days} d', now() + interval '1 d'"""
        for user_id, days in (("renewed", 9), ("guest", 11))
    ),
    """insert into passkeys (project_id, id, user_id, name, credential_id, credential_hash, public_key, algorithm,
        backup_eligible, backed_up, sign_count, transports, aaguid)
    values ('shop', 'p', 'by-passkey', '', 'x', '', '', -7, true, true, 0, '{}', '')""",
    """insert into identities (project_id, user_id, id, provider, issuer, subject)
    values ('shop', 'by-provider', 'i', 'oidc', 'x', 'y')""",
    """insert into mails (project_id, id, letter, user_id, recipient, locale, deadline_at, message_id)
    values ('shop', gen_random_uuid(), 'verification', 'squatter', 'squatter@example.com', 'en', now(), 'x')""",
)


async def left(pool: Pool) -> set[str]:
    return {row[0] for row in await pool.fetch("select id from users")}


async def test_accounts_end_that_nobody_has_proved(pool: Pool, project, caplog: pytest.LogCaptureFixture):
    """Unverified and anonymous ones of their age; never a proved one, nor one that an operator made unless told to.

    The address is free, mails that wait are not sent, the log and other systems learn of it.
    """
    await pool.execute(_USERS)
    for statement in _MORE:
        await pool.execute(statement)
    everybody = await left(pool)
    await account_ends.end_due(pool, most=500)
    assert await left(pool) == everybody, "no project ends accounts unless told to"
    await projects.change(pool, "shop", unverified_days=30, anonymous_days=10)
    with caplog.at_level(logging.INFO):
        metrics = Metrics()
        await AccountEnds(pool, metrics, "accounts@example.com").run()
    assert everybody - await left(pool) == {"squatter", "guest", "moved-long-ago"}
    told = [record for record in caplog.records if getattr(record, "event", "") == "account_ends.ended"]
    assert sum(getattr(record, "unverified", 0) for record in told) == 2
    assert metrics.since_start["accounts_ended_unverified"] + metrics.since_start["accounts_ended_anonymous"] == 3
    await SecurityLogWriter(pool).write_pending()
    logged = await pool.fetch("select user_id from logs where name = 'users.end'")
    assert {row[0] for row in logged} == {"squatter", "guest", "moved-long-ago"}
    assert (await pool.fetchrow("select state, last_fault from mails"))[:] == ("cancelled", "its account has ended")
    await users.create(pool, "shop", user_id="owner", email="squatter@example.com", name="", password_hash=None)
    await projects.change(pool, "shop", end_made_accounts=True)
    await account_ends.end_due(pool, most=500)
    assert "made" not in await left(pool)
    assert "made-guest" not in await left(pool)
    assert {"proved", "by-phone", "by-passkey", "by-provider", "moved", "renewed", "owner"} <= await left(pool)


async def test_users_are_warned_once_before_an_unverified_account_ends(pool: Pool, project):
    """With --end-warning-days: by one letter in time, and the account ends so many days after it at the earliest.

    Another address is warned anew; nobody else gets a letter.
    """
    for statement in (_USERS, *_MORE):
        await pool.execute(statement)
    await projects.change(pool, "shop", unverified_days=30, anonymous_days=10, end_warning_days=7)
    everybody = await left(pool)
    assert await account_ends.warn_due(pool, sender="accounts@example.com", most=500) == 3
    assert await account_ends.warn_due(pool, sender="accounts@example.com", most=500) == 0
    mails = await pool.fetch(
        "select user_id, recipient, deadline_at - created_at as left, facts->>'ends_at' as ends_at from mails "
        "where letter = 'account_ends' and state = 'pending' order by user_id"
    )
    assert [(row["user_id"], row["recipient"]) for row in mails] == [
        (name, f"{name}@example.com") for name in ("moved-long-ago", "squatter", "young")
    ]
    # The young one is 29 days old: the letter promises seven days all the same.
    assert {round(row["left"].total_seconds() / 86400) for row in mails} == {7}
    await account_ends.end_due(pool, most=500)
    assert everybody - await left(pool) == {"guest"}
    await pool.execute("update users set end_warned_at = now() - interval '8 days' where end_warned_at is not null")
    await pool.execute("update users set email_since = now() - interval '6 days' where id = 'moved-long-ago'")
    await account_ends.end_due(pool, most=500)
    assert everybody - await left(pool) == {"guest", "squatter"}
    await pool.execute("update users set email_since = now() - interval '31 days' where id = 'moved-long-ago'")
    await pool.execute("update users set end_warned_at = now() - interval '32 days' where id = 'moved-long-ago'")
    await account_ends.end_due(pool, most=500)
    assert "moved-long-ago" in await left(pool), "the letter was about another address"
    assert await account_ends.warn_due(pool, sender="accounts@example.com", most=500) == 1


async def test_who_is_kept(pool: Pool, project):
    """Users that an operator makes, and those who leave a proved address; a sign-up is not."""
    operator = AdminContext(pool, "shop", Actor("127.0.0.1", "test"), None)
    await user_admin.create(operator, user_id="made", email="made@example.com", name=None, password_hash=None)
    for user_id in ("own", "moved"):
        email = f"{user_id}@example.com"
        await users.create(pool, "shop", user_id=user_id, email=email, name="", password_hash=None)
    await pool.execute("update users set email_verified = true where id = 'moved'")
    async with transaction(pool, "shop") as tx:
        before = await user_emails.claim(tx, "shop", user_id="moved", email="new@example.com")
        assert before
        await user_emails.change(tx, before, email="new@example.com")
    kept = await pool.fetch("select id, kept, email_since is not null from users order by id")
    assert [tuple(row) for row in kept] == [("made", True, False), ("moved", True, True), ("own", False, False)]


async def test_no_statement_looks_at_all_of_them(pool: Pool, project):
    """Accounts are looked at a window at a time, in transactions of a few: those that stay hold up none behind them."""
    await pool.execute(
        "insert into users (project_id, id, email, email_verified, name, created_at) select 'shop', 'old' || n,"
        " 'old' || n || '@example.com', false, '', now() - interval '60 days' + n / 3 * interval '1 s'"
        " from generate_series(1, 20) n"
    )
    await pool.execute(
        "insert into passkeys (project_id, id, user_id, name, credential_id, credential_hash, public_key, algorithm,"
        " backup_eligible, backed_up, sign_count, transports, aaguid)"
        " select 'shop', id, id, '', id::bytea, sha256(id::bytea), '', -7, true, true, 0, '{}', '' from users"
        " where id < 'old15'"
    )
    await projects.change(pool, "shop", unverified_days=30, end_warning_days=7)
    assert await account_ends.warn_due(pool, sender="accounts@example.com", most=5, looked=2) == 5
    assert await account_ends.warn_due(pool, sender="accounts@example.com", most=500, looked=2) == 9
    await pool.execute("update users set end_warned_at = now() - interval '8 days' where end_warned_at is not null")
    counts: list[int] = []
    await account_ends.end_due(pool, most=1, count=lambda _reason, number: counts.append(number), looked=2)
    assert (sum(counts), max(counts)) == (14, 1)
    assert await left(pool) == {row[0] for row in await pool.fetch("select user_id from passkeys")}


@pytest.mark.parametrize(
    ("name", "index"),
    [("lock_users_to_end", "users_to_end"), ("lock_made_users_to_end", "users_(made_to_end|unverified|by_age)")],
)
async def test_they_are_found_by_an_index(pool: Pool, project, name: str, index: str):
    """No round reads all users: those that may end by themselves stand in an index of their own."""
    statement = Queries("account_ends").statements[name]
    async with pool.connection() as connection, connection.transaction():
        # Without such rows all indexes of users who are not verified are alike to the planner.
        await connection.execute(
            "insert into users (project_id, id, kept) select 'shop', 'kept' || n, true from generate_series(1, 1000) n"
        )
        await connection.execute("analyze users")
        # By the same age of all of them a sort costs next to nothing: only an index in that order needs none.
        await connection.execute("set local enable_seqscan = off; set local enable_sort = off")
        after, until, days = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC), (30, 30, 7)
        plan = await connection.fetch(f"explain {statement.sql}", "shop", after, until, *days, False, 500)  # noqa: FBT003
    text = "\n".join(row[0] for row in plan)
    assert re.search(f"using {index} on users", text), text
    assert "Seq Scan" not in text, text
