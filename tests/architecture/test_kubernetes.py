"""The manifests in deploy/kubernetes are held to Kubernetes' own schemas, to the settings and to the commands."""

import asyncio
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
from service.cli.log import syslog_connection
from service.server import DRAIN
from service.settings import Settings, WorkerSettings
from testkit.drivers import lacking
from testkit.patience import PATIENCE
from testkit.sources import ROOT
from tests.conftest import Shared, run_sql

_FOLDER = ROOT / "deploy" / "kubernetes"
_TOOLS = ROOT / ".venv" / "clients" / "kubernetes"
_OVERLAYS = ("trial", "production")
_KINDS_OF_PODS = ("Deployment", "StatefulSet", "Job")
# What the follower of the log has besides settings.
_OF_SYSLOG = {"syslog_url", "syslog_ca"}


def _documents(*paths: Path) -> list[dict[str, Any]]:
    return [document for path in paths for document in yaml.safe_load_all(path.read_text())]


@pytest.fixture(scope="module")
def base() -> dict[tuple[str, str], dict[str, Any]]:
    """Objects by kind and name, with those of the component syslog."""
    folders = (_FOLDER / "base", _FOLDER / "components" / "syslog")
    found = _documents(*(path for folder in folders for path in folder.iterdir() if path.name != "kustomization.yaml"))
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def _pods(base: dict[tuple[str, str], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        name.removeprefix("accounts-"): each["spec"]["template"]["spec"]
        for (kind, name), each in base.items()
        if kind in _KINDS_OF_PODS
    }


@pytest.mark.parametrize("overlay", _OVERLAYS)
def test_kubernetes_accepts_what_kustomize_makes(overlay: str, tmp_path: Path):
    """Every object has the fields of its schema and no others; those of KEDA have none here."""
    kubectl = shutil.which("kubectl", path=f"{_TOOLS / 'bin'}:{os.environ['PATH']}")
    if kubectl is None or not (_TOOLS / "kubernetes_validate").exists():
        lacking("`./dev test` could not install the tools of Kubernetes")
    shutil.copytree(_FOLDER, tmp_path / "kubernetes")
    made_by = tmp_path / "kubernetes" / "overlays" / overlay
    text = (made_by / "kustomization.yaml").read_text()
    # With the component that an operator may let in.
    (made_by / "kustomization.yaml").write_text(
        text.replace("  # - ../../components/syslog", "  - ../../components/syslog")
    )
    words = [kubectl, "kustomize", str(made_by)]
    made = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert made.returncode == 0, made.stderr
    (tmp_path / "made.yaml").write_text(made.stdout)
    checked = subprocess.run(
        [sys.executable, str(_TOOLS / "bin" / "kubernetes-validate"), "--strict", str(tmp_path / "made.yaml")],
        env={"PYTHONPATH": str(_TOOLS)}, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr
    unknown = set(re.findall(r"find schema for kind (\w+)", checked.stdout + checked.stderr))
    assert ("kind: StatefulSet" in made.stdout) == (overlay == "production")
    assert unknown == ({"ScaledObject", "TriggerAuthentication"} if overlay == "production" else set())


def test_every_variable_is_a_setting_and_none_is_missing(base):
    """Settings come from the ConfigMap, the pod and the Secrets that the page makes: together they start a process."""
    literals: dict[str, set[str]] = {}
    for path in ("base", *(f"overlays/{name}" for name in _OVERLAYS)):
        (made,) = _documents(_FOLDER / path / "kustomization.yaml")
        literals[path] = {word.partition("=")[0].lower() for word in made["configMapGenerator"][0]["literals"]}
    page = (ROOT / "docs" / "kubernetes.md").read_text()
    for name, pod in _pods(base).items():
        own = {each["name"].lower() for each in pod["containers"][0].get("env", [])}
        secret = pod["volumes"][0]["secret"]["secretName"]
        command = re.search(rf"generic {secret} (.*?)\n(?:kubectl|```)", page, re.DOTALL)
        assert command
        secrets = set(re.findall(r"--from-literal=(\w+)=", command[1]))
        for overlay in _OVERLAYS:
            given = literals["base"] | literals[f"overlays/{overlay}"] | own - _OF_SYSLOG | secrets
            assert given <= Settings.model_fields.keys()
            kind = WorkerSettings if name == "worker" else Settings
            assert {field for field, info in kind.model_fields.items() if info.is_required()} <= given


def test_commands_ports_and_times_are_those_of_the_processes(base):
    """A probe at a port that nobody has would kill each pod, and a stop that is too short its requests."""
    ports = {name: Settings.model_fields[name].default for name in ("port", "health_port", "worker_health_port")}
    own = {
        "api": [ports["port"], ports["health_port"]],
        "worker": [ports["worker_health_port"]],
        "migrate": [],
        "log-follower": [],
    }
    for name, pod in _pods(base).items():
        (container,) = pod["containers"]
        python, dash_m, module, *words = container["args"]
        assert (python, dash_m) == ("python", "-m")
        {"service": service.__main__.parser, "worker": lambda _: worker.commands.parser()}[module](words).parse_args(
            words
        )
        assert [port["containerPort"] for port in container.get("ports", [])] == own[name]
        assert pod["terminationGracePeriodSeconds"] > DRAIN + 5
        if own[name]:
            assert container["livenessProbe"]["httpGet"] == {"path": "/live", "port": "health"}
            assert container["readinessProbe"]["httpGet"] == {"path": "/ready", "port": "health"}


def test_pods_have_no_rights(base):
    """None is root, writes its disk, gains a right or talks to the cluster; the user is the image's own."""
    user = int(re.findall(r"^USER (\d+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[-1])
    for pod in _pods(base).values():
        assert pod["automountServiceAccountToken"] is False
        assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, user)
        assert pod["containers"][0]["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        assert "cpu" not in pod["containers"][0]["resources"]["limits"]


def test_selectors_meet_their_pods(base):
    """Service, budgets, policies and autoscaler name pods and deployments that there are."""
    labels = [
        each["spec"]["template"]["metadata"]["labels"] for (kind, _), each in base.items() if kind in _KINDS_OF_PODS
    ]
    for (kind, name), each in base.items():
        selector = {
            "Service": lambda spec: spec["selector"],
            "PodDisruptionBudget": lambda spec: spec["selector"]["matchLabels"],
            "NetworkPolicy": lambda spec: spec["podSelector"]["matchLabels"],
            "Deployment": lambda spec: spec["selector"]["matchLabels"],
            "StatefulSet": lambda spec: spec["selector"]["matchLabels"],
        }.get(kind)
        if selector:
            assert any(selector(each["spec"]).items() <= of_pod.items() for of_pod in labels), (kind, name)
    assert ("Deployment", base["HorizontalPodAutoscaler", "accounts-api"]["spec"]["scaleTargetRef"]["name"]) in base
    scaled, _ = _documents(_FOLDER / "components" / "keda" / "worker-scaling.yaml")
    assert ("Deployment", scaled["spec"]["scaleTargetRef"]["name"]) in base


def test_the_follower_of_the_log_goes_on_where_it_was(base):
    """One pod, whose cursors are on a volume of its own; it knows the receiver and may connect to its port alone."""
    spec = base["StatefulSet", "accounts-log-follower"]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    (claim,) = spec["volumeClaimTemplates"]
    paths = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert spec["replicas"] == 1
    assert f"--cursor={paths[claim['metadata']['name']]}" in container["args"]
    (component,) = _documents(_FOLDER / "components" / "syslog" / "kustomization.yaml")
    given = dict(word.split("=") for word in component["configMapGenerator"][0]["literals"])
    assert {name.lower() for name in given} == _OF_SYSLOG
    (rule,) = base["NetworkPolicy", "accounts-log-follower"]["spec"]["egress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": syslog_connection.receiver(given["SYSLOG_URL"]).port}]


async def test_workers_are_scaled_by_mails_that_more_workers_would_help(shared_postgres: Shared):
    """The role of the page may run KEDA's query and nothing else; mails of a dead relay don't count."""
    scaled, _ = _documents(_FOLDER / "components" / "keda" / "worker-scaling.yaml")
    query = scaled["spec"]["triggers"][0]["metadata"]["query"]
    (sql,) = re.findall(r"^```sql\n(.*?)^```", (ROOT / "docs" / "kubernetes.md").read_text(), re.MULTILINE | re.DOTALL)
    async with shared_postgres.new_database("template_accounts") as url:
        await run_sql(url, sql.replace("database accounts ", f"database {url.rpartition('/')[2]} "))
        role = re.sub(r"//[^@/]*@", "//accounts_scaler:change%20this@", url)
        try:
            await run_sql(url, "insert into projects (id, name) values ('shop', 'Shop')")
            columns = "project_id, id, letter, recipient, locale, deadline_at, message_id, due_at, last_cause"
            mail = f"insert into mails ({columns})"
            row = "select 'shop', gen_random_uuid(), 'recovery', 'a@b', 'en', now() + '1 day', gen_random_uuid(), now()"
            await run_sql(url, f"{mail} {row} - interval '1 hour', 'server'")
            assert await _value(role, query) == 0
            await run_sql(url, f"{mail} {row} - interval '90 seconds', null")
            assert 90 <= await _value(role, query) < 90 + PATIENCE
            with pytest.raises(Exception, match="permission denied"):
                await _value(role, "select count(recipient) from mails")
        finally:
            await run_sql(url, "drop owned by accounts_scaler; drop role accounts_scaler")


async def _value(url: str, query: str) -> Any:
    from service.db import Pool

    pool = Pool(url, size=1)
    try:
        return (await asyncio.wait_for(pool.fetchrow(query), PATIENCE))[0]
    finally:
        await pool.close()
