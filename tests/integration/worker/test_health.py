"""The health port of a worker."""

import asyncio
import socket
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from service.metrics import MetricsPage
from service.outages import Peers
from service.settings import Settings
from testkit.waiting import until
from worker import listening
from worker.health import HealthPort, WorkerHealth


@pytest.fixture
def worker_health(a_worker: Any, settings: Settings) -> WorkerHealth:
    peers = Peers(settings.database_url.get_secret_value(), settings.redis_url.get_secret_value())
    return WorkerHealth(peers, a_worker().relays, None, asyncio.Event(), recovered=True)


async def test_ready_says_why_not(worker_health: WorkerHealth):
    """Postgres away, mails of its last life not taken back, a stop: 503; Redis or a relay away is told and no more."""
    assert (worker_health.fault(), worker_health.degraded()) == ("", [])
    worker_health.peers.redis.record_failure("away")
    (relay,) = worker_health.relays.states()
    worker_health.relays.shared._servers[0].breaker.state = "open"
    assert (worker_health.fault(), worker_health.degraded()) == ("", ["redis", relay])
    worker_health.recovered = False
    assert worker_health.fault() == "it has not taken back its mails yet"
    worker_health.peers.postgres.record_failure("away")
    assert worker_health.fault() == f"postgres at {worker_health.peers.postgres.server} is not available"
    worker_health.stop.set()
    assert worker_health.fault() == "it is stopping"


async def test_a_port_that_another_process_has_is_waited_for(
    worker_health: WorkerHealth, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """A worker without its port works all the same, says so once, and takes the port when it is free."""
    monkeypatch.setattr(listening, "_AGAIN", 0.02)
    caplog.set_level("WARNING")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        serving = asyncio.create_task(
            HealthPort("127.0.0.1,::1", port, worker_health, MetricsPage(CollectorRegistry())).run()
        )
        await until(lambda: "health_port.unavailable" in [record.event for record in caplog.records])
    await until(lambda: "health_port.available" in [record.event for record in caplog.records])
    async with aiohttp.ClientSession() as client:
        for path, status in (("live", 200), ("ready", 200), ("metrics", 200), ("v1/account", 404)):
            async with client.get(f"http://127.0.0.1:{port}/{path}") as answer:
                assert answer.status == status, path
        worker_health.stop.set()
        async with client.get(f"http://127.0.0.1:{port}/ready") as answer:
            assert (answer.status, await answer.json()) == (
                503,
                {"ready": False, "fault": "it is stopping", "degraded": []},
            )
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert [record.event for record in caplog.records] == ["health_port.unavailable", "health_port.available"]
