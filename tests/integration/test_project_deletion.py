"""`projects delete`: all that a project has goes, and nothing of another's."""

import asyncio

from service.cli.exit_codes import MISSING, WRONG
from service.crypto.secret import Secret
from service.db import Pool, transaction
from service.store import branding, project_deletion, project_relays, projects, users
from testkit.outbox import request_mail
from testkit.waiting import until
from tests.integration.conftest import Terminal

TABLES = (
    "users", "sessions", "tokens", "mails", "mail_events", "events", "logs", "platforms", "apps", "api_keys",
    "branding", "project_relays", "authenticators", "challenges", "identities", "identity_tokens", "mfa_changes",
    "oauth_flows", "passkey_challenges", "passkeys", "phone_changes", "providers", "recovery_codes", "sms", "targets",
    "used_id_tokens", "user_texts", "event_feeds", "feed_events", "suppressions", "dkim_keys",
    "missed_guesses",
    "webhook_endpoints", "webhook_secrets", "webhook_deliveries", "webhook_lanes", "log_chains", "log_checkpoints",
    "test_accounts",
    "invitations",
)  # fmt: skip
# Country, system, client and device.
_WHERE_FROM = ", ".join(["''"] * 13)
ROWS = (
    f"insert into sessions select $1, 'ann', 's', 'x', 'email', '', '', {_WHERE_FROM}, now(), now(), now()",
    """insert into tokens (project_id, id, kind, email, kid, expires_at)
    values ($1, 't', 'recovery', 'a@b.cd', 'k', now())""",
    """insert into mails (project_id, id, letter, recipient, locale, deadline_at, message_id)
    values ($1, gen_random_uuid(), 'recovery', 'a@b.cd', 'en', now(), 'x')""",
    """insert into mail_events (project_id, mail_id, name, attempt)
    select project_id, id, 'waits', 1 from mails where project_id = $1""",
    """insert into events (project_id, id, name, user_id, ip, user_agent)
    values ($1, gen_random_uuid(), 'x', 'ann', '', '')""",
    f"insert into logs select $1, gen_random_uuid(), 'ann', 'x', '', now(), {_WHERE_FROM}",
    """insert into authenticators (project_id, user_id, id, kid, sealed)
    values ($1, 'ann', 'a', 'k', decode(repeat('00', 40), 'hex'))""",
    """insert into challenges (project_id, id, user_id, session_id, factor, kid, expires_at)
    values ($1, 'c', 'ann', 's', 'totp', 'k', now())""",
    """insert into identities (project_id, user_id, id, provider, issuer, subject)
    values ($1, 'ann', 'i', 'oidc', 'x', 'y')""",
    "insert into identity_tokens values ($1, 't', 'i', false)",
    "insert into mfa_changes (project_id, user_id, former) values ($1, 'ann', false)",
    """insert into oauth_flows (project_id, id, provider, kind, success, failure, app_state, expires_at)
    values ($1, 'f', 'oidc', 'token', '', '', '', now())""",
    """insert into passkey_challenges (project_id, id, challenge, rp_id, origins, expires_at)
    values ($1, 'c', '', 'localhost', '', now())""",
    """insert into passkeys (project_id, id, user_id, name, credential_id, credential_hash, public_key, algorithm,
        backup_eligible, backed_up, sign_count, transports, aaguid)
    values ($1, 'p', 'ann', '', 'x', '', '', -7, true, true, 0, '{}', '')""",
    "insert into phone_changes (project_id, user_id, by_holder) values ($1, 'ann', false)",
    "insert into event_feeds (project_id) values ($1)",
    """insert into feed_events (project_id, number, id, name, user_id, at)
    values ($1, 1, gen_random_uuid(), 'account.create', 'ann', now())""",
    "insert into webhook_endpoints (project_id, id, url) values ($1, 'w', 'https://example.com/')",
    "insert into webhook_secrets (project_id, endpoint_id, id, kid, sealed) values ($1, 'w', 's', 'k', '')",
    """insert into webhook_deliveries (project_id, endpoint_id, number, event_id, type, user_id, at)
    values ($1, 'w', 1, gen_random_uuid(), 'account.create', 'ann', now())""",
    "insert into webhook_lanes (project_id, endpoint_id, user_id, pending) values ($1, 'w', 'ann', 1)",
    "insert into log_chains (project_id, month) values ($1, '2026-01')",
    "insert into log_checkpoints values ($1, '2026-01', 1, '', now(), 'k', '')",
    "insert into providers (project_id, name) values ($1, 'oidc')",
    """insert into dkim_keys (project_id, selector, domain, algorithm, public_key, kid, sealed)
    values ($1, 's1', 'shop.example', 'rsa', '', 'k', decode(repeat('00', 40), 'hex'))""",
    "insert into recovery_codes (project_id, user_id, set_id, place, hash) values ($1, 'ann', 'r', 1, '')",
    """insert into sms (project_id, id, kind, token_id, recipient, locale, deadline_at)
    values ($1, gen_random_uuid(), 'phone_login', 't', '+4915112345678', 'en', now())""",
    "insert into targets (project_id, user_id, id, provider_type, identifier) values ($1, 'ann', 't', 'push', 'x')",
    "insert into suppressions values ($1, decode('00', 'hex'), 'operator', null, now(), now() + interval '1 day')",
    """insert into test_accounts (project_id, email, code_hash, expires_at)
    values ($1, 'a@b.cd', decode('00', 'hex'), now())""",
    """insert into invitations (project_id, id, email, note, most_uses, expires_at)
    values ($1, 'i', 'b@b.cd', '', 1, now())""",
    "insert into missed_guesses values ($1, 0, 1)",
    "insert into used_id_tokens values ($1, decode(repeat('00', 32), 'hex'), now())",
)


async def fill(pool: Pool, project_id: str) -> None:
    """Make a row in each table."""
    await projects.add_app(pool, project_id, app="com.example.app")
    await projects.create_api_key(pool, project_id, key_id="k", name="k", scopes=["users.read"])
    await branding.change(pool, project_id, footer_text="x")
    await project_relays.save(
        pool, {"k": b"x" * 32}, project_id, server="a.example:587", url=Secret("smtp://a.example")
    )
    await users.create(pool, project_id, user_id="ann", email="ann@example.com", name="", password_hash=None)
    for statement in ROWS:
        await pool.execute(statement, project_id)


async def rows(pool: Pool, project_id: str) -> dict[str, int]:
    return {
        table: (await pool.fetchrow(f"select count(*) from {table} where project_id = $1", project_id))[0]
        for table in TABLES
    }


async def test_all_of_it_goes_and_nothing_else(type_: Terminal, pool: Pool, project: projects.Project):
    """Every table is emptied of the project, the other keeps each row; a second call finds no project."""
    await projects.create(pool, "blog", name="Blog")
    await projects.add_platform(pool, "blog", hostname="localhost")
    for project_id in ("shop", "blog"):
        await fill(pool, project_id)
    assert set((await rows(pool, "shop")).values()) == {1}
    answer = await type_.json("projects", "delete", "shop", "--yes")
    kinds = (
        "mails", "sms", "tokens", "sessions", "users", "events", "feed_events", "webhook_lanes", "webhook_deliveries",
        "logs", "suppressions", "log_checkpoints", "log_chains", "test_accounts", "invitations",
    )  # fmt: skip
    assert answer == {"deleted": "shop", **dict.fromkeys(kinds, 1)}
    assert set((await rows(pool, "shop")).values()) == {0}
    assert set((await rows(pool, "blog")).values()) == {1}
    assert (await type_("projects", "delete", "shop", "--yes"))[0] == MISSING


async def test_a_program_has_to_mean_it(type_: Terminal, pool: Pool, project: projects.Project):
    """Without a terminal nobody can be asked: --yes, or nothing happens, and the error says what would go."""
    await request_mail(pool)
    code, _, err = await type_("projects", "delete", "shop")
    assert (code, "0 users, 0 keys, 1 unsent mails" in err, "--yes" in err) == (WRONG, True, True)
    assert await projects.find(pool, "shop")


async def test_who_signs_up_meanwhile_goes_too(pool: Pool, project: projects.Project):
    """A user made by a transaction that was open when the last batch went is found by the next round."""
    async with transaction(pool) as tx:
        await users.create(tx, "shop", user_id="late", email=None, name="", password_hash=None)
        deletion = asyncio.create_task(project_deletion.delete(pool, "shop", report=lambda counts: None))
        # It waits for this transaction, whose user refers to the project.
        waits = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like 'delete from projects%'"
        await until(lambda: pool.fetchrow(waits), what="the deletion does not wait")
    counts = await deletion
    assert counts
    assert counts["users"] == 1
    assert await projects.find(pool, "shop") is None


async def test_batches(pool: Pool, project: projects.Project):
    """More users than one transaction takes; each batch is reported."""
    await pool.execute("insert into users (project_id, id) select 'shop', 'u' || n from generate_series(1, 250) n")
    seen: list[int] = []
    assert await project_deletion.delete(pool, "shop", report=lambda counts: seen.append(counts["users"]))
    assert seen == [100, 200, 250]


async def test_sessions_go_first(pool: Pool, project: projects.Project):
    """A user with more sessions than one transaction takes goes when they have gone."""
    await pool.execute("insert into users (project_id, id) values ('shop', 'ann'), ('shop', 'bob')")
    values = f"'shop', case when n > 1 then 'ann' else 'bob' end, 's' || n, 'x', 'email', '', '', {_WHERE_FROM}"
    await pool.execute(f"insert into sessions select {values}, now(), now(), now() from generate_series(1, 250) n")
    seen: list[tuple[int, int]] = []
    await project_deletion.delete(
        pool, "shop", report=lambda counts: seen.append((counts["sessions"], counts["users"]))
    )
    assert seen == [(100, 0), (200, 0), (250, 2)]
