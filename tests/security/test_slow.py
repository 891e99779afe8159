"""Clients that are slow on purpose: each has its deadline, and there is room for so many (S81, G17)."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from service.app import make
from service.http import connections, request_body
from service.settings import Settings
from service.store.projects import Project
from testkit import edge

HEAD = b"POST /v1/account/sessions HTTP/1.1\r\nHost: localhost\r\nX-Appwrite-Project: shop\r\n"
BODY = HEAD + b"Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
GOOD = b"GET /v1/account HTTP/1.1\r\nHost: localhost\r\nX-Appwrite-Project: shop\r\n\r\n"
LARGE = b"GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
async def desk(
    settings: Settings, project: Project, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[connections.Runner]:
    """The edge with deadlines that a test can wait for, and room for forty."""
    for module, name in ((connections, "IDLE"), (connections, "READING"), (request_body, "_TIMEOUT")):
        monkeypatch.setattr(module, name, 1.0)
    own = settings.model_copy(update={"connections": 40})
    async with edge.running(make(own), own) as runner:
        yield runner


async def idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    return await reader.read()


async def after_an_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(GOOD)
    assert (await edge.read_answer(reader)).status == 401
    return await reader.read()


async def dripped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, start: bytes, drop: bytes) -> bytes:
    """A piece at a time for as long as anybody listens."""

    async def drip() -> None:
        while True:
            writer.write(drop)
            await asyncio.sleep(0.05)

    writer.write(start)
    dripping = asyncio.create_task(drip())
    try:
        return await reader.read()
    finally:
        dripping.cancel()


async def head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    return await dripped(reader, writer, HEAD, b"X: y\r\n")


async def start_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    return await dripped(reader, writer, b"GET /", b"a")


async def body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    return await dripped(reader, writer, BODY, b" ")


async def chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    start = HEAD + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return await dripped(reader, writer, start, b"1\r\n \r\n")


@pytest.mark.parametrize(
    ("way", "told"),
    [(idle, b""), (after_an_answer, b""), (head, b""), (start_line, b""), (body, b"408"), (chunks, b"408")],
)
async def test_s81_slow_senders_are_closed(
    desk: connections.Runner,
    way: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]],
    told: bytes,
):
    """Idle, or a head or body a byte at a time: told so if that is possible, and closed; others are served."""
    port = desk.addresses[0][1]

    async def one() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            answer = await way(reader, writer)
        except ConnectionError:
            return told
        finally:
            writer.close()
        # A busy machine's own refusal, which says nothing of slow senders.
        return await one() if answer.startswith(b"HTTP/1.1 503") else answer

    async with asyncio.timeout(edge.PATIENCE):
        slow = [asyncio.create_task(one()) for _ in range(20)]
        assert (await edge.ask(port, GOOD)).status == 401
        for answer in await asyncio.gather(*slow):
            assert told in answer
        await until_empty(desk)


async def until_empty(desk: connections.Runner) -> None:
    assert desk.server
    while desk.server.connections:  # noqa: ASYNC110 - the library tells nobody of it
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("closing", [b"", b"Connection: close\r\n"])
async def test_s81_who_does_not_read_is_dropped(desk: connections.Runner, closing: bytes):
    """An answer waits for its reader no longer than the deadline; what is not read by then is thrown away."""
    port = desk.addresses[0][1]
    clients = []
    for _ in range(20):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect(("127.0.0.1", port))
        client.sendall(LARGE * 20 + LARGE[:-2] + closing + b"\r\n")
        clients.append(client)
    try:
        async with asyncio.timeout(edge.PATIENCE):
            while not desk.server or len(desk.server.connections) < 20:  # noqa: ASYNC110 - nor of this
                await asyncio.sleep(0.01)
            assert (await edge.ask(port, GOOD)).status == 401
            await until_empty(desk)
    finally:
        for client in clients:
            client.close()


async def test_s81_more_than_there_is_room_for(desk: connections.Runner):
    """One more than CONNECTIONS is told 503 in the contract's words and closed; a place that is left is given again."""
    port = desk.addresses[0][1]
    async with asyncio.timeout(edge.PATIENCE):
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(40)]
        for _reader, writer in held:
            writer.write(GOOD)
        for reader, _writer in held:
            assert (await edge.read_answer(reader)).status == 401
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        refused = await edge.read_answer(reader)
        assert await reader.read() == b""
        writer.close()
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert json.loads(refused.body)["type"] == "general_server_error"
        assert "server" not in refused.headers
        assert refused.headers["x-content-type-options"] == "nosniff"
        for _reader, writer in held:
            writer.close()
        await until_empty(desk)
        assert (await edge.ask(port, GOOD)).status == 401


def test_s81_the_deadlines_are_those_that_are_promised():
    """14 s for a head or in idleness, 10 s for a body and 2 more to hear of it, 10 s for a reader: 15 s at most."""
    assert (connections.IDLE, request_body._TIMEOUT, connections.LINGERING, connections.READING) == (
        14.0,
        10.0,
        2.0,
        10.0,
    )
