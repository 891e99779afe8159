"""Metrics of real processes: an API that was used well and badly, and a worker that sent a mail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.db import Pool
from service.http import metrics as api_metrics
from service.metrics import Definition
from service.store import projects, users
from service.version import VERSION
from testkit import processes
from testkit.letters import link_of, parameters_of
from testkit.sink import Sink
from testkit.waiting import until
from worker import metric_definitions as worker_metrics

ANN, URL = "ann@example.com", "http://localhost/reset"


class Page:
    """A page of metrics, read as Prometheus reads it."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self._values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        return self._values[name, frozenset(labels.items())]

    def names(self) -> set[str]:
        """The names of all metrics; a counter's as its series has it."""
        return {name + "_total" * (family.type == "counter") for name, family in self.families.items()}


def names_of(definitions: tuple[Definition, ...]) -> set[str]:
    return {each.name for each in definitions}


@asynccontextmanager
async def both(environment: dict[str, str], folder: Path) -> AsyncIterator[tuple[str, str, str]]:
    """An API and a worker; the addresses of the API and of the two health ports."""
    ports, own = processes.api_ports(), str(processes.lasting_port())
    health = f"http://127.0.0.1:{ports['HEALTH_PORT']}"
    settings = environment | {"WORKER_HEALTH_PORT": own, "WORKER_STATE": str(folder)}
    async with (
        processes.program("service", "serve", environment=environment | ports) as api,
        processes.worker(settings, heartbeat=folder / "alive") as worker,
    ):
        await processes.until_ready(api, f"{health}/ready")
        await processes.until_ready(worker, f"http://127.0.0.1:{own}/ready")
        yield f"http://127.0.0.1:{ports['PORT']}", health, f"http://127.0.0.1:{own}"


async def test_pages_show_what_is_documented_and_what_happened(
    environment: dict[str, str], project: projects.Project, pool: Pool, redis: Any, tmp_path: Path
):
    """Names are those of docs/metrics.md from the start; values are what the processes did; no address is there."""
    await users.create(pool, "shop", user_id="ann", email=ANN, name="Ann", password_hash=None)
    async with (
        Sink() as sink,
        both(environment | {"SMTP_URL": f"smtp://127.0.0.1:{sink.port}?tls=none"}, tmp_path) as (api, health, worker),
        aiohttp.ClientSession(headers={"X-Appwrite-Project": "shop"}) as client,
    ):
        for address, definitions in ((health, api_metrics.DEFINITIONS), (worker, worker_metrics.DEFINITIONS)):
            page = await read(client, address)
            await until(lambda address=address: has_backlog(client, address)) if address == worker else None
            page = await read(client, address)
            assert page.names() == names_of(definitions)

        body = {"email": ANN, "url": URL}
        async with client.post(f"{api}/v1/account/recovery", json=body) as answer:
            assert answer.status == 201
        wrong = {"email": ANN, "password": "not hers at all"}
        async with client.post(f"{api}/v1/account/sessions/email", json=wrong) as answer:
            assert answer.status == 401
        async with client.request("PURGE", f"{api}/pot/{ANN}") as answer:
            assert answer.status == 405
        await send_garbage(api)
        await sink.wait_for(1)

        page = await read(client, health)
        duration = "accounts_http_request_duration_seconds_count"
        assert page.value(duration, route="create_recovery", method="POST", status="201") == 1
        assert page.value(duration, route="create_session", method="POST", status="401") == 1
        assert page.value(duration, route="none", method="other", status="405") == 1
        kind = "user_invalid_credentials"
        assert page.value("accounts_http_errors_total", route="create_session", type=kind) == 1
        assert page.value("accounts_http_refused_total", why="malformed") == 1
        assert page.value("accounts_hash_seconds_count") == 1
        assert page.value("accounts_limits_total", rule="create_recovery.ip", verdict="allowed") == 1
        events = "accounts_auth_events_total"
        assert page.value(events, event="sign_in_password", outcome="refused") == 1
        assert page.value("accounts_tokens_issued_total", kind="recovery") == 1
        assert page.value("accounts_mails_accepted_total", letter="recovery") == 1
        assert page.value("accounts_limits_fallback_seconds_total") == 0
        assert page.value("accounts_build_info", version=VERSION, commit="unknown") == 1
        assert page.value("accounts_peer_up", peer="postgres") == page.value("accounts_ready") == 1

        await until(lambda: is_counted_as_sent(client, worker))
        page = await read(client, worker)
        assert page.value("accounts_mail_delivery_seconds_count", letter="recovery") == 1
        assert page.value("accounts_mail_send_seconds_count", server=f"127.0.0.1:{sink.port}", outcome="accepted") == 1
        assert page.value("accounts_relay_breaker", server=f"127.0.0.1:{sink.port}", state="closed") == 1
        assert page.value("accounts_relay_connections", server=f"127.0.0.1:{sink.port}") == 1
        assert page.value("accounts_log_default_rows") == 0
        assert page.value("accounts_log_partitions_ahead") == 2
        await use(client, api, link_of(sink.mails[0]))
        page = await read(client, health)
        assert page.value("accounts_token_use_delay_seconds_count", kind="recovery") == 1
        assert page.value(events, event="recovery", outcome="success") == 1
        for address in (health, worker):
            async with client.get(f"{address}/metrics") as answer:
                text = await answer.text()
            assert not [word for word in ("ann", "localhost", "shop") if word in text]


async def use(client: aiohttp.ClientSession, api: str, link: str) -> None:
    """Choose a password by a recovery's link."""
    proof, password = parameters_of(link), "hers alone, from today"
    body = {"userId": proof["userId"], "secret": proof["secret"], "password": password, "passwordAgain": password}
    async with client.put(f"{api}/v1/account/recovery", json=body) as answer:
        assert answer.status == 200, await answer.text()


async def read(client: aiohttp.ClientSession, address: str) -> Page:
    async with client.get(f"{address}/metrics") as answer:
        assert answer.status == 200
        return Page(await answer.text())


async def has_backlog(client: aiohttp.ClientSession, address: str) -> bool:
    return "accounts_mails_pending" in (await read(client, address)).families


async def is_counted_as_sent(client: aiohttp.ClientSession, address: str) -> bool:
    return (await read(client, address)).value("accounts_mail_outcomes_total", outcome="sent") == 1


async def send_garbage(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
    await reader.read()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/plain"),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", "application/openmetrics-text"),
    ],
)
async def test_the_format_is_the_one_asked_for(aiohttp_client: Any, accept: str, kind: str):
    """Prometheus gets OpenMetrics where it asks for it, anybody else plain text."""
    from aiohttp import web

    from service.metrics import MetricsPage

    counts = api_metrics.ApiMetrics()
    app = web.Application()
    app.router.add_get("/metrics", MetricsPage(counts.registry).show)
    client = await aiohttp_client(app)
    answer = await client.get("/metrics", headers={"Accept": accept})
    assert answer.content_type == kind
    assert (await answer.text()).endswith("# EOF\n") is (kind != "text/plain")
