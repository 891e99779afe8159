"""Requests in bytes: what the parser refuses is answered and logged as all is (docs/security.md S80 to S85)."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service.settings import Settings
from service.store.projects import Project
from testkit import edge

ROWS = json.loads((Path(__file__).parent / "data" / "raw_requests.json").read_text())
GOOD = b"GET /v1/account HTTP/1.1\r\nHost: localhost\r\nX-Appwrite-Project: shop\r\n%s\r\n"
BAD = b"GET /v1/account HTTP/1.1\nHost: a\n\n"
LEGACY = {"general_argument_invalid", "general_route_not_found", "project_not_found"}


@pytest.fixture
async def port(settings: Settings, project: Project) -> AsyncIterator[int]:
    own = settings.model_copy(update={"public_url": "https://accounts.example.net"})
    async with edge.edge(own) as port:
        yield port


def written(row: dict[str, Any]) -> bytes:
    text, count = row.get("fill", ("", 0))
    return row["raw"].replace("{fill}", text * count).encode("latin-1")


def check(told: edge.Answer) -> None:
    """Whoever refuses, the answer looks the same."""
    assert told.headers["x-content-type-options"] == "nosniff"
    assert told.headers["cache-control"] == "no-store"
    assert (
        told.headers["content-security-policy"]
        == "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert told.headers["referrer-policy"] == "no-referrer"
    assert told.headers["strict-transport-security"] == "max-age=31536000"
    assert len(told.headers["x-request-id"]) == 20
    assert "server" not in told.headers
    if told.status == 204:
        return
    assert told.headers["content-type"] == "application/json; charset=UTF-8"
    assert list(told.data) == ["message", "code", "type", "version"]
    assert told.data["code"] == told.status


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["say"])
async def test_s80_every_request_has_its_answer(port: int, row: dict[str, Any]):
    """Ambiguous, malformed, oversized: one exact status, the contract's error, and never a second answer behind it."""
    with edge.lines() as log:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.timeout(edge.PATIENCE):
                writer.write(written(row))
                told = await edge.read_answer(reader)
                if told.headers.get("connection") == "close" or told.status != 204:
                    writer.write_eof()
        finally:
            writer.close()
    assert told.status == row["status"]
    check(told)
    if told.status == 400:
        assert told.data["type"] == row.get("type", "general_argument_invalid")
    if told.status == 405:
        assert "GET" in told.headers["allow"]
    written_lines = log.getvalue().splitlines()
    assert sum(json.loads(line)["event"] in ("request.handled", "request.malformed") for line in written_lines) == 1
    assert all(len(line.encode()) <= 350 and json.loads(line) for line in written_lines)
    assert "Traceback" not in log.getvalue()


def test_s80_no_request_stands_twice():
    """Each raw request says something of its own."""
    assert len({row["say"] for row in ROWS}) == len(ROWS)


async def test_s80_nothing_behind_a_refusal_is_read(port: int):
    """The connection ends with what was malformed: a request that was hidden behind it never runs."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(edge.PATIENCE):
        writer.write(GOOD % b"")
        assert (await edge.read_answer(reader)).status == 401
        writer.write(BAD + GOOD % b"")
        assert (await edge.read_answer(reader)).status == 400
        assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize(
    "lines",
    [
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n",
        b"Connection: Upgrade\r\nConnection: HTTP2-Settings\r\nUpgrade: h2c\r\n",
        b"Connection: upgrade\r\nUpgrade: websocket\r\n",
        b"Upgrade: h2c\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: identity, chunked\r\n",
    ],
)
@pytest.mark.parametrize("apart", [False, True], ids=["in one packet", "in two"])
async def test_s80_a_request_that_ends_its_connection(port: int, lines: bytes, apart: bool):
    """One that asks for another protocol, or whose body's end is in doubt, is the last of its connection.

    What stands behind it is neither run nor passed over in silence on a connection that lives on.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with edge.lines() as log:
        async with asyncio.timeout(edge.PATIENCE):
            body = b"0\r\n\r\n" if b"Transfer" in lines else b""
            writer.write(GOOD % lines + body + (b"" if apart else GOOD % b""))
            told = await edge.read_answer(reader)
            if apart:
                writer.write(GOOD % b"")
            assert (told.status, told.headers["connection"]) == (400 if body else 401, "close")
            assert await reader.read() == b""
    writer.close()
    assert log.getvalue().count('"event":"request.handled"') + log.getvalue().count('"event":"request.malformed"') == 1


async def test_s82_requests_in_a_row_are_answered_in_order(port: int):
    """A hundred requests in one packet are a hundred answers, and the connection lives on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(edge.PATIENCE):
        writer.write(GOOD % b"" * 100)
        assert [(await edge.read_answer(reader)).status for _ in range(100)] == [401] * 100
    writer.close()


async def test_s84_a_flood_of_bad_requests_is_few_lines(port: int):
    """A line names the reason and the address; ten a second are written, and the next says how many were not."""
    with edge.lines() as log:
        for _ in range(200):
            assert (await edge.ask(port, BAD)).status == 400
        while '"suppressed":0' in log.getvalue().splitlines()[-1]:
            await edge.ask(port, BAD)
    found = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {(line["event"], line["ip"]) for line in found} == {("request.malformed", "127.0.0.1")}
    assert all(line["reason"] for line in found)
    assert sum(1 + line["suppressed"] for line in found) >= 200
    assert any(line["suppressed"] for line in found)
    assert all(len(line) <= 300 for line in log.getvalue().splitlines())


HOSTILE = [
    b"User-Agent: \x1b[31mred\x1b[0m", b"User-Agent: a\\r\\nb", b'User-Agent: {"level":"error"}', b'User-Agent: "}{"',
    b"X-Appwrite-Locale: \x1b]0;x\x07", b"Origin: http://\xff\xfe", b"X-Forwarded-For: 1.2.3.4\x1b[2J, ${jndi:x}",
    b"User-Agent: " + b"a" * 8000, b"Cookie: " + b"a=b; " * 1500, b"Referer: %0d%0aX", b"X-Request-Id: evil",
    "User-Agent: \u2028\u202e".encode(),
]  # fmt: skip


async def test_s85_a_line_a_request_and_no_more(settings: Settings, project: Project):
    """Whatever a request holds, the log has one line for it that parses, says nothing of it at length, and is ours.

    Beside these a process says once of each kind that a client's address can't be read.
    """
    async with edge.edge(settings.model_copy(update={"trusted_hops": 1})) as port:
        with edge.lines() as log:
            for hostile in HOSTILE:
                raw = GOOD % (hostile.replace(b"\x1b", b"").replace(b"\x07", b"") + b"\r\n")
                assert (await edge.ask(port, raw)).status == 401
            for path in (b"/a%0d%0ab", b"/%1b[31m", b'/"}', b"/" + b"a" * 7000, b"/%00", "/\u2028".encode()[:1]):
                await edge.ask(port, b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    found = [json.loads(line) for line in log.getvalue().splitlines()]
    answered = [line for line in found if line["event"] in ("request.handled", "request.malformed")]
    assert len(answered) == len(HOSTILE) + 6
    assert all(line["event"] == "client_address.unreadable" for line in found if line not in answered)
    assert all(len(line) < 512 for line in log.getvalue().splitlines())
    assert "evil" not in log.getvalue()
    assert "\x1b" not in log.getvalue()
