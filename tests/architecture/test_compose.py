"""compose.yaml and the Dockerfile are held to the settings and to each other. No engine is needed to read them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import service.__main__
import worker.commands
from service.settings import Settings, WorkerSettings
from testkit.sources import ROOT
from worker.relays import parse_urls

_OURS = ("migrate", "api", "worker", "log-follower")
_SECRETS = ("POSTGRES_PASSWORD", "VALKEY_PASSWORD", "SECRET_KEYS")
# Ports that checks and publishing name; what must be each worker's own, and lies in its /tmp.
_FIXED = {"PORT", "HEALTH_PORT", "WORKER_HEALTH_PORT", "WORKER_ID", "WORKER_HEARTBEAT"}
# ${NAME}, ${NAME:-default}, ${NAME:?complaint}: all that compose.yaml uses.
_HOLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text()


def holes(value: Any) -> list[re.Match[str]]:
    """Every variable that a part of the file is filled in with."""
    if isinstance(value, dict):
        return [hole for part in value.values() for hole in holes(part)]
    if isinstance(value, list):
        return [hole for part in value for hole in holes(part)]
    return [*_HOLE.finditer(value)] if isinstance(value, str) else []


def filled(text: str, given: dict[str, str]) -> str:
    """A value as compose fills it in; raises KeyError where compose would refuse to start."""

    def fill(hole: re.Match[str]) -> str:
        return given.get(hole["name"]) or hole["rest"] if hole["kind"] == "-" else given[hole["name"]]

    return _HOLE.sub(fill, text)


def test_the_whole_service_is_there(compose: dict[str, Any]):
    """Two stores, a mailbox, a migration that ends, the API and the worker; all that serve have a health check."""
    assert compose.keys() == {"postgres", "valkey", "mailpit", *_OURS}
    assert {name for name in compose if "healthcheck" not in compose[name]} == {"migrate", "log-follower"}
    for name in ("api", "worker"):
        assert compose[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert compose["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"


def test_one_image_with_less_rights_than_usual(compose: dict[str, Any], dockerfile: str):
    """API, worker and migration are one image, run by nobody special, on a disk that can't be written."""
    for name in _OURS:
        ours = compose[name]
        assert (ours["build"]["context"], ours["image"]) == (".", "accounts:latest")
        assert f"ARG BASE={filled(ours['build']['args']['BASE'], {})}\nFROM ${{BASE}}\n" in dockerfile
        assert ours["read_only"] is True
        assert ours["cap_drop"] == ["ALL"]
        assert str(Settings.model_fields["worker_heartbeat"].default.parent) in ours["tmpfs"]
    last_user = re.findall(r"^USER (\S+)", dockerfile, re.MULTILINE)[-1]
    assert last_user.isdigit(), "a number, so that an orchestrator can see that it is not root"
    assert int(last_user) > 0


@pytest.mark.parametrize("name", _OURS)
def test_every_variable_is_a_setting(compose: dict[str, Any], name: str):
    """A variable that the service does not know would do nothing and say nothing; a required one can't be missing."""
    given = compose[name]["environment"].keys()
    assert given <= {field.upper() for field in Settings.model_fields}
    required = {field.upper() for field, info in WorkerSettings.model_fields.items() if info.is_required()}
    assert required <= given


def test_every_setting_is_passed_on(compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    """An operator sets it in .env alone; where .env has none, its value is the one that the settings document."""
    passed = compose["worker"]["environment"]
    assert {field.upper() for field in Settings.model_fields} - passed.keys() == _FIXED
    given = {"POSTGRES_PASSWORD": "0a1b2c", "VALKEY_PASSWORD": "3d4e5f", "SECRET_KEYS": "k1:" + "6f1c9d2e8b3a4750" * 4}
    for variable, value in passed.items():
        monkeypatch.setenv(variable, filled(value, given))
        (hole,) = holes(value) or [None]
        assert hole is None or hole["name"] in {variable, *_SECRETS}
    usual = {name: info.default for name, info in Settings.model_fields.items() if name.upper() in passed}
    differ = {name.upper() for name, value in usual.items() if getattr(WorkerSettings.read(), name) != value}
    assert differ == {"DATABASE_URL", "REDIS_URL", "SECRET_KEYS", "PUBLIC_URL", "SMTP_URL", "HOST", "WORKER_STATE"}


@pytest.mark.parametrize("name", _OURS)
def test_the_settings_can_be_used(compose: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch):
    """With nothing but its three secrets given, compose.yaml starts a service that accepts its settings."""
    given = {"POSTGRES_PASSWORD": "0a1b2c", "VALKEY_PASSWORD": "3d4e5f", "SECRET_KEYS": "k1:" + "6f1c9d2e8b3a4750" * 4}
    for variable, value in compose[name]["environment"].items():
        monkeypatch.setenv(variable, filled(value, given))
    settings = WorkerSettings.read()
    assert settings.database_url.get_secret_value() == "postgres://accounts:0a1b2c@postgres:5432/accounts"
    assert settings.redis_url.get_secret_value() == "redis://:3d4e5f@valkey:6379/0"
    assert settings.host == "0.0.0.0", "the health check and the published port reach it"
    (relay,) = parse_urls(settings.smtp_url.get_secret_value())
    assert relay.host == "mailpit"


def test_no_secret_has_a_default(compose: dict[str, Any]):
    """A password or key that is not set keeps compose from starting; there is no default that the world knows."""
    found = holes(compose)
    assert {hole["name"] for hole in found if hole["kind"] == "?"} == {*_SECRETS}
    assert not [hole[0] for hole in found if hole["name"] in _SECRETS and hole["kind"] != "?"]
    assert compose["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")
    with pytest.raises(KeyError):
        filled(compose["api"]["environment"]["SECRET_KEYS"], {})


def test_workers_scale(compose: dict[str, Any]):
    """Nothing of a worker is one of a kind: no name, no port; so `--scale worker=N` works."""
    assert not {"container_name", "ports", "hostname"} & compose["worker"].keys()
    assert "WORKER_ID" not in compose["worker"]["environment"], "one name for several would mix up their mails"


def test_a_worker_knows_after_a_crash_what_it_had_sent(compose: dict[str, Any], dockerfile: str):
    """Its receipts stand in a named volume, which outlives the container, in a folder that its user may write to."""
    state = compose["worker"]["environment"]["WORKER_STATE"]
    (volume,) = compose["worker"]["volumes"]
    name, path = volume.split(":")
    assert path == state
    assert name in yaml.safe_load((ROOT / "compose.yaml").read_text())["volumes"]
    user = re.findall(r"^USER (\S+)", dockerfile, re.MULTILINE)[-1]
    assert f"install --directory --owner={user} --mode=0700 {state}" in dockerfile
    assert dockerfile.index(state) < dockerfile.index("\nUSER"), "only root may make it"


def test_the_follower_of_the_log_goes_on_where_it_was(compose: dict[str, Any], dockerfile: str):
    """Only with its profile; its cursors stand in a volume of its own, in a folder that its user may write to."""
    follower = compose["log-follower"]
    assert follower["profiles"] == ["syslog"]
    name, path = follower["volumes"][0].split(":")
    assert f"--cursor={path}" in follower["command"]
    assert name in yaml.safe_load((ROOT / "compose.yaml").read_text())["volumes"]
    assert name not in str(compose["worker"]["volumes"])
    assert f"--mode=0700 {path}" in dockerfile


def test_only_what_is_meant_to_is_published(compose: dict[str, Any]):
    """The API and the mailbox, on this machine only unless asked; neither stores nor health ports."""
    published = {name: part["ports"] for name, part in compose.items() if "ports" in part}
    assert published.keys() == {"api", "mailpit"}
    assert [filled(port, {}) for port in published["api"]] == ["127.0.0.1:8080:8080"]
    assert published["mailpit"] == ["127.0.0.1:8025:8025"]


def test_commands_and_checks_exist(compose: dict[str, Any], dockerfile: str):
    """The containers run commands of ours, and the checks ask the ports that API and worker listen on."""
    parsers = {"service": service.__main__.parser, "worker": lambda _: worker.commands.parser()}
    lines = [compose[name]["command"] for name in _OURS]
    lines.append(yaml.safe_load(re.findall("^CMD (.*)", dockerfile, re.MULTILINE)[0]))
    for python, dash_m, module, *words in lines:
        assert (python, dash_m) == ("python", "-m")
        parsers[module](words).parse_args(words)
    for name, setting, path in (("api", "health_port", "ready"), ("worker", "worker_health_port", "live")):
        port = Settings.model_fields[setting].default
        assert f"http://127.0.0.1:{port}/{path}" in compose[name]["healthcheck"]["test"][-1]


def test_a_stop_waits_for_what_has_begun(compose: dict[str, Any]):
    """Both drain for ten seconds; the engine must not kill them sooner."""
    for name in ("api", "worker"):
        assert int(compose[name]["stop_grace_period"].removesuffix("s")) > 10


def test_the_image_holds_what_production_runs(dockerfile: str):
    """A lock with its hashes, time zones among it, and of the tree only what the API and the worker need."""
    assert "--require-hashes" in dockerfile
    assert "\ntzdata==" in (ROOT / "requirements.lock").read_text(), "a slim image has no time zones of its own"
    assert re.findall(r"-r (\S+)", dockerfile) == ["${LOCK}"]
    assert "\nARG LOCK=requirements.lock\nCOPY ${LOCK} .\n" in dockerfile
    lets = (ROOT / ".dockerignore").read_text().splitlines()
    assert lets[1] == "*", "what is not named stays out"
    assert {line for line in lets if line.startswith("!")} == {
        "!requirements.lock", "!requirements-tracing.lock", "!pyproject.toml", "!LICENSE", "!service", "!worker",
        "!templates", "!sql", "!docs",
    }  # fmt: skip
    assert "**/__pycache__" in lets


def test_the_image_compiles_the_same_each_time(dockerfile: str, tmp_path: Path):
    """Compiled files don't hold the times of their sources, which differ from checkout to checkout."""
    (command,) = re.findall(r"&& python (-m compileall .*) service worker", dockerfile)
    (epoch,) = re.findall(r"^ARG SOURCE_DATE_EPOCH=(\d+)$", dockerfile, re.MULTILINE)
    assert dockerfile.index("ARG SOURCE_DATE_EPOCH") < dockerfile.index("RUN pip install")
    made = []
    for time in (1_000_000_000, 1_700_000_000):
        folder = tmp_path / str(time)
        shutil.copytree(ROOT / "service" / "crypto", folder / "crypto", ignore=shutil.ignore_patterns("__pycache__"))
        for source in folder.rglob("*.py"):
            os.utime(source, (time, time))
        environment = os.environ | {"SOURCE_DATE_EPOCH": epoch}
        subprocess.run([sys.executable, *command.split(), "crypto"], cwd=folder, env=environment, check=True)
        made.append({path.name: path.read_bytes() for path in folder.rglob("*.pyc")})
    assert len(made[0]) > 5
    assert made[0] == made[1]


def test_the_lock_with_traces_is_the_image_s_and_more():
    """An image made from it has the packages that the tests ran with, in the same versions, and those for traces."""
    plain, more = ((ROOT / f"requirements{name}.lock").read_text().splitlines() for name in ("", "-tracing"))
    assert [line for line in plain if line not in more] == []
    assert any(line.startswith("opentelemetry-sdk==") for line in more)
