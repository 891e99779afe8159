"""F35 to F39: silence, cuts and nonsense on the wire cost a connection, never a mail and never another's time."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest

from service import failpoints
from testkit.sink import Sink
from testkit.sink import Stage as SinkStage
from tests.integration.worker.relays import ANN, BOB, MESSAGE, PASSWORD, SENDER, SHORT, outcome, relay
from worker.relays import Deadlines, SmtpUrl, TemporaryFailure
from worker.relays.smtp.error_mapping import of_error
from worker.relays.smtp.session import CROSSINGS


@pytest.mark.parametrize("stage", ["banner", "ehlo", "mail", "rcpt", "data", "dot"])
@pytest.mark.parametrize("action", ["hang", "drip"])
async def test_f35_silence_ends(stage: SinkStage, action: Any) -> None:
    """A server that hangs or drips, at any stage, costs its deadline and connection, and no other mail."""
    async with Sink() as sink, relay(sink, deadlines=SHORT) as opened:
        sink.script(stage, "250 " + "x" * 200, action=action, times=1)
        fault = await outcome(opened)
        assert (type(fault), fault.code) == (TemporaryFailure, 0)
        assert fault.stage == stage
        await opened.send(SENDER, ANN, MESSAGE)
    assert sink.mails[-1].connection == 2


@pytest.mark.parametrize("stage", ["banner", "ehlo", "mail", "rcpt", "data", "content", "dot"])
async def test_f36_cuts_are_tried_later(stage: SinkStage) -> None:
    """A cut anywhere on a new connection is TemporaryFailure, nothing counts as sent, and the next mail goes out."""
    async with Sink() as sink, relay(sink) as opened:
        sink.script(stage, action="cut", times=1, after=10 if stage == "content" else 0)
        fault = await outcome(opened)
        assert (type(fault), fault.code) == (TemporaryFailure, 0)
        assert sink.mails == []
        await opened.send(SENDER, ANN, MESSAGE)
    assert [mail.connection for mail in sink.mails] == [2]


async def test_f37_a_cut_after_the_dot_may_be_a_duplicate() -> None:
    """Only a lost answer to the final dot is told as maybe sent."""
    async with Sink() as sink, relay(sink) as opened:
        sink.script("dot", action="cut", keep=True, times=1)
        fault = await outcome(opened)
        assert isinstance(fault, TemporaryFailure)
        assert fault.maybe_sent
        sink.script("rcpt", action="cut", times=1)
        fault = await outcome(opened)
        assert isinstance(fault, TemporaryFailure)
        assert not fault.maybe_sent
    assert len(sink.mails) == 1


@pytest.mark.parametrize("action", ["hang", "cut"])
async def test_f38_a_fault_at_quit_changes_nothing(action: Any) -> None:
    """A mail is sent once it is accepted, however the connection ends."""
    async with Sink() as sink, relay(sink, mails_a_connection=1) as opened:
        sink.script("quit", action=action)
        await opened.send(SENDER, ANN, MESSAGE)
        await opened.send(SENDER, BOB, MESSAGE)
    assert len(sink.mails) == 2


async def test_f39_a_huge_reply_is_only_a_fault() -> None:
    """A reply of ten megabytes costs that connection and no more."""
    async with Sink() as sink, relay(sink) as opened:
        sink.script("mail", "250 " + "x" * 10_000_000, times=1)
        fault = await outcome(opened)
        assert (type(fault), fault.code) == (TemporaryFailure, 0)
        await opened.send(SENDER, ANN, MESSAGE)
    assert sink.connections == 2


async def test_f35_the_deadlines() -> None:
    """Those of RFC 5321 4.5.3.2 where it names one, a minute for encryption, and ten seconds for a dead address."""
    of_the_rfc = {"banner": 300, "mail": 300, "rcpt": 300, "data": 120, "block": 180, "dot": 600}
    own = {"connect": 10, "tls": 60, "ehlo": 300, "auth": 300, "noop": 5, "failover": 30}
    assert asdict(Deadlines()) == of_the_rfc | own


STEPS: list[SinkStage] = ["banner", "ehlo", "auth", "mail", "rcpt", "data", "dot"]
EVERY = asdict(Deadlines())


def signed_in(sink: Sink) -> SmtpUrl:
    return SmtpUrl("127.0.0.1", sink.port, "ann", PASSWORD, "none")


@pytest.mark.parametrize("step", STEPS)
async def test_f35_a_slow_step_takes_no_other_steps_time(step: SinkStage) -> None:
    """A relay that is slow where it may be is waited for: what one step takes is not taken off the others."""
    deadlines = Deadlines(**dict.fromkeys(EVERY, 1.0) | {step: 60.0})
    code = {"banner": 220, "auth": 235, "data": 354}.get(step, 250)
    async with Sink(users={"ann": PASSWORD}) as sink:
        reply = f"{code}-{'.' * 20}\n{code} AUTH PLAIN" if step == "ehlo" else f"{code} {'.' * 20}"
        sink.script(step, reply, action="drip", pause=0.06, times=1)
        async with relay(server=signed_in(sink), deadlines=deadlines) as opened:
            await opened.send(SENDER, ANN, MESSAGE)
    assert len(sink.mails) == 1


@pytest.mark.parametrize("step", STEPS)
async def test_f35_each_step_has_its_deadline(step: SinkStage) -> None:
    """Silence at a step ends after that step's time, whatever the others have, and is told of that step."""
    deadlines = Deadlines(**dict.fromkeys(EVERY, 60.0) | {step: 0.3})
    async with Sink(users={"ann": PASSWORD}) as sink:
        sink.script(step, action="hang", times=1)
        async with relay(server=signed_in(sink), deadlines=deadlines) as opened:
            fault = await outcome(opened)
    assert (type(fault), fault.code, fault.stage, fault.cause) == (TemporaryFailure, 0, step, "server")
    assert fault.text == "no answer in time"


async def test_f35_an_address_that_is_a_black_hole() -> None:
    """An address that never replies meets the connection's deadline, which is short."""
    with socket.socket() as full, socket.socket() as one, socket.socket() as two:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        # Linux drops what comes once these have filled the queue of a listener that takes nobody.
        for each in (one, two):
            each.settimeout(0)
            each.connect_ex(full.getsockname())
        server = SmtpUrl("127.0.0.1", full.getsockname()[1], tls="none")
        async with relay(server=server, deadlines=Deadlines(connect=0.3)) as opened:
            fault = await outcome(opened)
    assert (type(fault), fault.stage, fault.text) == (TemporaryFailure, "connect", "no answer in time")


async def test_f35_a_server_that_reads_no_more() -> None:
    """Content that doesn't leave us has a deadline of its own, and can't count as sent: its dot is still here."""
    content = b"Subject: long\r\n\r\n" + b"0123456789" * 10 * 1024 * 1024
    async with Sink() as sink, relay(sink, deadlines=Deadlines(block=0.5)) as opened:
        sink.script("content", action="hang", after=1)
        with pytest.raises(TemporaryFailure) as caught:
            await opened.send(SENDER, ANN, content)
    assert (caught.value.stage, caught.value.text) == ("data", "no answer in time")
    assert not caught.value.maybe_sent
    assert not caught.value.may_go_elsewhere


async def test_f35_a_hang_after_data() -> None:
    """A server that reads the content and never answers costs the third deadline; it may have kept the mail."""
    async with Sink() as sink, relay(sink, deadlines=SHORT) as opened:
        sink.script("content", action="hang", times=1)
        fault = await outcome(opened)
        assert (fault.stage, fault.code, fault.cause) == ("dot", 0, "server")
        assert isinstance(fault, TemporaryFailure)
        assert fault.maybe_sent
        await opened.send(SENDER, ANN, MESSAGE)
    assert len(sink.mails) == 1


@pytest.mark.parametrize("stage", ["rcpt", "data", "content", "dot"])
async def test_f35_others_go_on(stage: SinkStage) -> None:
    """One mail that hangs holds up nobody else's."""
    async with Sink() as sink, relay(sink, connections=2) as opened:
        sink.script(stage, action="hang", recipient=BOB)
        hanging = asyncio.create_task(opened.send(SENDER, BOB, MESSAGE))
        await sink.wait_for(lambda sink: f"RCPT TO:<{BOB}>" in sink.commands)
        for _ in range(20):
            await opened.send(SENDER, ANN, MESSAGE)
        assert not hanging.done()
        hanging.cancel()
        await asyncio.wait({hanging})
    assert len([mail for mail in sink.mails if mail.recipients == (ANN,)]) == 20


@pytest.mark.parametrize("after", [1, 30_000, 200_000])
async def test_f36_a_cut_in_the_content(after: int) -> None:
    """However much of the content was out, nothing counts as sent, and the next try sends it once."""
    content = b"Subject: long\r\n\r\n" + b"0123456789\r\n" * 25_000
    async with Sink() as sink, relay(sink) as opened:
        sink.script("content", action="cut", times=1, after=after)
        with pytest.raises(TemporaryFailure):
            await opened.send(SENDER, ANN, content)
        assert sink.mails == []
        await opened.send(SENDER, ANN, content)
    assert [mail.content for mail in sink.mails] == [content]


async def test_f37_a_hang_after_the_dot() -> None:
    """Silence after the final dot is a suspected duplicate as much as a cut is."""
    async with Sink() as sink, relay(sink, deadlines=SHORT) as opened:
        sink.script("dot", action="hang", keep=True, times=1)
        fault = await outcome(opened)
        assert isinstance(fault, TemporaryFailure)
        assert fault.maybe_sent
    assert len(sink.mails) == 1


@pytest.mark.parametrize("kind", [ssl.SSLError, ssl.SSLEOFError, ConnectionResetError])
def test_f37_broken_encryption_after_the_dot(kind: type[OSError]) -> None:
    """A record that TLS can't read tells where it was met: after the dot the mail may have been sent."""
    error = aiosmtplib.SMTPServerDisconnected("Connection lost")
    error.__cause__ = kind(1, "bad record mac")
    fault = of_error(error, "dot")
    assert (type(fault), fault.stage, fault.cause) == (TemporaryFailure, "dot", "server")
    assert fault.may_go_elsewhere is False


@pytest.mark.parametrize(
    "junk", ["\x00\x01\x02", "\xff" * 100, "220" * 20_000, "250-x\n" * 20_000, "HTTP/1.1 400 Bad Request", "250"]
)
@pytest.mark.parametrize("stage", ["banner", "ehlo", "mail", "dot"])
async def test_f39_garbage(stage: SinkStage, junk: str) -> None:
    """Bytes that are no reply crash nothing, end within the deadline, and the next mail goes out."""
    async with Sink() as sink, relay(sink, deadlines=SHORT) as opened:
        sink.script(stage, junk, times=1)
        if junk == "250" and stage != "banner":
            await opened.send(SENDER, ANN, MESSAGE)
        else:
            fault = await outcome(opened)
            assert (type(fault), fault.cause) == (TemporaryFailure, "server")
        await opened.send(SENDER, BOB, MESSAGE)
    assert sink.mails[-1].recipients == (BOB,)


@pytest.mark.parametrize("extensions", [(), ("SIZE 1000",), ("8BITMIME", "SMTPUTF8")])
async def test_f39_what_a_server_lacks(extensions: tuple[str, ...]) -> None:
    """Our letters are ASCII and ask for no extension: a server without 8BITMIME or SMTPUTF8 takes them."""
    async with Sink(extensions=extensions) as sink, relay(sink) as opened:
        await opened.send(SENDER, ANN, MESSAGE)
    assert "MAIL FROM:<no-reply@example.com>" in sink.commands
    assert len(sink.mails) == 1


@pytest.fixture
def trace(tmp_path: Path) -> Iterator[Path]:
    """Failpoints write what they pass into this file."""
    path = tmp_path / "trace"
    path.touch()
    failpoints.arm(f"trace={path}")
    yield path
    failpoints.disarm()


def test_the_crossings_are_the_registrys() -> None:
    """The failpoints of the dialogue and those of the crash matrix are one list."""
    assert set(CROSSINGS) == {name for name in failpoints.names() if name.startswith("smtp.")}


async def test_every_crossing_is_a_failpoint(trace: Path) -> None:
    """A whole dialogue passes each point of CROSSINGS that it can reach, and no other of its door."""

    async def yes() -> bool:
        return True

    async with Sink(users={"ann": PASSWORD}) as sink:
        server = SmtpUrl("127.0.0.1", sink.port, "ann", PASSWORD, "none")
        async with relay(server=server, idle=0.0) as opened:
            await opened.send(SENDER, ANN, MESSAGE, before_data=yes)
            await opened.send(SENDER, ANN, MESSAGE)
            sink.script("rcpt", "550 5.1.1 no", times=1)
            await outcome(opened)
    passed = {line.split()[-1] for line in trace.read_text().splitlines()}
    assert passed == {point for point in CROSSINGS if "starttls" not in point}
    assert [mail.content for mail in sink.mails] == [MESSAGE, MESSAGE]


@pytest.mark.parametrize(
    ("point", "stage"),
    [
        ("smtp.connect.after", "banner"), ("smtp.rcpt.before", "rcpt"), ("smtp.half", "data"),
        ("smtp.content.after", "data"), ("smtp.dot.before", "dot"), ("smtp.dot.after", "dot"),
    ],
)  # fmt: skip
async def test_a_failpoint_breaks_the_dialogue(point: str, stage: str) -> None:
    """An error raised at a failpoint is reported as a cut there, and the connection isn't used again.

    Once the final dot has left this process the mail may have been accepted, whether or not its reply is waited for.
    """
    async with Sink() as sink, relay(sink) as opened:
        failpoints.arm(f"{point}:raise:1")
        try:
            fault = await outcome(opened)
        finally:
            failpoints.disarm()
        assert isinstance(fault, TemporaryFailure)
        assert (fault.stage, fault.code, fault.cause) == (stage, 0, "server")
        assert fault.maybe_sent is (stage == "dot")
        await opened.send(SENDER, BOB, MESSAGE)
    assert sink.connections == 2
