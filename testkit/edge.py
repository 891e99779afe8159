"""The service as it stands at the wire: its own HTTP edge on a free port, spoken to in bytes."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from service.app import make
from service.http import connections
from service.json_logging import JsonLines
from service.settings import Settings
from testkit.patience import PATIENCE


@dataclass(frozen=True)
class Answer:
    """One answer; `headers` in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)


@asynccontextmanager
async def running(app: web.Application, settings: Settings) -> AsyncIterator[connections.Runner]:
    """Serve an application at our HTTP edge, on a free port."""
    runner = connections.runner(app, settings, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner
    finally:
        await runner.cleanup()


@asynccontextmanager
async def edge(settings: Settings) -> AsyncIterator[int]:
    """Serve the service; yield its port."""
    async with running(make(settings), settings) as runner:
        yield runner.addresses[0][1]


async def ask(port: int, raw: bytes) -> Answer:
    """Send bytes and read one whole answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write(raw)
            return await read_answer(reader)
    finally:
        writer.close()


async def ask_all(port: int, raws: list[bytes]) -> list[Answer]:
    """Many requests over one connection, written at once."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write(b"".join(raws))
            return [await read_answer(reader) for _ in raws]
    finally:
        writer.close()


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(fields.get("content-length", "0")))
    return Answer(int(start.split()[1]), fields, body)


@contextmanager
def lines() -> Iterator[io.StringIO]:
    """Return the log's lines as written in production."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield stream
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
