"""A whole service for a journey: API, worker and a mail sink, each on its own socket."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.asyncio import Redis

from service.settings import Settings
from service.store.projects import Project
from testkit import processes
from testkit.example_app import Demo, open_demo
from testkit.processes import Process
from testkit.sink import Sink
from testkit.sms_sink import SmsSink


@dataclass
class Deployment:
    address: str
    api: Process
    worker: Process
    sink: Sink
    sms: SmsSink
    environment: dict[str, str]


@pytest.fixture
async def deployment(
    environment: dict[str, str], settings: Settings, project: Project, redis: Redis, tmp_path: Path
) -> AsyncIterator[Deployment]:
    """The project `shop` served by real processes that send to our sinks."""
    async with Sink() as sink, SmsSink(settings.key_ring) as sms:
        ours = environment | {"SMTP_URL": f"smtp://127.0.0.1:{sink.port}?tls=none", "SMS_URL": sms.url}
        async with (
            processes.api(ours) as (api, address),
            processes.worker(ours, heartbeat=tmp_path / "alive") as worker,
        ):
            yield Deployment(address, api, worker, sink, sms, ours)


@pytest.fixture
async def demo(environment: dict[str, str], project: Project, redis: Redis, tmp_path: Path) -> AsyncIterator[Demo]:
    """The example app, for the project `shop`."""
    async with open_demo(environment, heartbeat=tmp_path / "alive") as opened:
        yield opened
