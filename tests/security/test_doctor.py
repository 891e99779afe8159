"""Findings of the doctor: servers away or unfit, settings for a trial, misread client addresses (S74, S90)."""

import asyncio
import json
import secrets
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from service.__main__ import main
from service.cli.exit_codes import UNWELL
from service.crypto import proxy_probe
from service.crypto.secret import Secret
from service.db import Pool
from service.settings import Settings
from service.store import project_relays, projects, providers
from testkit import edge
from testkit.api import Api
from testkit.sink import Sink
from tests.conftest import TEMPLATE, Shared, run_sql


@pytest.fixture
def trial(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


async def doctor(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[dict[str, str]]]:
    """Exit code and findings, as another process would get them."""
    code = await asyncio.to_thread(main, ["--json", "doctor", *words])
    return code, json.loads(capsys.readouterr().out)


def of(found: list[dict[str, str]], about: str) -> list[str]:
    return [finding["state"] for finding in found if finding["about"] == about]


async def test_a_sound_service_is_ok(trial, pool: Pool, redis: Any, capsys: pytest.CaptureFixture[str]):
    """Postgres migrated and writable, Redis there: code 0."""
    code, found = await doctor(capsys)
    assert code == 0
    assert (of(found, "postgres"), of(found, "redis"), of(found, "settings")) == (["ok"], ["ok"], ["ok"])


async def test_what_is_away_is_named(trial, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """A server that can't be asked is wrong, by host and port, and no password of it is shown."""
    monkeypatch.setenv("DATABASE_URL", "postgres://u:hidden@127.0.0.1:1/none")
    monkeypatch.setenv("REDIS_URL", "redis://:hidden@127.0.0.1:1")
    code, found = await doctor(capsys)
    assert code == UNWELL
    assert (of(found, "postgres"), of(found, "redis")) == (["fail"], ["fail"])
    assert [str(found).count(f"{name} at 127.0.0.1:1 refuses connections") for name in ("postgres", "redis")] == [1, 1]
    assert "hidden" not in str(found)


@pytest.mark.parametrize(("read_only", "says"), [("off", "has schema 0"), ("on", "may only be read")])
async def test_a_database_of_another_state(  # noqa: PLR0917 - fixtures, and what is tried
    trial,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    shared_postgres: Shared,
    read_only: str,
    says: str,
):
    """One that was never migrated, and one that may only be read, are wrong and say so."""
    async with shared_postgres.new_database() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        setting = f"default_transaction_read_only to {read_only}"
        await run_sql(shared_postgres.url, f"alter database {url.rpartition('/')[2]} set {setting}")
        code, found = await doctor(capsys)
    told = " ".join(finding["message"] for finding in found if finding["about"] == "postgres")
    assert code == UNWELL
    assert says in told


async def test_a_redis_that_forgets(trial, pool: Pool, redis: Any, capsys: pytest.CaptureFixture[str]):
    """A Redis that throws keys away when it is full would forget guesses."""
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        code, found = await doctor(capsys)
    finally:
        await redis.config_set("maxmemory-policy", "noeviction")
    assert (code, of(found, "redis")) == (0, ["warn"])


@pytest.mark.parametrize(
    ("state", "restored", "says"),
    [
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE"), "may only be read: it is a replica"),
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0"), "has no memory left"),
    ],
)
async def test_a_redis_that_takes_no_writes(  # noqa: PLR0917 - fixtures, and what is tried
    trial,
    pool: Pool,
    redis: Any,
    capsys: pytest.CaptureFixture[str],
    state: tuple[str, ...],
    restored: tuple[str, ...],
    says: str,
):
    """A Redis that answers and takes no writes is wrong: no job gets into its queue."""
    await redis.execute_command(*state)
    try:
        code, found = await doctor(capsys)
    finally:
        await redis.execute_command(*restored)
    assert (code, of(found, "redis")) == (UNWELL, ["fail"])
    assert says in str(found)


async def test_rights_that_a_role_lacks(
    trial, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shared_postgres: Shared
):
    """A role that may not do with every table what the API does is wrong, and the tables are named."""
    role = f"limited_{secrets.token_hex(4)}"
    async with shared_postgres.new_database(TEMPLATE) as url:
        for statement in (
            f"create role {role} login password 'hidden'",
            f"grant select, insert, update, delete on all tables in schema public to {role}",
            f"revoke insert, update, delete on schema_migrations from {role}",
        ):
            await run_sql(url, statement)
        server = urlsplit(url)
        monkeypatch.setenv("DATABASE_URL", f"postgres://{role}:hidden@{server.hostname}:{server.port}{server.path}")
        code, found = await doctor(capsys)
        assert (code, of(found, "postgres")) == (0, ["ok"])
        await run_sql(url, f"revoke select on webhook_endpoints from {role}; revoke delete on users from {role}")
        code, found = await doctor(capsys)
        assert (code, of(found, "postgres")) == (UNWELL, ["fail"])
        assert "does not let this role read and change users, webhook_endpoints: docs/operations.md" in str(found)
    await run_sql(shared_postgres.url, f"drop role {role}")


async def test_relays_are_tried_by_the_worker(
    trial, pool: Pool, redis: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A relay that lets us in is `ok`, one that doesn't is `fail`, and one that can't be reached is `warn`."""
    async with Sink(users={"ann": "good"}) as sink:
        for password, code, state in (("good", 0, "ok"), ("bad", UNWELL, "fail")):
            monkeypatch.setenv("SMTP_URL", f"smtp://ann:{password}@127.0.0.1:{sink.port}?tls=none")
            told, found = await doctor(capsys)
            assert (told, of(found, "relay")) == (code, ["ok", "ok", "ok", state])
    told, found = await doctor(capsys)
    assert (told, of(found, "relay")) == (0, ["warn"])
    monkeypatch.setenv("SMTP_URL", "smtp://ann:hidden@127.0.0.1:99999")
    told, found = await doctor(capsys)
    assert (told, of(found, "relay")) == (UNWELL, ["fail"])
    assert "hidden" not in str(found)


async def test_servers_of_projects_are_tried_too(
    trial, pool: Pool, redis: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Each by host, port and project: one that refuses the password or whose key is gone is `fail`, one away `warn`."""
    secret = "s3cret-of-a-project"
    old = {"old": bytes.fromhex("0a9b8c7d6e5f4321" * 4)}
    monkeypatch.setenv("SECRET_KEYS", f"{trial['SECRET_KEYS']},old:{old['old'].hex()}")
    monkeypatch.setenv("SMTP_URL", "")

    async def give(project_id: str, port: int, ring: dict[str, bytes] = old) -> None:
        await projects.create(pool, project_id, name=project_id)
        url = Secret(f"smtp://ann:{secret}@127.0.0.1:{port}?tls=none")
        await project_relays.save(pool, ring, project_id, server=f"127.0.0.1:{port}", url=url)

    async with Sink(users={"ann": secret}) as well, Sink(users={"ann": "another"}) as wrong:
        await give("away", 1)
        await give("gone", 25, {"none": b"x" * 32})
        await give("well", well.port)
        await give("wrong", wrong.port)
        told, found = await doctor(capsys)
        lines = [(each["state"], each["message"].partition(":")[2]) for each in found if each["about"] == "relay"]
        last = {words.split()[0].partition("/")[2]: state for state, words in lines if "encrypted" not in words}
        assert last == {"away": "warn", "gone:": "fail", "well": "ok", "wrong": "fail"}
        assert sum("run `secret-keys reseal`" in words for _, words in lines) == 3
        assert (told, well.logins, wrong.logins, well.mails) == (UNWELL, [("ann", True)], [("ann", False)], [])
    assert secret not in str(found)


async def test_stored_secrets_are_looked_at(
    trial, pool: Pool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Secrets under an older key are `warn`; without their key no process starts, so that is `fail`."""
    old = {"old": bytes.fromhex("0a9b8c7d6e5f4321" * 4)}
    await projects.create(pool, "shop", name="Shop")
    await providers.save(pool, "shop", "google", client_id="x")
    await providers.set_secret(pool, old, "shop", "google", secret=Secret("s3cret"))
    code, found = await doctor(capsys)
    assert (code, of(found, "SECRET_KEYS")) == (UNWELL, ["fail"])
    assert "1 of provider under old" in str(found)
    monkeypatch.setenv("SECRET_KEYS", f"{trial['SECRET_KEYS']},old:{old['old'].hex()}")
    code, found = await doctor(capsys)
    assert (code, of(found, "SECRET_KEYS")) == (0, ["warn"])
    assert "under old; run `secret-keys reseal`" in str(found)


async def test_settings_for_a_trial(
    trial, pool: Pool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A setting that is right on a developer's machine and wrong in production is `warn`, and no fault."""
    for name, value in (("PUBLIC_URL", "http://accounts.example.com"), ("LIMITS", "off"), ("SMTP_URL", "")):
        monkeypatch.setenv(name, value)
    code, found = await doctor(capsys)
    assert code == 0
    assert {name: of(found, name) for name in ("PUBLIC_URL", "LIMITS", "SMTP_URL")} == {
        "PUBLIC_URL": ["warn"], "LIMITS": ["warn"], "SMTP_URL": ["warn"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("smtp://localhost:1?tls=none smtp://192.0.2.1:25?tls=none", "has tls=none"),
        ("smtp://ann:hid[den@relay.example.com:587", "names no relay: workers won't start"),
    ],
)
async def test_every_relay_is_looked_at(  # noqa: PLR0917 - fixtures, and what is tried
    trial, pool: Pool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, says: str
):
    """The spares too; an address that can't be read is a finding, and nothing of it is shown."""
    monkeypatch.setenv("SMTP_URL", url)
    monkeypatch.setenv("SMTP_TIMEOUTS", "connect=0.1")
    _, found = await doctor(capsys)
    assert says in " ".join(each["message"] for each in found if each["about"] == "SMTP_URL")
    assert "hid[den" not in str(found)


@pytest.mark.parametrize(
    ("trusted", "proxies"), [(0, 0), (1, 1), (2, 2), (1, 0), (0, 1), (2, 1), (1, 2)]
)  # fmt: skip
async def test_s74_the_right_number_of_hops(
    settings: Settings, api: Api, capsys: pytest.CaptureFixture[str], trusted: int, proxies: int
):
    """The doctor asks through all proxies, with an address that it made up, and says which number is right."""
    state = "ok" if trusted == proxies else "fail"
    async with (
        edge.edge(settings.model_copy(update={"trusted_hops": trusted})) as port,
        edge.running(_chain(port, proxies), settings) as runner,
    ):
        code, found = await doctor(capsys, "--through", f"http://127.0.0.1:{runner.addresses[0][1]}")
    assert of(found, "TRUSTED_HOPS") == [state], found
    assert code == (0 if state == "ok" else UNWELL)
    assert state == "ok" or f"{proxies} is right here" in str(found)


@pytest.mark.parametrize(
    ("read", "written", "wrong"),
    [
        ("Forwarded", {"Forwarded": "for=198.51.100.9"}, []),
        ("X-Forwarded-For", {"X-Forwarded-For": "198.51.100.9:8080"}, []),
        ("X-Forwarded-For", {"X-Forwarded-For": "198.51.100.9", "Forwarded": "for=198.51.100.9"}, []),
        ("X-Forwarded-For", {"Forwarded": "for=198.51.100.9"}, ["FORWARDED_HEADER", "TRUSTED_HOPS"]),
        ("Forwarded", {"X-Forwarded-For": "198.51.100.9"}, ["FORWARDED_HEADER", "TRUSTED_HOPS"]),
        ("X-Forwarded-For", {"X-Forwarded-For": "unknown"}, ["X-Forwarded-For"]),
        ("Forwarded", {"Forwarded": 'for="_hidden"'}, ["Forwarded"]),
    ],
)
async def test_s74_the_right_header(  # noqa: PLR0917 - fixtures, and what is tried
    settings: Settings,
    api: Api,
    capsys: pytest.CaptureFixture[str],
    read: str,
    written: dict[str, str],
    wrong: list[str],
):
    """The doctor finds which header the proxies write, and whether it holds an address."""
    own = settings.model_copy(update={"trusted_hops": 1, "forwarded_header": read})
    async with edge.edge(own) as port, edge.running(_chain(port, 1, written), settings) as runner:
        code, found = await doctor(capsys, "--through", f"http://127.0.0.1:{runner.addresses[0][1]}")
    assert [each["about"] for each in found if each["state"] == "fail"] == wrong, found
    assert code == (UNWELL if wrong else 0)


def _chain(port: int, proxies: int, written: dict[str, str] | None = None) -> web.Application:
    """So many proxies in one: each appends who asked it, and passes on what it does not write."""
    adds = {"X-Forwarded-For": "198.51.100.9"} if written is None else written

    async def pass_on(request: web.Request) -> web.Response:
        given = {name: request.headers.getall(name, []) for name in ("X-Forwarded-For", "Forwarded")}
        hops = {name: [*hops, *[adds[name]] * proxies] if name in adds else hops for name, hops in given.items()}
        headers = {name: value for name, value in request.headers.items() if name.startswith("X-Accounts")}
        headers |= {name: ", ".join(each) for name, each in hops.items() if each}
        proof = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        raw = f"GET {request.raw_path} HTTP/1.1\r\nHost: localhost\r\n{proof}\r\n"
        told = await edge.ask(port, raw.encode())
        return web.Response(status=told.status, body=told.body)

    app = web.Application()
    app.router.add_get("/{any:.*}", pass_on)
    return app


async def test_s90_nobody_else_is_told(api: Api, settings: Settings):
    """Without a fresh proof made with one of the server's keys there is nothing at that path."""
    now = int(time.time())
    good = proxy_probe.sign(settings.key_ring, now=now)
    other = proxy_probe.sign({"x": b"x" * 32}, now=now)
    old, early = (proxy_probe.sign(settings.key_ring, now=now + seconds) for seconds in (-61, 90))
    for proof in ("", "x", good[:-1], good + "0", other, old, early, f"{now}.{'0' * 64}", f"{good},{good}"):
        answer = await api.call("GET", "/whoami", headers={proxy_probe.HEADER: proof})
        assert (answer.status, answer.data["type"]) == (404, "general_route_not_found"), proof
    answer = await api.call("GET", "/whoami", headers={proxy_probe.HEADER: good})
    assert (answer.status, answer.data["believed"]) == (200, "127.0.0.1")


async def test_a_wrong_address_is_a_finding(trial, pool: Pool, redis: Any, capsys: pytest.CaptureFixture[str]):
    """An address where nothing listens is `fail`; text that is no address is a usage error."""
    code, found = await doctor(capsys, "--through", "http://127.0.0.1:1")
    assert (code, of(found, "through")) == (UNWELL, ["fail"])
    assert await asyncio.to_thread(main, ["doctor", "--through", "localhost"]) == 2
    for words in ("http://[", "http://localhost:99999", "https://localhost:x", "http://", "javascript:1", ""):
        assert await asyncio.to_thread(main, ["doctor", "--through", words or " "]) == 2
    _, found = await doctor(capsys, "--through", f"http://{'a' * 70}.test")
    assert of(found, "through") == ["fail"]


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b"{}", b'{"believed":"1.2.3.4"}', b"\xff"])
async def test_another_service_is_a_finding(  # noqa: PLR0917 - fixtures, and what is tried
    trial, pool: Pool, redis: Any, capsys: pytest.CaptureFixture[str], aiohttp_server: Any, body: bytes
):
    """A server that answers 200 to everything is not this service."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body)

    app = web.Application()
    app.router.add_get("/{anything:.*}", answer)
    server = await aiohttp_server(app)
    code, found = await doctor(capsys, "--through", f"http://127.0.0.1:{server.port}")
    assert (code, of(found, "through")) == (UNWELL, ["fail"])
