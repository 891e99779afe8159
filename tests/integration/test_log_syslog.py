"""The security log over syslog: a receiver that follows RFC 5424 and 5425 understands it, and loses nothing."""

import asyncio
import json
import re
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.cli.exit_codes import AWAY, WRONG
from service.db import Pool
from service.store import event_feed, events
from service.store.events import Actor, Event
from service.store.projects import Project
from service.store.unit_of_work import unit_of_work
from testkit.patience import PATIENCE
from testkit.sink import make_certificate, server_context
from testkit.waiting import until
from tests.integration.conftest import Terminal
from worker.security_log import SecurityLogWriter

HEADER = re.compile(
    r'<(?P<priority>\d+)>1 (?P<time>\S+) (?P<host>\S+) accounts - (?P<form>\S+) '
    r'\[accounts@32473 project="(?P<project>\w+)" id="(?P<id>[0-9a-f-]{36})" event="(?P<event>\S+)" '
    r'number="(?P<number>\d+)"\] (?P<content>.*)'
)  # fmt: skip


class Receiver:
    """Keeps the messages that it has read by their lengths; `ends_after` so many it drops a connection, once."""

    def __init__(self) -> None:
        self.messages: list[dict[str, str]] = []
        self.connections = self.cut_off = 0
        self.ends_after: int | None = None
        self.port = 0

    @asynccontextmanager
    async def listen(self, context: ssl.SSLContext | None, port: int = 0) -> AsyncIterator["Receiver"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    @property
    def numbers(self) -> list[int]:
        return [int(message["number"]) for message in self.messages]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.ends_after is None or len(self.messages) < self.ends_after:
                length = int(await reader.readuntil(b" "))
                found = HEADER.fullmatch((await reader.readexactly(length)).decode("ascii"))
                assert found
                self.messages.append(found.groupdict())
            self.ends_after = None
            writer.transport.abort()
        except asyncio.IncompleteReadError as end:
            self.cut_off += len(end.partial)
        finally:
            writer.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("syslog") / "tls"
    return make_certificate(folder, names="IP:127.0.0.1", start="20200101000000Z", end="20990101000000Z")


async def happen(pool: Pool, count: int, event: Event = Event.SESSION_CREATE) -> None:
    async with unit_of_work(pool, None) as tx:
        for _ in range(count):
            await events.record(tx, "shop", event=event, user_id="ann", by=Actor("192.0.2.1", ""))
    await SecurityLogWriter(pool).write_pending()


async def test_messages_parse(
    type_: Terminal, pool: Pool, project: Project, certificate: tuple[Path, Path], tmp_path: Path
):
    """Length, header, structured data and JSON of each form; a cursor for each project, and --resend comes twice."""
    cursor = ("--cursor", str(tmp_path / "cursors"))
    async with Receiver().listen(server_context(*certificate)) as receiver:
        to = ("--syslog", f"tls://127.0.0.1:{receiver.port}", "--ca", str(certificate[0]), "--once", *cursor)
        assert (await type_("log", "follow", *to))[0] == 0
        await happen(pool, 2)
        await happen(pool, 1, Event.CHALLENGE_FAILED)
        assert (await type_("log", "follow", *to, "--format", "ocsf"))[0] == 0
        await until(lambda: len(receiver.messages) == 3)
        assert [message["priority"] for message in receiver.messages] == ["86", "86", "85"]
        for message in receiver.messages:
            content = json.loads(message["content"])
            assert (message["project"], message["form"]) == ("shop", "ocsf")
            assert (message["id"], message["event"]) == (content["metadata"]["uid"], content["message"])
        assert (tmp_path / "cursors" / "shop.cursor").read_text() == "3\n"
        assert (await type_("log", "follow", *to, "--resend", "1"))[0] == 0
        await until(lambda: len(receiver.messages) == 4)
        assert receiver.numbers == [1, 2, 3, 3]


async def test_a_receiver_that_is_killed_loses_nothing(
    environment: dict[str, str], pool: Pool, project: Project, certificate: tuple[Path, Path], tmp_path: Path
):
    """In the middle of what it is sent, or away for a while: all comes, some twice; SIGTERM ends with code 0."""
    await event_feed.open_feed(pool, "shop")
    await happen(pool, 1)
    context, receiver = server_context(*certificate), Receiver()
    words = ["--cursor", str(tmp_path / "cursor"), "--ca", str(certificate[0])]
    async with receiver.listen(context):
        url = f"tls://127.0.0.1:{receiver.port}"
        follower = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "service", "log", "follow", "shop", "--syslog", url, *words, env=environment
        )
        try:
            await until(lambda: receiver.connections == 1)
            receiver.ends_after = 40
            await happen(pool, 99)
            await until(lambda: set(receiver.numbers) == set(range(1, 101)))
            await until(lambda: (tmp_path / "cursor").read_text() == "100\n")
            assert receiver.connections >= 2
        finally:
            follower.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(follower.wait(), PATIENCE) == 0


async def test_a_receiver_that_can_not_be_trusted_gets_nothing(
    type_: Terminal, pool: Pool, project: Project, certificate: tuple[Path, Path]
):
    """Another authority, another name, no certificate; and what is not encrypted stays on the machine."""
    await happen(pool, 0)
    async with Receiver().listen(server_context(*certificate)) as receiver:
        for host, more, fault in (
            ("127.0.0.1", (), "its certificate is not accepted: self-signed"),
            ("localhost", ("--ca", str(certificate[0])), "its certificate is not accepted: Hostname mismatch"),
        ):
            words = ("follow", "shop", "--once", "--syslog", f"tls://{host}:{receiver.port}", *more)
            code, _, err = await type_("log", *words)
            assert (code, fault in err) == (AWAY, True), err
        assert receiver.messages == []
    for url, fault in {
        "syslog+tcp://logs.example:601": "not encrypted",
        "syslog+tcp://127.0.0.1": "needs a port",
        "tls://": "tls://host:port",
        "https://127.0.0.1:6514": "tls://host:port",
        "tls://127.0.0.1:99999": "Port out of range",
        f"tls://{'a' * 70}.example:1": "label",
    }.items():
        code, _, err = await type_("log", "follow", "shop", "--once", "--syslog", url)
        assert (code, fault in err) == (WRONG, True), err


async def test_a_receiver_that_reads_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch):
    """After a while, in which nothing else waits for it; what it has not acknowledged counts as not sent."""
    from service.cli.log import syslog_connection

    monkeypatch.setattr(syslog_connection, "_SENDING", 0.2)
    held: list[asyncio.StreamWriter] = []

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()
        held.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0, limit=1)
    port = server.sockets[0].getsockname()[1]
    connection = await syslog_connection.Connection.open(syslog_connection.receiver(f"syslog+tcp://127.0.0.1:{port}"))
    with pytest.raises(syslog_connection.Lost, match="does not answer"):
        await connection.send([b"x" * 100_000] * 300)
    connection.close()
    for writer in held:
        writer.transport.abort()
    server.close()
    await server.wait_closed()
