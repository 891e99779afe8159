"""A whole service for a journey: API, worker and a mail sink, each on its own socket."""

import email
import email.policy
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from redis.asyncio import Redis

from service.projects import Project
from tests import processes
from tests.processes import Process
from tests.sink import Mail, Sink


@dataclass
class House:
    address: str
    api: Process
    worker: Process
    sink: Sink
    environment: dict[str, str]


@pytest.fixture
async def house(environment: dict[str, str], project: Project, redis: Redis, tmp_path: Path) -> AsyncIterator[House]:
    """The project `shop` served by real processes that send to our sink."""
    async with Sink() as sink:
        settings = environment | {"SMTP_URL": f"smtp://127.0.0.1:{sink.port}?tls=none"}
        async with (
            processes.api(settings) as (api, address),
            processes.worker(settings, heartbeat=tmp_path / "alive") as worker,
        ):
            yield House(address, api, worker, sink, settings)


def text_of(mail: Mail) -> str:
    """The plain-text part, as a person's mail program shows it."""
    message = email.message_from_bytes(mail.content, policy=email.policy.default)
    part = message.get_body(("plain",))
    assert part is not None
    return part.get_content()


def link_of(mail: Mail) -> str:
    """The one link in a letter."""
    links = re.findall(r"https?://\S+", text_of(mail))
    assert len(links) == 1, links
    return links[0]


def parameters_of(link: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(link).query, strict_parsing=True))
