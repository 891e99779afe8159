"""`python -m worker check`: whether the worker lives, cheaply, and whether the relays let us in, without a mail."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service import heartbeat
from service.settings import Settings
from testkit.patience import PATIENCE
from testkit.sink import Sink
from testkit.sources import ROOT
from tests.integration.worker.relays import PASSWORD, QUOTED
from tests.integration.worker.token_server import TokenServer
from worker.__main__ import main


def test_the_check_loads_next_to_nothing(tmp_path: Path) -> None:
    """A container is asked every few seconds: neither the worker nor a package of others is loaded for the answer."""
    (tmp_path / "alive").touch()
    asks = "import sys; from worker.__main__ import main; code = main(['check']); print(*sys.modules); sys.exit(code)"
    done = subprocess.run(
        [sys.executable, "-c", asks],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "WORKER_HEARTBEAT": str(tmp_path / "alive")},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    said, modules = done.stdout.splitlines()
    assert (done.returncode, said) == (0, "alive: True")
    loaded = {name for name in modules.split() if name.partition(".")[0] not in sys.stdlib_module_names}
    own = {"service", "service.heartbeat", "worker", "worker.__main__"}
    assert {name for name in loaded if name.startswith(("service", "worker"))} == own
    packages = {"aiohttp", "aiosmtplib", "arq", "asyncpg", "jinja2", "jwt", "orjson", "pydantic", "redis", "uvloop"}
    assert not loaded & packages


def test_the_check_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No worker there, or one that stands still: an operator looks in two places."""
    path = tmp_path / "alive"
    monkeypatch.setenv("WORKER_HEARTBEAT", str(path))
    missing = f"alive: False (no heartbeat at {path}: is a worker running, and is that its WORKER_HEARTBEAT?)"
    assert heartbeat.describe(as_json=False) == (False, missing)
    path.touch()
    assert heartbeat.describe(as_json=False) == (True, "alive: True")
    os.utime(path, (time.time() - 3600.4, time.time() - 3600.4))
    alive, said = heartbeat.describe(as_json=False)
    assert (alive, re.sub(r"\d+", "N", said)) == (
        False,
        "alive: False (the last heartbeat is N s old: the worker hangs, or was killed)",
    )


@pytest.mark.parametrize("name", ["WORKER_HEARTBEAT", "worker_heartbeat", "Worker_Heartbeat"])
@pytest.mark.parametrize("value", ["/run/alive", "alive", ""])
def test_the_check_looks_where_the_worker_writes(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """The one setting that the check reads by itself is read as all settings are."""
    for each, given in environment.items():
        monkeypatch.setenv(each, given)
    monkeypatch.delenv("WORKER_HEARTBEAT", raising=False)
    assert heartbeat.heartbeat_path() == Settings.read().worker_heartbeat == heartbeat.USUAL
    monkeypatch.setenv(name, value)
    assert heartbeat.heartbeat_path() == Settings.read().worker_heartbeat == Path(value)


def test_the_check_reads_a_secret_file(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A setting may be a file under /run/secrets or a credential of systemd's; the environment goes first."""
    monkeypatch.delenv("WORKER_HEARTBEAT", raising=False)
    monkeypatch.delenv("SECRET_KEYS", raising=False)
    for each, given in environment.items():
        if each != "SECRET_KEYS":
            monkeypatch.setenv(each, given)
    secrets, credentials = tmp_path / "secrets", tmp_path / "credentials"
    for folder in (secrets, credentials):
        folder.mkdir()
        (folder / "worker_heartbeat").write_text(f"/from/{folder.name}\n")
    (secrets / "secret_keys").write_text(environment["SECRET_KEYS"])
    monkeypatch.setattr(heartbeat, "_CONTAINER_SECRETS", secrets)
    assert heartbeat.heartbeat_path() == Settings.read().worker_heartbeat == Path("/from/secrets")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    assert heartbeat.heartbeat_path() == Settings.read().worker_heartbeat == Path("/from/credentials")
    monkeypatch.setenv("WORKER_HEARTBEAT", "/from/the/environment")
    assert heartbeat.heartbeat_path() == Path("/from/the/environment")


def test_json_either_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 and no life where no file is, whichever side --json stands on."""
    monkeypatch.setenv("WORKER_HEARTBEAT", str(tmp_path / "alive"))
    for words in (["--json", "check"], ["check", "--json"]):
        assert main(words) == 1
        assert json.loads(capsys.readouterr().out) == {"alive": False, "heartbeat": None, "counts": None}


@pytest.fixture
def setting(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


async def tried(capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, str]]]:
    code = await asyncio.to_thread(main, ["check", "--relay", "--json"])
    return code, json.loads(capsys.readouterr().out)


async def test_relays_are_tried_without_a_mail(setting: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each relay is greeted and signed in to: well, wrong where an operator is needed, look where it may pass."""
    async with Sink(users={"ann": PASSWORD}) as well, Sink(users={"ann": "other"}) as wrong, Sink() as busy:
        busy.script("banner", "421 4.3.2 busy")
        urls = [f"smtp://ann:{QUOTED}@127.0.0.1:{sink.port}?tls=none" for sink in (well, wrong, busy)]
        setting.setenv("SMTP_URL", " ".join(urls))
        code, found = await tried(capsys)
        steps = [(step["step"], step["state"]) for step in found]
        greeted = [("connect", "ok"), ("banner", "ok"), ("ehlo", "ok")]
        assert steps == [*greeted, ("auth", "ok"), *greeted, ("auth", "fail"), ("connect", "ok"), ("banner", "warn")]
        assert (code, found[3]["message"]) == (1, "signed in with a password")
        assert PASSWORD not in str(found)
        setting.setenv("SMTP_URL", urls[0])
        assert (await tried(capsys))[0] == 0
    assert "QUIT" in well.commands
    assert not [line for line in well.commands if line.startswith("MAIL")]


async def test_the_token_is_tried_too(
    setting: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The check reports that a token can be had, or the reason, before any mail waits for it."""
    async with Sink(users={"ann": "token-1"}, mechanisms="XOAUTH2") as sink, TokenServer() as tokens:
        path = tmp_path / "oauth.toml"
        path.write_text(f'token_url = "{tokens.url}"\nclient_id = "i"\nclient_secret = "s3cret"\n')
        setting.setenv("SMTP_URL", f"smtp://ann@127.0.0.1:{sink.port}?tls=none&oauth={path}")
        code, found = await tried(capsys)
        assert (code, found[-1]["message"]) == (0, "signed in with an access token")
        tokens.answers = [(401, {"error": "invalid_client"})]
        code, found = await tried(capsys)
        assert (code, found[-1]["state"]) == (1, "fail")
        assert found[-1]["message"].startswith("the token server gave no token: 401 invalid_client; ")


async def test_an_unfit_file_is_named(
    setting: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A file that would keep a worker from starting is reported as the worker would report it."""
    setting.setenv("SMTP_URL", f"smtp://ann@127.0.0.1?oauth={tmp_path / 'nothing'}")
    assert await asyncio.to_thread(main, ["check", "--relay"]) == 5
    assert "the oauth file can't be read" in capsys.readouterr().err
