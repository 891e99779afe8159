"""The service behind PgBouncer in transaction mode, where each transaction may run in another session of the server."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from service.__main__ import main
from service.cli.exit_codes import UNFIT
from service.db import Pool
from testkit import processes
from testkit.api import Api
from testkit.cluster import ALL_ENDED
from testkit.pgbouncer import pgbouncer
from testkit.sink import Sink
from testkit.waiting import until
from tests.conftest import run_sql

_PEOPLE = 12


@pytest.fixture
async def bouncer(database: str, tmp_path: Path) -> AsyncIterator[str]:
    """Address of the tests' database through PgBouncer, which has fewer sessions than the API."""
    async with pgbouncer(tmp_path / "pgbouncer", database) as url:
        yield url


@pytest.fixture
def environment(environment: dict[str, str], bouncer: str) -> dict[str, str]:
    return environment | {"DATABASE_URL": f"{bouncer}?prepared_statements=off", "LIMITS": "off"}


async def _live(api: Api, name: str) -> list[int]:
    """Do what a person does in a day; the status of each answer."""
    email = f"{name}@example.com"
    await api.sign_up(email)
    member = await api.sign_in(email)
    recovery = {"email": email, "url": "http://localhost/recover"}
    answers = [
        await api.call("GET", "/v1/account", headers=member),
        await api.call("PATCH", "/v1/account/prefs", json={"prefs": {"name": name}}, headers=member),
        await api.call("GET", "/v1/account/logs", headers=member),
        await api.call("POST", "/v1/account/recovery", json=recovery),
        await api.call("DELETE", "/v1/account/sessions/current", headers=member),
    ]
    assert answers[1].data["prefs"] == {"name": name}
    return [answer.status for answer in answers]


async def _all_ended(pool: Pool) -> bool:
    (ended,) = await pool.fetchrow(ALL_ENDED)
    return bool(ended)


@pytest.mark.usefixtures("cheap")
async def test_api_and_worker_work_without_prepared_statements(
    api: Api, pool: Pool, environment: dict[str, str], tmp_path: Path
):
    """Twelve people at once over three sessions: every act is done, and every mail goes out once."""
    done = await asyncio.gather(*(_live(api, f"user-{number}") for number in range(_PEOPLE)))
    assert done == [[200, 200, 200, 201, 204]] * _PEOPLE
    async with Sink() as sink:
        own = {"SMTP_URL": f"smtp://127.0.0.1:{sink.port}?tls=none", "WORKER_STATE": str(tmp_path)}
        async with processes.worker(environment | own, heartbeat=tmp_path / "alive"):
            await until(lambda: _all_ended(pool), what="mails or events are left")
    sent = sorted(mail.recipients[0] for mail in sink.mails)
    assert sent == sorted(f"user-{number}@example.com" for number in range(_PEOPLE))


async def test_the_doctor_prints_the_deadlines_that_were_dropped(
    environment: dict[str, str], database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Pasted into psql they hold: the next session through the pooler has them, and the doctor is content."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    async def postgres() -> list[dict[str, str]]:
        await asyncio.to_thread(main, ["--json", "doctor"])
        return [finding for finding in json.loads(capsys.readouterr().out) if finding["about"] == "postgres"]

    sound, dropped = await postgres()
    statements = dropped["message"].partition("run: ")[2]
    role = urlsplit(database).username
    assert (sound["state"], dropped["state"]) == ("ok", "warn")
    assert f"alter role {role} set statement_timeout = '3000'; " in statements
    try:
        await run_sql(database, statements)
        others = "datname = current_database() and pid <> pg_backend_pid()"
        await run_sql(database, f"select pg_terminate_backend(pid) from pg_stat_activity where {others}")
        assert [finding["state"] for finding in await postgres()] == ["ok"]
    finally:
        await run_sql(database, f"alter role {role} reset all")


def test_migrations_are_refused(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys):
    """They hold a session's lock, which a pooler would hand to whoever comes next."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(["migrate"]) == UNFIT
    assert "migrate at Postgres's own address" in capsys.readouterr().err
