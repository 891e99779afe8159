"""Alert rules and dashboard: they name metrics that exist, and each alert is shown to fire."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.http import metrics as api_metrics
from testkit import debian
from testkit.drivers import PACKAGES, lacking
from testkit.node import node
from testkit.patience import PATIENCE
from testkit.sources import ROOT
from worker import metric_definitions as worker_metrics

_PROMETHEUS = ROOT / "deploy" / "prometheus"
_KNOWN = {each: definition for definition in (*api_metrics.DEFINITIONS, *worker_metrics.DEFINITIONS)
          for each in definition.series}  # fmt: skip
_SERIES = re.compile(r"\b(?:accounts|process)_\w+")
# A selector or a grouping, with the names of its labels.
_MATCHERS = re.compile(r"((?:accounts|process)_\w+)\{([^}]*)\}")
# Labels that Prometheus itself gives.
_OF_PROMETHEUS = {"job", "instance", "le", "severity"}


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load((_PROMETHEUS / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "accounts.json").read_text())
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression of rules and dashboard, with the place where it stands."""
    yield from ((name, rule["expr"]) for name, rule in alerts().items())
    yield from ((panel["title"], target["expr"]) for panel in panels() for target in panel["targets"])


def faults(expression: str) -> list[str]:
    """Metrics and labels that no process has."""
    unknown = [name for name in _SERIES.findall(expression) if name not in _KNOWN]
    for name, matchers in _MATCHERS.findall(expression):
        labels = set(re.findall(r"(\w+)\s*[=!]", matchers)) - _OF_PROMETHEUS
        unknown += [f"{name}: {label}" for label in labels if name in _KNOWN and label not in _KNOWN[name].labels]
    grouped = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in re.findall(r"\w+", group)}
    named = {label for name in _SERIES.findall(expression) if name in _KNOWN for label in _KNOWN[name].labels}
    return unknown + [f"by {label}" for label in sorted(grouped - named - _OF_PROMETHEUS)]


def test_expressions_name_metrics_that_exist():
    """A renamed metric or label breaks this test, and no alert in silence."""
    found = [(place, fault) for place, expression in expressions() for fault in faults(expression)]
    assert found == []
    assert len(alerts()) >= 18
    assert len(panels()) >= 20


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("rate(accounts_mails_total[5m])", "accounts_mails_total"),
        ('accounts_relay_breaker{state!="closed",host="x"}', "accounts_relay_breaker: host"),
        ("sum by (letter) (accounts_mail_waits_total)", "by letter"),
    ],
)
def test_planted_faults_are_found(expression: str, fault: str):
    """The checker sees what it is there to see."""
    assert faults(expression) == [fault]


def promtool(*words: str, folder: Path = _PROMETHEUS) -> "subprocess.CompletedProcess[str]":
    tool = debian.program("promtool")
    return subprocess.run(
        [tool.path, *words], cwd=folder, env=tool.environment, capture_output=True, text=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip


def test_prometheus_takes_the_files():
    """Rules and the example of a configuration are valid to Debian's promtool."""
    for words in (("check", "rules", "alerts.yml"), ("check", "config", "prometheus.yml")):
        done = promtool(*words)
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_and_is_quiet_before(tmp_path: Path):
    """Promtool plays the series of alerts_test.yml: each alert has a test there; a rule that never fires fails it."""
    tests = yaml.safe_load((_PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    assert [test["name"] for test in tests] == list(alerts())
    for test in tests:
        quiet, loud = test["promql_expr_test"]
        assert f'alertname="{test["name"]}"' in quiet["expr"] == loud["expr"]
        assert (quiet["exp_samples"], len(loud["exp_samples"])) == ([], 1)
    done = promtool("test", "rules", "alerts_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    rules = (_PROMETHEUS / "alerts.yml").read_text()
    (tmp_path / "alerts.yml").write_text(rules.replace("> 120", "> 120000"))
    only = [test for test in tests if test["name"] == "AccountsMailsOverdue"]
    (tmp_path / "alerts_test.yml").write_text(yaml.safe_dump({"rule_files": ["alerts.yml"], "tests": only}))
    done = promtool("test", "rules", "alerts_test.yml", folder=tmp_path)
    assert done.returncode != 0
    assert "AccountsMailsOverdue" in done.stdout + done.stderr


def test_each_alert_says_what_to_do():
    """A sentence on what is wrong, one on what an operator does, and whether that can wait."""
    for name, rule in alerts().items():
        assert rule["annotations"].keys() == {"summary", "action"}, name
        assert rule["labels"]["severity"] in {"page", "ticket"}, name


def test_panels_have_places_of_their_own():
    """No two panels of the dashboard overlap, and each has an id of its own."""
    taken = {}
    for panel in panels():
        at = panel["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_the_dashboard_has_the_types_of_grafana(tmp_path: Path):
    """Each field is one that Grafana knows, with a value that it takes; each of some planted faults is found."""
    compiler = ROOT / "release" / "node_modules" / "typescript" / "bin" / "tsc"
    if not node() or not compiler.exists() or not (PACKAGES / "@grafana").exists():
        lacking("TypeScript or Grafana's types are not installed: ./dev test does that")
    (tmp_path / "node_modules").symlink_to(PACKAGES)
    (tmp_path / "types.ts").write_text((ROOT / "tests" / "architecture" / "dashboard_types.ts").read_text())
    wrong = dashboard()
    first, second, third, fourth = [panel for panel in wrong["panels"] if panel["type"] == "timeseries"][:4]
    wrong["schemaVersion"] = "39"
    wrong["templating"]["list"][0]["type"] = "datasourc"
    first["options"]["legend"]["placement"] = "left"
    second["fieldConfig"]["defaults"]["custom"] = {"lineWidth": "2"}
    third["targets"][0]["legendFromat"] = ""
    del fourth["options"]["legend"]["showLegend"]
    for name, content in (("right", dashboard()), ("wrong", wrong)):
        (tmp_path / f"{name}.ts").write_text(
            'import type { TimeSeriesDashboard } from "./types";\n'
            f"export const dashboard: TimeSeriesDashboard = {json.dumps(content, indent=1)};\n"
        )
    options = {
        "strict": True, "noEmit": True, "skipLibCheck": True, "types": [], "target": "es2022", "module": "preserve",
    }  # fmt: skip
    settings = {"compilerOptions": options, "files": ["right.ts", "wrong.ts"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(settings))
    words = [node(), str(compiler), "--project", str(tmp_path), "--pretty", "false"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert [line for line in done.stdout.splitlines() if "right.ts" in line] == []
    assert len(re.findall(r"^wrong\.ts\(\d+", done.stdout, re.MULTILINE)) == 6, done.stdout
