"""GET /v1/account/export: everything about the account, for its user alone."""

import asyncio
import signal
from contextlib import suppress

import orjson
import pytest
from aiohttp import ClientPayloadError, ClientSession

from service.crypto.secret import Secret
from service.db import Pool
from testkit import processes
from testkit.api import Api, kind
from testkit.factors import AUTHENTICATOR, CHALLENGES, PATH, App
from testkit.waiting import until
from worker.security_log import SecurityLogWriter

EXPORT = "/v1/account/export"
_LISTS = {"sessions", "identities", "passkeys", "mails", "sms", "logs"}


async def test_the_document_has_everything_of_the_account_and_of_nobody_else(api: Api, pool: Pool):
    """Rows of the account from its creation on, without secrets and hashes."""
    for name in ("bob", "ann"):
        await api.sign_up(f"{name}@example.com")
        member = await api.sign_in(f"{name}@example.com")
        await api.call("POST", "/v1/account/verification", json={"url": "http://localhost/there"}, headers=member)
    await pool.execute(
        "insert into identities (project_id, user_id, id, provider, issuer, subject, kid, sealed) "
        "select project_id, id, 'at-oidc', 'oidc', 'https://id.example.com', id, 'k1', '\\x5ea1ed' || sha256('a') "
        "from users where email = 'ann@example.com'"
    )
    await pool.execute(
        "insert into sms (project_id, id, kind, user_id, token_id, recipient, locale, deadline_at, created_at) "
        "select project_id, gen_random_uuid(), 'mfa_phone', id, 'none', number, 'en', now(), created_at + age "
        "from users, (values ('+4915112345678', interval '1 s'), ('+4915100000000', interval '-1 s')) o (number, age) "
        "where email = 'ann@example.com'"
    )
    await SecurityLogWriter(pool).write_pending()
    answer = await api.call("GET", EXPORT, headers=member)
    assert answer.status == 200
    text, found = await answer.text(), answer.data
    assert set(found) == _LISTS | {"exportedAt", "projectId", "account", "factors"}
    assert found["account"]["email"] == "ann@example.com"
    assert found["projectId"] == "shop"
    assert [(row["provider"], row["current"]) for row in found["sessions"]] == [("email", True)]
    assert [(row["$id"], row["providerAccessToken"]) for row in found["identities"]] == [("at-oidc", "")]
    assert [row["kind"] for row in found["mails"]] == ["verification"]
    assert [row["recipient"] for row in found["sms"]] == ["+4915112345678"]
    assert [row["event"] for row in found["logs"]] == ["verification.create", "session.create", "user.create"]
    assert "bob@" not in text
    assert "$argon2" not in text
    assert member["Cookie"].partition("=")[2] not in text


async def with_log(api: Api, pool: Pool, count: int) -> dict[str, str]:
    """A member whose security log has so many entries more."""
    await api.sign_up()
    member = await api.sign_in()
    await SecurityLogWriter(pool).write_pending()
    columns = (
        "os_code, os_name, os_version, client_type, client_code, client_name, client_version, client_engine, "
        "client_engine_version, device_name, device_brand, device_model"
    )
    await pool.execute(
        f"""insert into logs (project_id, id, user_id, name, ip, at, country_code, {columns})
            select project_id, gen_random_uuid(), user_id, 'account.update.name', n::text, now(), country_code,
                {columns}
            from logs, generate_series(1, {count}) n where name = 'account.create'"""
    )
    return member


async def test_a_large_document_is_whole(api: Api, pool: Pool):
    """Lists longer than a page come entry by entry, none twice and none left out, also where times are equal."""
    member = await with_log(api, pool, 1499)
    answer = await api.call("GET", EXPORT, headers=member)
    assert "Content-Length" not in answer.headers
    entries = [row["ip"] for row in answer.data["logs"] if row["event"] == "user.update"]
    assert (len(entries), {*entries}) == (1499, {str(number) for number in range(1, 1500)})


async def test_a_document_that_breaks_off_is_seen_to_be_cut(api: Api, pool: Pool):
    """A fault of Postgres after the first byte leaves neither whole JSON nor a whole body."""
    await api.sign_up()
    member = await api.sign_in()
    await pool.execute("alter table sms rename to sms_away")
    try:
        with pytest.raises(ClientPayloadError):
            await api.call("GET", EXPORT, headers=member)
    finally:
        await pool.execute("alter table sms_away rename to sms")


async def backends(pool: Pool) -> set[int]:
    found = await pool.fetch("select pid from pg_stat_activity where application_name = 'accounts-api'")
    return {row["pid"] for row in found}


async def test_whoever_is_slow_or_killed_holds_no_connection_to_postgres(
    api: Api, pool: Pool, environment: dict[str, str]
):
    """Clients that don't read, a client that is gone, an API that is killed: others are served, and the file is cut."""
    member = await with_log(api, pool, 20_000)
    headers = member | {"X-Appwrite-Project": "shop"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    before, one = await backends(pool), environment | {"DATABASE_CONNECTIONS": "1"}
    async with processes.api(one) as (running, address), ClientSession(headers=headers) as others:
        host, port = address.removeprefix("http://").split(":")
        opened = []
        for _ in range(2):
            # It reads no further than this limit, and the kernel's buffers hold less than the document.
            reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
            writer.write(f"GET {EXPORT} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
            assert await reader.readuntil(b"\r\n") == b"HTTP/1.1 200 OK\r\n"
            opened.append((reader, writer))
        (_, gone), (reader, writer) = opened
        for _ in range(2):
            async with others.get(f"{address}/v1/account") as answer:
                assert answer.status == 200
            gone.transport.abort()
        its_own = await backends(pool) - before
        assert its_own
        await running.end(signal.SIGKILL)
        with suppress(ConnectionError):
            assert not (await reader.read()).endswith(b"0\r\n\r\n")
        writer.close()

    async def none_left() -> bool:
        return not await backends(pool) & its_own

    await until(none_left)


async def test_a_second_factor_is_proved_for_it(api: Api, pool: Pool):
    """With second factors on it takes a challenge of the last 30 minutes; nobody else gets anything."""
    assert kind(await api.call("GET", EXPORT)) == (401, "general_unauthorized_scope")
    await api.sign_up()
    await pool.execute("update users set email_verified = true")
    member = await api.sign_in()
    made = (await api.call("POST", AUTHENTICATOR, json={}, headers=member, modern=True)).data
    app = App(pool, Secret(made["secret"]))
    await api.call("PUT", AUTHENTICATOR, json={"otp": await app.code()}, headers=member, modern=True)
    await api.call("PATCH", PATH, json={"mfa": True}, headers=member, modern=True)
    await pool.execute("update sessions set mfa_at = now() - interval '31 minutes'")
    refused = await api.call("GET", EXPORT, headers=member, modern=True)
    assert kind(refused) == (401, "user_challenge_required")
    begun = (await api.call("POST", CHALLENGES, json={"factor": "totp"}, headers=member, modern=True)).data
    answer = {"challengeId": begun["$id"], "otp": await app.unused()}
    assert (await api.call("PUT", CHALLENGES, json=answer, headers=member, modern=True)).status == 200
    document = await api.call("GET", EXPORT, headers=member, modern=True)
    assert document.data["factors"]["totp"] is True
    assert made["secret"] not in orjson.dumps(document.data).decode()
