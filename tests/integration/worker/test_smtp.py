"""One dialogue over reused connections: what is sent, the fence before DATA, signing in."""

import asyncio
import gc
import logging
from collections.abc import Callable
from typing import Any

import pytest

from service import email_addresses
from testkit.sink import Sink
from tests.integration.worker.relays import ANN, BOB, MESSAGE, PASSWORD, SENDER, outcome, relay
from tests.unit.test_email_addresses import SAME, SPECIAL
from worker.relays import Deadlines, PermanentFailure, SmtpUrl, TemporaryFailure
from worker.relays.smtp import transport


async def test_a_mail_arrives() -> None:
    """Envelope and bytes arrive as given, and the next mail takes the same connection."""
    async with Sink() as sink, relay(sink) as opened:
        await opened.send(SENDER, ANN, MESSAGE)
        await opened.send("", BOB, MESSAGE)
    first, second = sink.mails
    assert (first.sender, first.recipients, first.content) == (SENDER, (ANN,), MESSAGE)
    assert (second.sender, second.recipients, second.content) == ("", (BOB,), MESSAGE)
    assert (first.connection, second.connection, sink.connections) == (1, 1, 1)
    assert sink.violations == []


async def test_whatever_the_door_takes_can_be_sent() -> None:
    """Every canonical address arrives on the wire as it is kept; an international domain in ASCII."""
    kept = [email_addresses.canonical(written) for written, _ in SAME]
    kept += [email_addresses.canonical(written, special_use=True) for written in SPECIAL]
    async with Sink() as sink, relay(sink) as opened:
        for address in kept:
            await opened.send(email_addresses.sender(address), address, MESSAGE)
    assert [mail.recipients for mail in sink.mails] == [(address,) for address in kept]
    assert [mail.sender for mail in sink.mails] == kept
    assert sink.violations == []


@pytest.mark.parametrize(
    ("given", "arrives"),
    [
        (b".\r\n..\r\n.a\r\n", b".\r\n..\r\n.a\r\n"),
        (b"a\r\n.\r\nMAIL FROM:<x@y.test>\r\n", b"a\r\n.\r\nMAIL FROM:<x@y.test>\r\n"),
        (b"a\n.\nb\r.\rc", b"a\r\n.\r\nb\r\n.\r\nc\r\n"),
        (b"a\r\n.\n\r\nb\n.\r\nc\r\n", b"a\r\n.\r\n\r\nb\r\n.\r\nc\r\n"),
        (b"", b"\r\n"),
    ],
)
async def test_no_smuggling(given: bytes, arrives: bytes) -> None:
    """Lone dots and bare newlines can neither end a mail early nor reach the wire."""
    async with Sink() as sink, relay(sink) as opened:
        await opened.send(SENDER, ANN, given)
        await opened.send(SENDER, BOB, MESSAGE)
    assert [mail.content for mail in sink.mails] == [arrives, MESSAGE]
    assert sink.violations == []


@pytest.mark.parametrize(
    "recipient",
    [
        "", "ann", "ann@example.org> SIZE=1", "ann@example.org\r\nRCPT TO:<bob@example.org>",
        "ann@example.org,bob@example.org",
        "<ann@example.org>", "ann@example.org ", "ann@example.org\x00", "änn@example.org",
        '"a b"@example.org', "a@b" * 100,
    ],
)  # fmt: skip
async def test_a_poisoned_recipient_reaches_no_wire(recipient: str) -> None:
    """An envelope address that isn't one plain addr-spec is refused before anything is sent."""
    async with Sink() as sink, relay(sink) as opened:
        fault = await outcome(opened, recipient)
        assert (type(fault), fault.code, fault.stage) == (PermanentFailure, 0, "address")
        with pytest.raises(TemporaryFailure) as caught:
            await opened.send("no-reply@example.com> SIZE=1", ANN, MESSAGE)
        assert caught.value.stage == "address"
    assert sink.connections == 0


@pytest.mark.parametrize("politely", [True, False])
async def test_a_connection_found_dead_is_replaced(politely: bool) -> None:
    """A reused connection that the server closed meanwhile costs nothing: the mail goes over a new one."""
    async with Sink() as sink, relay(sink) as opened:
        await opened.send(SENDER, ANN, MESSAGE)
        sink.cut_all(politely=politely)
        await opened.send(SENDER, BOB, MESSAGE)
    assert [mail.connection for mail in sink.mails] == [1, 2]


@pytest.mark.parametrize(("reply", "action"), [("421 4.4.2 idle too long", "reply"), ("", "cut")])
async def test_a_farewell_to_mail_is_replaced_once(reply: str, action: Any) -> None:
    """A reused connection cut, or told 421, at MAIL is replaced silently; on a new one that is a fault."""
    async with Sink() as sink, relay(sink) as opened:
        await opened.send(SENDER, ANN, MESSAGE)
        sink.script("mail", reply, action=action, times=1)
        await opened.send(SENDER, BOB, MESSAGE)
        assert [mail.connection for mail in sink.mails] == [1, 2]
        sink.script("mail", reply, action=action, times=2)
        fault = await outcome(opened)
        assert (type(fault), fault.stage) == (TemporaryFailure, "mail")
        assert sink.connections == 3


async def test_all_connections_of_a_restarted_server() -> None:
    """After a restart of the server every waiting connection is dead, and no mail notices."""
    sink = Sink()
    await sink.start()
    async with relay(sink, connections=4) as opened:
        await asyncio.gather(*(opened.send(SENDER, ANN, MESSAGE) for _ in range(4)))
        await sink.close()
        async with sink:
            await asyncio.gather(*(opened.send(SENDER, ANN, MESSAGE) for _ in range(8)))
            await opened.close()
    assert len(sink.mails) == 12


@pytest.mark.parametrize(("reply", "connections"), [("250 2.0.0 here", 1), ("500 5.5.1 what", 2)])
async def test_a_rested_connection_is_probed(reply: str, connections: int) -> None:
    """One that was idle for long must answer NOOP before it gets a mail, else it is replaced."""
    async with Sink() as sink, relay(sink, idle=0.0) as opened:
        await opened.send(SENDER, ANN, MESSAGE)
        sink.script("noop", reply, times=1)
        await opened.send(SENDER, BOB, MESSAGE)
    assert sink.commands.count("NOOP") == 1
    assert (len(sink.mails), sink.connections) == (2, connections)


async def test_a_silent_rested_connection_is_replaced() -> None:
    """A peer that vanished without a word is found out by the probe, not by the mail."""
    async with Sink() as sink, relay(sink, idle=0.0, deadlines=Deadlines(noop=0.2)) as opened:
        await opened.send(SENDER, ANN, MESSAGE)
        sink.script("noop", action="hang", times=1)
        await opened.send(SENDER, BOB, MESSAGE)
    assert [mail.connection for mail in sink.mails] == [1, 2]


async def test_a_cancelled_probe_leaves_nothing() -> None:
    """A mail cancelled while its connection is probed takes that connection with it."""
    async with Sink() as sink, relay(sink, idle=0.0) as opened:
        await opened.send(SENDER, ANN, MESSAGE)
        sink.script("noop", action="hang")
        task = asyncio.ensure_future(opened.send(SENDER, BOB, MESSAGE))
        await sink.wait_for(lambda sink: "NOOP" in sink.commands)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await sink.wait_for(lambda sink: not sink.sessions)
    assert len(sink.mails) == 1


async def test_a_worn_connection_is_renewed() -> None:
    """After its share of mails a connection says QUIT and another takes over."""
    async with Sink() as sink, relay(sink, mails_a_connection=3) as opened:
        for _ in range(7):
            await opened.send(SENDER, ANN, MESSAGE)
        assert [mail.connection for mail in sink.mails] == [1, 1, 1, 2, 2, 2, 3]
        assert sink.commands.count("QUIT") == 2


async def test_the_pool_has_a_limit() -> None:
    """Many mails at once use at most the configured connections, and use them again."""
    most = 0

    def watch(sink: Sink) -> bool:
        nonlocal most
        most = max(most, len(sink.sessions))
        return len(sink.mails) == 60

    async with Sink() as sink, relay(sink, connections=3, mails_a_connection=7) as opened:
        done = asyncio.ensure_future(sink.wait_for(watch))
        await asyncio.gather(*(opened.send(SENDER, f"user{n}@example.org", MESSAGE) for n in range(60)))
        await done
    assert len({mail.recipients for mail in sink.mails}) == 60
    assert most == 3


async def test_a_cancelled_mail_frees_its_place() -> None:
    """A mail cancelled in mid-dialogue drops its connection, so that no late answer meets the next mail."""
    async with Sink() as sink, relay(sink, connections=1) as opened:
        sink.script("rcpt", action="hang", recipient=BOB)
        task = asyncio.ensure_future(opened.send(SENDER, BOB, MESSAGE))
        await sink.wait_for(lambda sink: f"RCPT TO:<{BOB}>" in sink.commands)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await opened.send(SENDER, ANN, MESSAGE)
    assert [(mail.recipients, mail.connection) for mail in sink.mails] == [((ANN,), 2)]


async def test_a_closed_relay_leaves_nothing() -> None:
    """Closing says QUIT on every connection and leaves no socket; a mail after that is for later."""
    async with Sink() as sink:
        async with relay(sink, connections=2) as opened:
            await asyncio.gather(*(opened.send(SENDER, ANN, MESSAGE) for _ in range(2)))
        await sink.wait_for(lambda sink: not sink.sessions)
        assert sink.commands.count("QUIT") == 2
        fault = await outcome(opened)
        assert (type(fault), fault.stage) == (TemporaryFailure, "connect")
    gc.collect()


async def no() -> bool:
    return False


async def broken() -> bool:
    raise ConnectionResetError("postgres://user:password@db")


@pytest.mark.parametrize("fence", [no, broken])
async def test_the_fence_stops_a_mail(fence: Callable[[], Any]) -> None:
    """A lost lease stops the mail before DATA, with nothing handed over and the connection kept."""
    async with Sink() as sink, relay(sink) as opened:
        fault = await outcome(opened, before_data=fence)
        assert (type(fault), fault.code, fault.stage) == (TemporaryFailure, 0, "fence")
        assert "password" not in fault.text
        assert "DATA" not in sink.commands
        await opened.send(SENDER, BOB, MESSAGE)
    assert (len(sink.mails), sink.connections) == (1, 1)


async def test_the_fence_is_asked_last() -> None:
    """The lease is looked at after the recipient was accepted, just before DATA, and once."""
    seen: list[str] = []

    async with Sink() as sink, relay(sink) as opened:

        async def yes() -> bool:
            seen.append(sink.commands[-1])
            return True

        await opened.send(SENDER, ANN, MESSAGE, before_data=yes)
    assert seen == [f"RCPT TO:<{ANN}>"]
    assert len(sink.mails) == 1


async def test_f53_the_fence_is_asked_again_when_354_was_long_in_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was stopped between check and content checks anew; the partial mail costs its connection only."""
    monkeypatch.setattr(transport, "_LONG_AGO", 0.2)
    answers = [True, False, True, True, True]
    async with Sink() as sink, relay(sink) as opened:

        async def asked() -> bool:
            return answers.pop(0)

        sink.script("data", "354 go ahead", action="drip", pause=0.05, times=2)
        fault = await outcome(opened, before_data=asked)
        assert (type(fault), fault.code, fault.stage, fault.cause) == (TemporaryFailure, 0, "fence", "ours")
        await opened.send(SENDER, ANN, MESSAGE, before_data=asked)
        await opened.send(SENDER, BOB, MESSAGE, before_data=asked)
    assert answers == [], "a quick 354 is not asked for twice"
    assert [(mail.recipients, mail.connection) for mail in sink.mails] == [((ANN,), 2), ((BOB,), 2)]


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        ("LOGIN PLAIN", "PLAIN"),
        ("PLAIN", "PLAIN"),
        ("CRAM-MD5 LOGIN", "LOGIN"),
        ("GSSAPI CRAM-MD5 XOAUTH2", "CRAM-MD5"),
    ],
)
async def test_sign_in(offered: str, taken: str) -> None:
    """Credentials go by PLAIN, else LOGIN, else CRAM-MD5, as the server offers them, once a connection."""
    async with Sink(users={"ann": PASSWORD}, mechanisms=offered) as sink:
        server = SmtpUrl("127.0.0.1", sink.port, "ann", PASSWORD, "none")
        async with relay(sink, server=server) as opened:
            await opened.send(SENDER, ANN, MESSAGE)
            await opened.send(SENDER, ANN, MESSAGE)
    assert sink.logins == [("ann", True)]
    assert [line.split()[1] for line in sink.commands if line.startswith("AUTH")] == [taken]
    assert len(sink.mails) == 2


async def test_a_method_that_is_offered_and_missing() -> None:
    """504 to one method lets the next be tried, on the same connection; after the last it is a fault of ours."""
    async with Sink(users={"ann": PASSWORD}, mechanisms="PLAIN LOGIN CRAM-MD5") as sink:
        server = SmtpUrl("127.0.0.1", sink.port, "ann", PASSWORD, "none")
        sink.script("auth", "504 5.7.4 unrecognized authentication type", times=5)
        async with relay(sink, server=server) as opened:
            fault = await outcome(opened)
            assert (fault.code, fault.stage, fault.cause, sink.connections) == (504, "auth", "ours", 1)
            await opened.send(SENDER, ANN, MESSAGE)
    tried = [line.split()[1] for line in sink.commands if line.startswith("AUTH")]
    assert tried == ["PLAIN", "LOGIN", "CRAM-MD5"] * 2
    assert len(sink.mails) == 1


@pytest.mark.parametrize("helo", ["accounts.example.com", "[192.0.2.1]", "[IPv6:2001:db8::1]"])
async def test_ehlo_says_the_name_that_was_set(helo: str) -> None:
    """The name after EHLO is that of the settings, or localhost, and never the machine's own."""
    async with Sink() as sink:
        async with relay(sink, server=SmtpUrl("127.0.0.1", sink.port, tls="none", helo=helo)) as opened:
            await opened.send(SENDER, ANN, MESSAGE)
        async with relay(sink) as opened:
            await opened.send(SENDER, ANN, MESSAGE)
    assert [line for line in sink.commands if line.startswith("EHLO")] == [f"EHLO {helo}", "EHLO localhost"]


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        ("421 4.7.1 localhost: Helo command rejected: Host not found", "ours"),
        ("450 4.7.1 Client host rejected: cannot find your reverse hostname", "ours"),
        ("501 5.5.4 Invalid domain name", "ours"),
        ("504 5.5.2 localhost: Helo command rejected: need fully-qualified hostname", "ours"),
        ("550 5.7.1 bad EHLO, forged name", "ours"),
        ("421 4.3.2 going down", "server"),
        ("421 4.7.0 too many connections from your domain", "server"),
    ],
)
async def test_a_refused_name_is_ours(reply: str, cause: str, caplog: pytest.LogCaptureFixture) -> None:
    """A no to the name after EHLO calls an operator even where its code says that it passes; a busy server doesn't."""
    async with Sink() as sink, relay(sink) as opened:
        sink.script("ehlo", reply)
        fault = await outcome(opened)
    assert (type(fault), fault.stage, fault.cause) == (TemporaryFailure, "ehlo", cause)
    calls = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(calls) == (cause == "ours")


async def test_a_refused_name_is_not_one_connection_too_many(caplog: pytest.LogCaptureFixture) -> None:
    """While others are greeted a 421 about the name is no sign of a crowd: it calls an operator at once."""
    async with Sink() as sink, relay(sink) as opened:
        sink.script("rcpt", action="hang", recipient=BOB)
        busy = asyncio.create_task(opened.send(SENDER, BOB, MESSAGE))
        await sink.wait_for(lambda sink: f"RCPT TO:<{BOB}>" in sink.commands)
        sink.script("ehlo", "421 4.7.1 Helo command rejected: Host not found")
        assert (await outcome(opened)).cause == "ours"
        busy.cancel()
        await asyncio.wait({busy})
    assert [record.event for record in caplog.records] == ["relay.refused"]
    assert sink.connections == 2


@pytest.mark.parametrize(
    ("mechanisms", "reply", "code"),
    [
        ("PLAIN", "535 5.7.8 no such secret: s3cret/p@ss%word AGFubgBzM2NyZXQvcEBzcyV3b3Jk", 535),
        ("LOGIN", "454 4.7.0 s3cret/p@ss%word", 454),
        ("CRAM-MD5", "535 5.7.8 s3cret/p@ss%word", 535),
        ("GSSAPI NTLM", "235 2.7.0 never asked", 0),
    ],
)
async def test_a_failed_sign_in_is_ours(mechanisms: str, reply: str, code: int) -> None:
    """Wrong credentials are tried once, wait, and leave no trace of themselves in the answer."""
    async with Sink(users={"ann": "other"}, mechanisms=mechanisms) as sink:
        sink.script("auth", reply)
        async with relay(sink, server=SmtpUrl("127.0.0.1", sink.port, "ann", PASSWORD, "none")) as opened:
            fault = await outcome(opened)
    assert (type(fault), fault.code, fault.stage) == (TemporaryFailure, code, "auth")
    for told in (str(fault), repr(fault), fault.text):
        assert PASSWORD not in told
        assert "AGFub" not in told
    assert len(sink.logins) <= 1
    assert sink.mails == []
