"""`users erase`: a person goes with every trace, and nobody else loses anything."""

from service.cli.exit_codes import MISSING
from service.db import Pool
from service.store import event_feed, projects
from tests.integration.conftest import Terminal

# What names the person in any table; the id stays in the event of the deletion.
TRACES = ("ann@example.com", "+491511", "203.0.113.1", "Ann Lee", "u1")
_DEVICE = ", ".join(["'Pixel'"] * 13)
# USER, MAILBOX and NUMBER stand for two people's; the client's address ends with NUMBER's last digit.
_OF_USER = (
    """insert into users (project_id, id, email, name, phone)
        values ('shop', 'USER', 'MAILBOX', 'NAME', '+49151NUMBER')""",
    f"""insert into sessions select 'shop', 'USER', 's', 'x', 'email', 'MAILBOX', '203.0.113.NUMBER', {_DEVICE},
        now(), now(), now() + interval '1 day'""",
    """insert into identities (project_id, user_id, id, provider, issuer, subject, email)
        values ('shop', 'USER', 'USER', 'oidc', 'x', 'USER', 'MAILBOX')""",
    """insert into targets (project_id, user_id, id, provider_type, identifier)
        values ('shop', 'USER', 'USER', 'push', 'token of USER')""",
    "insert into phone_changes (project_id, user_id, by_holder, phone) values ('shop', 'USER', false, '+49151NUMBER')",
    """insert into tokens (project_id, id, kind, user_id, email, kid, expires_at)
        values ('shop', 'USER', 'recovery', 'USER', 'MAILBOX', 'k', now() + interval '1 day')""",
    """insert into invitations (project_id, id, email, note, most_uses, expires_at)
        values ('shop', 'USER', 'MAILBOX', '', 1, now())""",
    """insert into mails (project_id, id, letter, user_id, recipient, locale, deadline_at, message_id, state)
        select 'shop', gen_random_uuid(), 'recovery', 'USER', 'MAILBOX', 'en', now(), 'x', state
        from unnest('{sent,pending}'::text[]) state""",
    """insert into sms (project_id, id, kind, user_id, token_id, recipient, locale, deadline_at)
        values ('shop', gen_random_uuid(), 'mfa_phone', 'USER', 'x', '+49151NUMBER', 'en', now())""",
    """insert into events (project_id, id, name, user_id, ip, user_agent)
        values ('shop', gen_random_uuid(), 'account.create', 'USER', '203.0.113.NUMBER', 'NAME')""",
    """insert into feed_events (project_id, number, id, name, user_id, at)
        select 'shop', n, gen_random_uuid(), 'account.create', 'USER', now()
        from generate_series(NUMBER, NUMBER + 9) n""",
    """insert into webhook_deliveries (project_id, endpoint_id, number, event_id, type, user_id, at, state)
        select 'shop', 'hook', n, gen_random_uuid(), 'account.create', 'USER', now(), 'delivered'
        from generate_series(NUMBER, NUMBER + 9) n""",
    f"""insert into logs select 'shop', gen_random_uuid(), 'USER', 'account.create', '203.0.113.NUMBER',
        now() - make_interval(secs => n % 3), {_DEVICE} from generate_series(1, 40) n""",
    """insert into test_accounts (project_id, email, code_hash, expires_at)
        values ('shop', 'MAILBOX', 'x', now() + interval '1 day')""",
)
# Asked for by address or number, and nobody's.
_OF_NOBODY = (
    """insert into tokens (project_id, id, kind, email, kid, expires_at)
        values ('shop', 'nobodys', 'magic_url', 'ann@example.com', 'k', now() + interval '1 day')""",
    """insert into mails (project_id, id, letter, recipient, locale, deadline_at, message_id)
        values ('shop', gen_random_uuid(), 'magic_url', 'ann@example.com', 'en', now(), 'x')""",
    """insert into sms (project_id, id, kind, token_id, recipient, locale, deadline_at)
        values ('shop', gen_random_uuid(), 'phone_login', 'x', '+4915111', 'en', now())""",
)


async def tables(pool: Pool) -> list[str]:
    """Every table that has rows of projects."""
    found = await pool.fetch(
        "select table_name from information_schema.columns join pg_class c on c.relname = table_name "
        "where table_schema = 'public' and column_name = 'project_id' and c.relkind in ('r', 'p') "
        "and not c.relispartition"
    )
    return [row[0] for row in found]


async def naming(pool: Pool, *traces: str) -> dict[str, int]:
    """Count the rows of each table that hold one of these texts."""
    counts = {
        table: (await pool.fetchrow(f"select count(*) from {table} t where t::text like any($1)", list(traces)))[0]
        for table in await tables(pool)
    }
    return {table: count for table, count in counts.items() if count}


async def fill(pool: Pool) -> None:
    await projects.create(pool, project_id="shop", name="Shop")
    await event_feed.open_feed(pool, "shop")
    for user_id, name, number in (("u1", "Ann Lee", "11"), ("u2", "Bob", "22")):
        mailbox = f"{name[:3].lower()}@example.com"
        for statement in _OF_USER:
            words = {"USER": user_id, "NAME": name, "NUMBER": number, "MAILBOX": mailbox}
            for word, value in words.items():
                statement = statement.replace(word, value)  # noqa: PLW2901 - filled in word by word
            await pool.execute(statement)
    for statement in _OF_NOBODY:
        await pool.execute(statement)


async def test_every_trace_of_a_person_goes_and_none_of_another(pool: Pool, type_: Terminal, monkeypatch):
    """No table holds what names the person but the event of the deletion; the log keeps what happened, and when."""
    monkeypatch.setattr("service.store.erasure._WINDOW", 7)
    await fill(pool)
    of_bob, traces = await naming(pool, "%bob@%", "%u2%"), [f"%{trace}%" for trace in TRACES]
    entries = (await pool.fetchrow("select count(*) from logs"))[0]
    before = await naming(pool, *traces)
    shown = await type_.json("users", "erase", "shop", "ann@example.com", "--dry-run")
    assert shown == {
        "would_erase": "ann@example.com", "users": 1, "sessions": 1, "identities": 1, "passkeys": 0,
        "authenticators": 0, "targets": 1, "mails": 3, "sms": 2, "tokens": 2,
        "test_accounts": 1, "invitations": 1, "events": 1, "feed": 10, "deliveries": 10, "logs": 40,
    }  # fmt: skip
    assert await naming(pool, *traces) == before
    done = await type_.json("users", "erase", "shop", "u1")
    del shown["would_erase"]
    assert done == {"erased": "u1", **shown}
    assert await naming(pool, *traces) == {"events": 1}
    assert await naming(pool, "%bob@%", "%u2%") == of_bob
    assert (await pool.fetchrow("select count(*) from logs"))[0] == entries
    again = await type_.json("users", "erase", "shop", "u1", "--also", "ann@example.com")
    assert {name: count for name, count in again.items() if count} == {"erased": "u1"}


async def test_what_nobody_has_is_erased_all_the_same(pool: Pool, type_: Terminal):
    """Traces of a user who was deleted before, by id or by address; other users' mails to the address stay."""
    await fill(pool)
    await pool.execute("delete from users where id = 'u1'")
    await pool.execute("update mails set recipient = 'ann@example.com' where user_id = 'u2'")
    done = await type_.json("users", "erase", "shop", "ann@example.com", "--also", "bob@example.com")
    assert (done["mails"], done["test_accounts"]) == (3, 1)
    kept = [row["email"] for row in await pool.fetch("select email from test_accounts")]
    assert kept == ["bob@example.com"], "it is another user's"
    assert (await type_.json("users", "erase", "shop", "u1", "--also", "+4915111"))["logs"] == 40
    assert await naming(pool, *[f"%{trace}%" for trace in TRACES]) == {"mails": 2}
    code, _, said = await type_("users", "erase", "nowhere", "u1")
    assert (code, "no project" in said) == (MISSING, True)
