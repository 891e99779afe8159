"""A whole service for a journey: API, worker and a mail sink, each on its own socket."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.asyncio import Redis

from service.store.projects import Project
from testkit import processes
from testkit.example_app import Demo, open_demo
from testkit.processes import Process
from testkit.sink import Sink


@dataclass
class Deployment:
    address: str
    api: Process
    worker: Process
    sink: Sink
    environment: dict[str, str]


@pytest.fixture
async def deployment(
    environment: dict[str, str], project: Project, redis: Redis, tmp_path: Path
) -> AsyncIterator[Deployment]:
    """The project `shop` served by real processes that send to our sink."""
    async with Sink() as sink:
        settings = environment | {"SMTP_URL": f"smtp://127.0.0.1:{sink.port}?tls=none"}
        async with (
            processes.api(settings) as (api, address),
            processes.worker(settings, heartbeat=tmp_path / "alive") as worker,
        ):
            yield Deployment(address, api, worker, sink, settings)


@pytest.fixture
async def demo(environment: dict[str, str], project: Project, redis: Redis, tmp_path: Path) -> AsyncIterator[Demo]:
    """The example app, for the project `shop`."""
    async with open_demo(environment, heartbeat=tmp_path / "alive") as opened:
        yield opened
