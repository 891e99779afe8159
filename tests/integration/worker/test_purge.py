"""Rows of second factors, passkeys and providers that nothing needs any more, and secrets under an older key."""

import logging
from collections.abc import Callable

import pytest

from service.crypto import key_derivation
from service.crypto.secret import Secret
from service.db import Pool
from service.settings import Settings
from service.store import authenticators, users
from tests.integration.worker.test_delivery import poller
from worker.delivery import Delivery

Worker = Callable[..., Delivery]
# Rows of Ann and her session `s`, by table: columns, values, and the column that says how old a row is.
_PASSKEY = (
    "user_id, name, credential_id, credential_hash, public_key, algorithm, backup_eligible, backed_up, sign_count,"
    " transports, aaguid"
)
_PASSKEY_VALUES = "'ann', '', {id}::bytea, {id}::bytea, 'k', -7, false, false, 0, '{{}}', ''"
_SEALED = "'test', repeat('x', 28)::bytea"
ROWS = [
    ("challenges", "user_id, session_id, factor, kid", "'ann', 's', 'totp', 'test'", "expires_at"),
    ("passkey_challenges", "challenge, rp_id, origins", "'c', 'shop.example', 'o'", "expires_at"),
    ("oauth_flows", "provider, kind, success, failure, app_state", "'oidc', 'session', '', '', ''", "expires_at"),
    # One of each user waits for its first code at most.
    ("authenticators", "user_id, kid, sealed", f"{{user}}, {_SEALED}", "created_at"),
    ("authenticators", "user_id, kid, sealed, verified_at", f"'ann', {_SEALED}, now()", "removed_at"),
    ("passkeys", _PASSKEY, _PASSKEY_VALUES, "removed_at"),
    ("identities", "user_id, provider, issuer, subject", "'ann', 'oidc', '', {id}", "removed_at"),
]
# How long a row is kept, by the column that says its age; each is looked at on both sides of that.
KEPT = {"expires_at": "0 h", "created_at": "1 h", "removed_at": "72 h"}


@pytest.mark.parametrize(("table", "columns", "values", "age"), ROWS, ids=[f"{row[0]}.{row[3]}" for row in ROWS])
async def test_tidying_forgets_what_nothing_needs(  # noqa: PLR0917 - pytest passes names
    pool: Pool, a_worker: Worker, ann: users.User, table: str, columns: str, values: str, age: str
):
    """Rows that have expired, were never verified, or were removed before any notice's link that works; no others."""
    await pool.execute(
        "insert into sessions (project_id, user_id, id, secret_hash, provider, ip, country_code, os_code, os_name,"
        " os_version, client_type, client_code, client_name, client_version, client_engine, client_engine_version,"
        " device_name, device_brand, device_model, expires_at) values ('shop', 'ann', 's', 'x', 'email', '', '', '',"
        " '', '', '', '', '', '', '', '', '', '', '', now() + interval '1 h')"
    )
    await users.create(pool, "shop", user_id="bob", email=None, name="", password_hash=None)
    for name, user, more in (("old", "ann", "- interval '1 minute'"), ("young", "bob", "+ interval '1 minute'")):
        row = values.format(id=repr(name), user=repr(user))
        await pool.execute(
            f"insert into {table} (project_id, id, {columns}, {age})"
            f" values ('shop', '{name}', {row}, now() - interval '{KEPT[age]}' {more})"
        )
    await poller(pool, a_worker()).purge()
    assert [row[0] for row in await pool.fetch(f"select id from {table}")] == ["young"]


async def test_tidying_forgets_recovery_codes_and_used_id_tokens(pool: Pool, a_worker: Worker, ann: users.User):
    """A set that was replaced goes with its notice's link; what is remembered of an ID token goes when it expires."""
    for name, more in (("old", "- interval '1 minute'"), ("young", "+ interval '1 minute'")):
        await pool.execute(
            "insert into recovery_codes (project_id, user_id, set_id, place, hash, removed_at)"
            f" values ('shop', 'ann', '{name}', 0, 'h', now() - interval '72 h' {more})"
        )
        await pool.execute(
            "insert into used_id_tokens (project_id, digest, expires_at)"
            f" values ('shop', rpad('{name}', 32)::bytea, now() {more})"
        )
    await poller(pool, a_worker()).purge()
    assert [row[0] for row in await pool.fetch("select set_id from recovery_codes")] == ["young"]
    assert [bytes(row[0])[:5] for row in await pool.fetch("select digest from used_id_tokens")] == [b"young"]


async def test_a_worker_seals_anew(
    pool: Pool, a_worker: Worker, ann: users.User, settings: Settings, caplog: pytest.LogCaptureFixture
):
    """Secrets under an older key come under the first one by themselves; what can't be opened is told."""
    current = key_derivation.current(settings.key_ring)
    older = {"older": b"o" * 32}
    secret = Secret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
    await authenticators.create(pool, older, ann, secret=secret)
    delivery = a_worker()
    delivery.ring = {**settings.key_ring, **older}
    with caplog.at_level(logging.INFO):
        await poller(pool, delivery).reseal()
    found = await authenticators.find(pool, ann)
    assert found
    assert found.kid == current
    assert authenticators.secret_of(settings.key_ring, found) == secret
    await pool.execute("update authenticators set kid = 'gone'")
    await poller(pool, delivery).reseal()
    told = [record.event for record in caplog.records if hasattr(record, "event")]
    assert told == ["secrets.resealed", "secrets.unreadable"]
    assert (await pool.fetchrow("select kid from authenticators"))[0] == "gone"
