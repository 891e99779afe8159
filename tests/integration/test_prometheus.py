"""A real Prometheus asks a real API, and an alert of ours fires."""

import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from devstack.servers import free_port, tied
from service.store import projects
from testkit import debian, processes
from testkit.sources import ROOT
from testkit.waiting import until

_ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"


@asynccontextmanager
async def prometheus(folder: Path, target: str) -> AsyncIterator[str]:
    """Start Debian's Prometheus with our rules, which wait for nothing; yields its address."""
    program, port = debian.program("prometheus"), processes.lasting_port()
    rules = yaml.safe_load(_ALERTS.read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
    (folder / "alerts.yml").write_text(yaml.safe_dump(rules))
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["alerts.yml"],
        "scrape_configs": [{"job_name": "accounts-api", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    words = [
        *tied(signal.SIGKILL), str(program.path), f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, env=program.environment, stdout=log, stderr=log)  # noqa: ASYNC220 - a millisecond
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


async def ask(client: aiohttp.ClientSession, address: str, query: str) -> list[dict[str, Any]]:
    """The result of a query; none while Prometheus starts."""
    try:
        async with client.get(f"{address}/api/v1/query", params={"query": query}) as answer:
            return (await answer.json())["data"]["result"] if answer.status == 200 else []
    except aiohttp.ClientError:
        return []


async def test_an_alert_fires(environment: dict[str, str], project: projects.Project, tmp_path: Path):
    """Redis is away: Prometheus learns it from the API's page, and fires our alert; a quantile of requests is there."""
    ports = processes.api_ports()
    away = environment | ports | {"REDIS_URL": f"redis://127.0.0.1:{free_port()}"}
    target = f"127.0.0.1:{ports['HEALTH_PORT']}"
    async with (
        processes.program("service", "serve", environment=away) as api,
        prometheus(tmp_path, target) as address,
        aiohttp.ClientSession(headers={"X-Appwrite-Project": "shop"}) as client,
    ):
        await processes.until_ready(api, f"http://{target}/ready")
        firing = 'ALERTS{alertname="AccountsPeerAway",alertstate="firing"}'
        (found,) = await until(lambda: ask(client, address, firing))
        assert (found["metric"]["peer"], found["metric"]["severity"]) == ("redis", "page")
        async with client.get(f"http://127.0.0.1:{ports['PORT']}/v1/account") as answer:
            assert answer.status == 401
        buckets = 'accounts_http_request_duration_seconds_bucket{route="get_account",status="401"}'
        (found,) = await until(lambda: ask(client, address, f"histogram_quantile(0.9, sum by (le) ({buckets})) > 0"))
        assert 0 < float(found["value"][1]) <= 10
        assert await ask(client, address, 'ALERTS{alertname="AccountsApiDown",alertstate="firing"}') == []
