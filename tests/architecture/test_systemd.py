"""The units in deploy/systemd are held to the settings, to the commands, and to systemd's own checks."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import service.__main__
import worker.commands
from service.cli.exit_codes import UNFIT, WRONG
from service.cli.serve_processes import _SPARE
from service.server import DRAIN
from service.settings import Settings, WorkerSettings
from testkit.patience import PATIENCE
from testkit.sources import ROOT

_FOLDER = ROOT / "deploy" / "systemd"
_UNITS = sorted(path.name for path in _FOLDER.iterdir())
_SERVING = ["accounts-api.service", "accounts-worker@.service"]


def _lines(name: str) -> dict[str, list[str]]:
    """Values by key, over all sections: no key here stands in two of them."""
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", (_FOLDER / name).read_text(), re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


def test_there_is_a_unit_for_each_kind_of_process():
    """One that migrates, and those that stay."""
    others = {"accounts-migrate.service", "accounts-log-follower.service"}
    assert {*_UNITS} == {*_SERVING} | others


@pytest.mark.parametrize("name", _UNITS)
def test_commands_and_settings_are_ours(name: str):
    """A word or a variable that the program does not know would end it, or do nothing."""
    unit = _lines(name)
    python, dash_m, module, *words = unit["ExecStart"][0].replace("$PROCESSES", "2").split()
    assert (python, dash_m) == ("/opt/accounts/.venv/bin/python", "-m")
    (service.__main__.parser(words) if module == "service" else worker.commands.parser()).parse_args(words)
    variables = {pair.partition("=")[0] for line in unit.get("Environment", []) for pair in line.split()}
    credentials = {line.partition(":")[0] for line in unit["LoadCredential"]}
    assert {each.lower() for each in variables} - {"processes"} | credentials <= Settings.model_fields.keys()
    kind = WorkerSettings if module == "worker" else Settings
    missing = {field for field, info in kind.model_fields.items() if info.is_required()} - credentials
    assert missing == {"public_url"}, "the file of settings has the rest"


@pytest.mark.parametrize("name", _SERVING)
def test_they_start_again_but_not_in_vain_and_stop_in_order(name: str):
    """The manager waits longer than the process, and a fault of the settings ends the unit."""
    unit = _lines(name)
    assert (unit["Type"], unit["Restart"], unit["RestartPreventExitStatus"]) == (["notify"], ["always"], [str(UNFIT)])
    delay = next(rule.le for rule in Settings.model_fields["stop_delay"].metadata if hasattr(rule, "le"))
    longest = DRAIN + (_SPARE + delay if "api" in name else 0)
    assert float(unit["TimeoutStopSec"][0]) > longest


def test_the_follower_of_the_log_goes_on_where_it_was():
    """Its cursors are in its state directory; what another start would not mend (code 2 or 5) ends the unit."""
    unit = _lines("accounts-log-follower.service")
    (state,) = unit["StateDirectory"]
    assert f" --cursor /var/lib/{state} " in unit["ExecStart"][0]
    assert (unit["Restart"], unit["RestartPreventExitStatus"]) == (["always"], [f"{WRONG} {UNFIT}"])
    assert unit["EnvironmentFile"][1] == "/etc/accounts/log-follower.env"


@pytest.mark.parametrize("name", _UNITS)
def test_systemd_accepts_them(name: str, tmp_path: Path):
    """`verify` finds no fault, and `security` a small exposure; skipped where there is no systemd."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze on this machine")
    for path in _FOLDER.iterdir():
        # An instance, and a program that is there.
        text = path.read_text().replace("/opt/accounts/.venv/bin/python", "/bin/true")
        (tmp_path / path.name.replace("@", "@1")).write_text(text)
    unit, paths = (
        str(tmp_path / name.replace("@", "@1")),
        {"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"},
    )
    for words in (["verify", "--man=no"], ["security", "--offline=true", "--threshold=20"]):
        done = subprocess.run(
            ["systemd-analyze", *words, unit], env=paths, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert words[0] == "security" or not done.stderr, done.stderr
