import asyncio
import gc
import shutil
import ssl
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.sink import Sink, make_certificate, server_context
from tests.sink import Stage as SinkStage
from worker.smtp import Deadlines, Refused, Relay, Server, TryLater, Undelivered, parse_url

SENDER, ANN, BOB = "no-reply@example.com", "ann@example.org", "bob@example.org"
MESSAGE = b"Subject: hello\r\n\r\nOne line.\r\n"
PASSWORD = "s3cret/p@ss%word"
HIDDEN = "Hid" + "den8"  # in two pieces, since a traceback shows the lines of this file
QUOTED = "s3cret%2Fp%40ss%25word"
SHORT = Deadlines(connect=0.3, commands=0.3, after_dot=0.3, probe=0.3)
GOOD_DATES = ("20250101000000Z", "21250101000000Z")
OPENSSL = pytest.mark.skipif(shutil.which("openssl") is None, reason="making certificates takes the openssl program")


@asynccontextmanager
async def relay(sink: Sink, **options: Any) -> AsyncIterator[Relay]:
    """A pool to the sink without TLS unless `server` says otherwise, closed at the end."""
    server = options.pop("server", None) or Server("127.0.0.1", sink.port, tls="none")
    opened = Relay(server, **options)
    try:
        yield opened
    finally:
        await opened.close()


async def outcome(opened: Relay, recipient: str = ANN, **options: Any) -> Undelivered:
    """The answer a mail met, checked for what every answer promises."""
    with pytest.raises(Undelivered) as caught:
        await opened.send(SENDER, recipient, MESSAGE, **options)
    fault = caught.value
    assert type(fault) in {Refused, TryLater}
    assert fault.text.isprintable()
    assert 0 < len(fault.text) <= 200
    # Nothing else may hang on it: the original could quote a password or a link.
    assert fault.__cause__ is None
    assert fault.__context__ is None
    return fault


# --- the URL ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.com", Server("mail.example.com", 587, tls="starttls")),
        ("smtp://u:p@MAIL.example.com:2525/", Server("mail.example.com", 2525, "u", "p")),
        (f"smtp://u%40example.com:{QUOTED}@h?tls=required", Server("h", 587, "u@example.com", PASSWORD)),
        (f"smtps://u:{QUOTED}@h", Server("h", 465, "u", PASSWORD, "implicit")),
        ("smtp://localhost?tls=none", Server("localhost", 25, tls="none")),
        ("smtp://u:p@127.0.0.1:1025?tls=none", Server("127.0.0.1", 1025, "u", "p", "none")),
        (
            "smtp://[::1]:1025?tls=none&helo=web.example.com",
            Server("::1", 1025, tls="none", helo="web.example.com"),
        ),
        (f"smtps://h?ca={__file__}", Server("h", 465, tls="implicit", ca=__file__)),
    ],
)
def test_url_is_read(url: str, server: Server) -> None:
    """TLS is required unless the URL says otherwise; credentials are percent-decoded."""
    assert parse_url(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "", "mail.example.com", "http://u:{}@h", "smtp://u:{}@", "smtp://u:{}@h:0", "smtp://u:{}@h:99999",
        "smtp://u:{}@h:port",
        "smtp://u:{}@h:", "smtp://u:{}@h/path", "smtp://u:{}@h#x", "smtp://u:{}/x@h:587", "smtp://u:#{}@h",
        "smtp://u:?{}@h",
        "smtp://u:{}%ff@h", "smtp://u:{}%00@h", "smtp://u:{}%0a@h", "smtp://u@h", "smtp://:{}@h",
        "smtp://u:{}@h?tls=maybe",
        "smtp://u:{}@h?tls=none", "smtps://u:{}@127.0.0.1?tls=none", "smtp://u:{}@h?tls=required&tls=none",
        "smtp://u:{}@h?starttls=no",
        "smtp://u:{}@h?tls", "smtp://u:{}@h?ca=/nowhere.pem", "smtp://u:{}@h_h", "smtp://u:{}@h h",
        "smtp://u:{}@h?helo=a%20b",
        "smtp://u:{}@[::1", "smtp://u:[{}@h",
    ],
)  # fmt: skip
def test_bad_urls_say_why_without_the_password(url: str) -> None:
    """A wrong URL is refused with a sentence; neither it nor its traceback repeats a piece of the URL."""
    with pytest.raises(ValueError, match="SMTP URL") as caught:
        parse_url(url.format(HIDDEN))
    told = "".join(traceback.format_exception(caught.value))
    assert HIDDEN not in told
    assert caught.value.__context__ is None


def test_the_password_is_not_shown() -> None:
    """Printing a server never prints its password."""
    assert PASSWORD not in repr(parse_url(f"smtp://u:{QUOTED}@h"))


# --- sending ---------------------------------------------------------------------------------------------


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
        assert (type(fault), fault.code, fault.stage) == (Refused, 0, "address")
        with pytest.raises(TryLater) as caught:
            await opened.send("no-reply@example.com> SIZE=1", ANN, MESSAGE)
        assert caught.value.stage == "address"
    assert sink.connections == 0


ANSWERS: list[tuple[SinkStage, str, type[Undelivered], int]] = [
    ("banner", "421 4.3.2 busy", TryLater, 421),
    ("banner", "554 5.7.1 go away", TryLater, 554),
    ("ehlo", "502 5.5.1 no", TryLater, 502),
    ("mail", "451 4.3.0 later", TryLater, 451),
    ("mail", "550 5.7.1 sender not allowed", TryLater, 550),
    ("mail", "530 5.7.0 Must issue a STARTTLS command first", TryLater, 530),
    ("rcpt", "450 4.2.0 greylisted", TryLater, 450),
    ("rcpt", "452 4.5.3 too many", TryLater, 452),
    ("rcpt", "421 4.7.0 too fast", TryLater, 421),
    ("rcpt", "550 5.1.1 no such user", Refused, 550),
    ("rcpt", "550 no such user", Refused, 550),
    ("rcpt", "550 5.5.0 mailbox unavailable", Refused, 550),
    ("rcpt", "501 5.1.3 bad address", Refused, 501),
    ("rcpt", "553 5.1.2 no such domain", Refused, 553),
    ("rcpt", "554 5.7.1 policy", Refused, 554),
    ("rcpt", "552 5.2.2 over quota", TryLater, 552),
    ("rcpt", "550 5.2.2 mailbox full", TryLater, 550),
    ("rcpt", "503 5.5.1 sequence", TryLater, 503),
    ("rcpt", "530 5.7.0 authentication required", TryLater, 530),
    ("rcpt", f"554 5.7.1 <{ANN}>: Relay access denied", TryLater, 554),
    ("rcpt", "550 5.7.54 SMTP; Unable to relay recipient", TryLater, 550),
    ("rcpt", "553 5.7.1 <x>: Sender address rejected: not owned by user", TryLater, 553),
    ("rcpt", "550 5.1.8 sender domain not found", TryLater, 550),
    ("data", "451 4.3.0 later", TryLater, 451),
    ("data", "554 5.5.1 no valid recipients", TryLater, 554),
    ("dot", "451 4.7.1 greylisted", TryLater, 451),
    ("dot", "552 5.3.4 too big", TryLater, 552),
    ("dot", "554 5.7.1 looks like spam", Refused, 554),
    ("dot", "550-5.1.1 no\n550 5.1.1 such user", Refused, 550),
    ("dot", "550 5.7.26 unauthenticated sender", TryLater, 550),
    ("rcpt", "999 what", TryLater, 0),
    ("rcpt", "25", TryLater, 0),
    ("mail", "\xff\xfe no code", TryLater, 0),
    ("dot", "-50 odd", TryLater, 0),
]  # fmt: skip


@pytest.mark.parametrize(("stage", "reply", "kind", "code"), ANSWERS)
async def test_answers(stage: SinkStage, reply: str, kind: type[Undelivered], code: int) -> None:
    """Only a clear no to this recipient is final: a 4xx, our own faults and nonsense wait."""
    async with Sink() as sink, relay(sink) as opened:
        sink.script(stage, reply, times=1)
        fault = await outcome(opened)
        assert (type(fault), fault.code, fault.stage) == (kind, code, stage)
        assert sink.mails == []
        await opened.send(SENDER, BOB, MESSAGE)
    assert [mail.recipients for mail in sink.mails] == [(BOB,)]
    assert sink.violations == []


async def test_a_refused_recipient_keeps_the_connection() -> None:
    """One poison recipient among many: the others go out over the same connection, cleared by RSET."""
    async with Sink() as sink, relay(sink, connections=1) as opened:
        sink.script("rcpt", "550 5.1.1 no such user", recipient=BOB)
        for recipient in (ANN, BOB, ANN, BOB, ANN):
            if recipient == BOB:
                assert isinstance(await outcome(opened, BOB), Refused)
            else:
                await opened.send(SENDER, recipient, MESSAGE)
    assert (len(sink.mails), sink.connections) == (3, 1)
    assert sink.commands.count("RSET") == 2


async def test_a_huge_reply_is_only_a_fault() -> None:
    """A reply of ten megabytes costs that connection and no more."""
    async with Sink() as sink, relay(sink) as opened:
        sink.script("mail", "250 " + "x" * 10_000_000, times=1)
        fault = await outcome(opened)
        assert (type(fault), fault.code) == (TryLater, 0)
        await opened.send(SENDER, ANN, MESSAGE)
    assert sink.connections == 2


async def test_answers_hold_no_secrets() -> None:
    """What a server quotes of a mail is cut from the answer: links, secrets, control characters, length."""
    secret = "0f" * 128
    async with Sink() as sink, relay(sink) as opened:
        sink.script(
            "dot",
            f"554 5.7.1 bad\x1b[31m\x07 link https://a.test/?secret={secret} and {secret} {'so ' * 100}",
        )
        fault = await outcome(opened)
    assert "5.7.1 bad" in fault.text
    assert secret[:8] not in str(fault)
    assert "a.test" not in repr(fault)


# --- faults on the wire ----------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["banner", "ehlo", "mail", "rcpt", "data", "dot"])
@pytest.mark.parametrize("action", ["hang", "drip"])
async def test_silence_ends(stage: SinkStage, action: Any) -> None:
    """A server that hangs or drips, at any stage, costs its deadline and connection, and no other mail."""
    async with Sink() as sink, relay(sink, deadlines=SHORT) as opened:
        sink.script(stage, "250 " + "x" * 200, action=action, times=1)
        fault = await outcome(opened)
        assert (type(fault), fault.code) == (TryLater, 0)
        assert fault.stage == ("connect" if stage == "banner" else stage)
        await opened.send(SENDER, ANN, MESSAGE)
    assert sink.mails[-1].connection == 2


@pytest.mark.parametrize("stage", ["banner", "ehlo", "mail", "rcpt", "data", "content", "dot"])
async def test_cuts_are_tried_later(stage: SinkStage) -> None:
    """A cut anywhere on a new connection is TryLater, nothing counts as sent, and the next mail goes out."""
    async with Sink() as sink, relay(sink) as opened:
        sink.script(stage, action="cut", times=1, after=10 if stage == "content" else 0)
        fault = await outcome(opened)
        assert (type(fault), fault.code) == (TryLater, 0)
        assert sink.mails == []
        await opened.send(SENDER, ANN, MESSAGE)
    assert [mail.connection for mail in sink.mails] == [2]


async def test_a_cut_after_the_dot_may_be_a_duplicate() -> None:
    """Only a lost answer to the final dot is told as maybe sent."""
    async with Sink() as sink, relay(sink) as opened:
        sink.script("dot", action="cut", keep=True, times=1)
        fault = await outcome(opened)
        assert isinstance(fault, TryLater)
        assert fault.maybe_sent
        sink.script("rcpt", action="cut", times=1)
        fault = await outcome(opened)
        assert isinstance(fault, TryLater)
        assert not fault.maybe_sent
    assert len(sink.mails) == 1


async def test_nobody_listens() -> None:
    """A closed port is TryLater, and mail flows as soon as somebody listens again."""
    sink = Sink()
    await sink.start()
    await sink.close()
    async with relay(sink) as opened:
        fault = await outcome(opened)
        assert (type(fault), fault.code, fault.stage) == (TryLater, 0, "connect")
        async with sink:
            await opened.send(SENDER, ANN, MESSAGE)
            await opened.close()
    assert len(sink.mails) == 1


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
        assert (type(fault), fault.stage) == (TryLater, "mail")
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
    async with Sink() as sink, relay(sink, idle=0.0, deadlines=replace(Deadlines(), probe=0.2)) as opened:
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


@pytest.mark.parametrize("action", ["hang", "cut"])
async def test_a_fault_at_quit_changes_nothing(action: Any) -> None:
    """A mail is sent once it is accepted, however the connection ends."""
    async with Sink() as sink, relay(sink, mails_a_connection=1) as opened:
        sink.script("quit", action=action)
        await opened.send(SENDER, ANN, MESSAGE)
        await opened.send(SENDER, BOB, MESSAGE)
    assert len(sink.mails) == 2


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
        assert (type(fault), fault.stage) == (TryLater, "connect")
    gc.collect()


# --- the fence -------------------------------------------------------------------------------------------


async def no() -> bool:
    return False


async def broken() -> bool:
    raise ConnectionResetError("postgres://user:password@db")


@pytest.mark.parametrize("fence", [no, broken])
async def test_the_fence_stops_a_mail(fence: Callable[[], Any]) -> None:
    """A lost lease stops the mail before DATA, with nothing handed over and the connection kept."""
    async with Sink() as sink, relay(sink) as opened:
        fault = await outcome(opened, before_data=fence)
        assert (type(fault), fault.code, fault.stage) == (TryLater, 0, "fence")
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


# --- signing in ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanisms", ["PLAIN LOGIN", "PLAIN", "LOGIN", "CRAM-MD5 LOGIN"])
async def test_sign_in(mechanisms: str) -> None:
    """Credentials go by PLAIN, or by LOGIN where there is nothing better, once a connection."""
    async with Sink(users={"ann": PASSWORD}, mechanisms=mechanisms) as sink:
        server = Server("127.0.0.1", sink.port, "ann", PASSWORD, "none")
        async with relay(sink, server=server) as opened:
            await opened.send(SENDER, ANN, MESSAGE)
            await opened.send(SENDER, ANN, MESSAGE)
    assert sink.logins == [("ann", True)]
    assert len(sink.mails) == 2


@pytest.mark.parametrize(
    ("mechanisms", "reply", "code"),
    [
        ("PLAIN", "535 5.7.8 no such secret: s3cret/p@ss%word AGFubgBzM2NyZXQvcEBzcyV3b3Jk", 535),
        ("LOGIN", "454 4.7.0 s3cret/p@ss%word", 454),
        ("CRAM-MD5", "235 2.7.0 never asked", 0),
    ],
)
async def test_a_failed_sign_in_is_ours(mechanisms: str, reply: str, code: int) -> None:
    """Wrong credentials are tried once, wait, and leave no trace of themselves in the answer."""
    async with Sink(users={"ann": "other"}, mechanisms=mechanisms) as sink:
        sink.script("auth", reply)
        async with relay(sink, server=Server("127.0.0.1", sink.port, "ann", PASSWORD, "none")) as opened:
            fault = await outcome(opened)
    assert (type(fault), fault.code, fault.stage) == (TryLater, code, "auth")
    for told in (str(fault), repr(fault), fault.text):
        assert PASSWORD not in told
        assert "AGFub" not in told
    assert len(sink.logins) <= 1
    assert sink.mails == []


# --- TLS -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates good, for another name, and long expired, in folders of these names."""
    folder = tmp_path_factory.mktemp("tls")
    own = "DNS:localhost,IP:127.0.0.1"
    make_certificate(folder / "good", names=own, start=GOOD_DATES[0], end=GOOD_DATES[1])
    make_certificate(folder / "stranger", names=own, start=GOOD_DATES[0], end=GOOD_DATES[1])
    make_certificate(folder / "other", names="DNS:other.test", start=GOOD_DATES[0], end=GOOD_DATES[1])
    make_certificate(folder / "expired", names=own, start="20200101000000Z", end="20200102000000Z")
    return folder


def secured(folder: Path, *, implicit: bool) -> Sink:
    context = server_context(folder / "cert.pem", folder / "key.pem")
    return Sink(tls=context, implicit=implicit, users={"ann": PASSWORD})


def strict(sink: Sink, folder: Path, *, implicit: bool) -> Server:
    scheme = "smtps" if implicit else "smtp"
    return parse_url(f"{scheme}://ann:{QUOTED}@127.0.0.1:{sink.port}?ca={folder / 'cert.pem'}")


@OPENSSL
@pytest.mark.parametrize("implicit", [True, False])
async def test_tls(certificates: Path, implicit: bool) -> None:
    """With a certificate we trust, STARTTLS and implicit TLS carry sign-in and mail, over one connection."""
    async with secured(certificates / "good", implicit=implicit) as sink:
        async with relay(sink, server=strict(sink, certificates / "good", implicit=implicit)) as opened:
            await opened.send(SENDER, ANN, MESSAGE)
            await opened.send(SENDER, BOB, MESSAGE)
        await sink.wait_for(lambda sink: not sink.sessions)
    assert (len(sink.mails), sink.connections) == (2, 1)
    assert sink.logins == [("ann", True)]


@OPENSSL
@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize(
    ("shown", "trusted", "text"),
    [
        ("stranger", "good", "self-signed|self signed"),
        ("other", "other", "not valid for"),
        ("expired", "expired", "expired"),
    ],
)
async def test_a_bad_certificate(certificates: Path, shown: str, trusted: str, text: str, implicit: bool) -> None:
    """Untrusted, for another host, or expired: neither password nor mail is sent, and the mail waits."""
    async with secured(certificates / shown, implicit=implicit) as sink:
        async with relay(sink, server=strict(sink, certificates / trusted, implicit=implicit)) as opened:
            fault = await outcome(opened)
        await sink.wait_for(lambda sink: not sink.sessions)
    assert (type(fault), fault.code, fault.stage) == (TryLater, 0, "tls")
    assert any(each in fault.text for each in text.split("|"))
    assert (sink.logins, sink.mails) == ([], [])


@pytest.mark.parametrize("reply", ["", "454 4.7.0 TLS not available", "220 go\n250 injected"])
async def test_no_tls_no_mail(reply: str) -> None:
    """A server without STARTTLS, or one that refuses it, gets neither password nor mail: no fall-back."""
    extensions = ("STARTTLS",) if reply else ()
    async with Sink(extensions=extensions, users={"ann": PASSWORD}) as sink:
        server = parse_url(f"smtp://ann:{QUOTED}@127.0.0.1:{sink.port}")
        async with relay(sink, server=server, deadlines=replace(Deadlines(), connect=1.0)) as opened:
            fault = await outcome(opened)
    assert (type(fault), fault.stage) == (TryLater, "tls")
    assert (sink.logins, sink.mails) == ([], [])
    assert not [command for command in sink.commands if command.startswith(("MAIL", "AUTH"))]


def test_a_ca_file_without_certificates(tmp_path: Path) -> None:
    """A CA file that holds no certificate stops the start, not the mails."""
    (tmp_path / "ca.pem").write_text("nothing")
    server = parse_url(f"smtp://h?ca={tmp_path / 'ca.pem'}")
    with pytest.raises(ssl.SSLError):
        Relay(server)


async def test_implicit_tls_to_a_plain_port() -> None:
    """smtps:// to a server that speaks plain SMTP fails at TLS and sends nothing."""
    async with Sink() as sink, relay(sink, server=Server("127.0.0.1", sink.port, tls="implicit")) as opened:
        fault = await outcome(opened)
    assert (type(fault), fault.stage) == (TryLater, "tls")
    assert sink.commands == []


async def test_a_name_that_resolves_to_nothing() -> None:
    """A host that can't be found is TryLater, within the deadline."""
    server = Server("nowhere.invalid", 25, tls="none")
    opened = Relay(server, deadlines=replace(Deadlines(), connect=2.0))
    fault = await outcome(opened)
    assert (type(fault), fault.stage) == (TryLater, "connect")
    await opened.close()
