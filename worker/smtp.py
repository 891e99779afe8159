"""The way out: a pool of reused connections to one SMTP server, and the two answers a mail can meet there.

Refused is final for that recipient; TryLater is everything else, our own faults included, because a wrong
password or an expired certificate must not cost anybody their mail. Nothing secret leaves this module: what a
server says is cut to one line without links or long codes, and of a failed sign-in only its numbers remain.
Longer than other files: the answers, the pool and the dialogue are only safe when read together.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from worker.messages import is_address

Tls = Literal["implicit", "starttls", "none"]
Stage = Literal["address", "connect", "tls", "banner", "ehlo", "auth", "mail", "rcpt", "fence", "data", "dot"]
Fence = Callable[[], Awaitable[bool]]

LONGEST_TEXT = 200
UNREADABLE = "it can't be read (is a character of the password not percent-encoded?)"
HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*")
LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|::1")
# A refusal may quote the mail: links and anything as long as a secret are taken out before anyone logs it.
SECRETS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S*|[A-Za-z0-9_+/=-]{32,}")
ENHANCED = re.compile(r"([245])\.(\d{1,3}\.\d{1,3})\b")
# Replies of the 5xx kind that speak of us or of a passing state, not of the recipient.
OURS = frozenset({500, 502, 503, 504, 530, 534, 535, 538, 552})
OURS_ENHANCED = frozenset({
    "1.7", "1.8",  # our sender address
    "2.2", "3.1", "3.2",  # mailbox or system full
    "7.3", "7.8", "7.9", "7.11", "7.54", "7.57", "7.64",  # who we are, how we came
    "7.20", "7.21", "7.22", "7.23", "7.24", "7.25", "7.26", "7.27",  # DKIM, SPF, reverse DNS
})  # fmt: skip
OURS_TEXT = re.compile(
    r"relay(?:ing)?\b.{0,20}(?:denied|prohibited|not (?:permitted|allowed))"
    r"|(?:unable|cannot|not allowed) to relay|sender address rejected"
    r"|authentication (?:is )?required|must (?:authenticate|issue a starttls)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail goes and how: `ca` is a PEM file trusted instead of the system's, `helo` our own name."""

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    tls: Tls = "starttls"
    ca: str | None = None
    helo: str | None = None


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds in all, however slowly a server drips: until ready, envelope, content, NOOP or RSET."""

    connect: float = 10.0
    commands: float = 30.0
    after_dot: float = 300.0
    probe: float = 5.0


class Undelivered(Exception):
    """What both answers carry: the SMTP code (0 when none came), one harmless line, and where it happened."""

    def __init__(self, code: int, text: str, stage: Stage) -> None:
        super().__init__(code, text, stage)
        self.code = code
        self.text = text
        self.stage = stage

    def __str__(self) -> str:
        return f"{self.stage}: {self.code} {self.text}" if self.code else f"{self.stage}: {self.text}"


class Refused(Undelivered):
    """Never, for this recipient: no further attempt."""


class TryLater(Undelivered):
    """Not now."""

    @property
    def maybe_sent(self) -> bool:
        """The final dot went out and no answer came back: the next attempt may be a duplicate (RFC 1047)."""
        return self.stage == "dot" and self.code == 0


def parse_url(url: str) -> Server:
    """Read smtp://user:password@host:587 or smtps://host:465; the password is percent-encoded.

    smtp:// means STARTTLS or nothing unless it says ?tls=none, which takes credentials only to this machine.
    Ports: 587, smtps 465, tls=none 25. ?ca=FILE trusts that PEM file only, ?helo=NAME is our own name.
    Raises ValueError with a text that repeats no part of the URL: any part may be a piece of the password.
    """
    # Raised below and not in the except clause, lest the original, which quotes the URL, hang on it.
    problem = UNREADABLE
    try:
        parts = urlsplit(url)
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        server = Server(
            host=parts.hostname or "",
            port=parts.port or 0,
            username=unquote(parts.username or "", errors="strict"),
            password=unquote(parts.password or "", errors="strict"),
            ca=dict(options).get("ca"),
            helo=dict(options).get("helo"),
        )
        problem = _problem(parts, options, server)
    except ValueError:
        pass
    if problem:
        raise ValueError(f"an SMTP URL looks like smtp://user:password@host:587; {problem}")
    implicit, plain = parts.scheme == "smtps", dict(options).get("tls") == "none"
    tls: Tls = "implicit" if implicit else "none" if plain else "starttls"
    port = server.port or {"implicit": 465, "none": 25, "starttls": 587}[tls]
    return Server(server.host, port, server.username, server.password, tls, server.ca, server.helo)


def _problem(parts: SplitResult, options: list[tuple[str, str]], server: Server) -> str:
    """What is wrong with an SMTP URL, in words that quote nothing of it; empty when all is well."""
    names = [name for name, _ in options]
    tls = dict(options).get("tls", "required")
    plain = tls == "none"
    lone = bool(server.username) != bool(server.password)
    abroad = bool(server.username) and LOOPBACK.fullmatch(server.host) is None
    faults = (
        (parts.scheme not in {"smtp", "smtps"}, "the scheme must be smtp or smtps"),
        (HOST.fullmatch(server.host) is None, "the host is missing or not a host name"),
        (parts.netloc.endswith((":0", ":")), "the port must be between 1 and 65535"),
        (
            parts.path not in {"", "/"} or bool(parts.fragment),
            UNREADABLE,
        ),
        (lone, "a user name needs a password, and a password a user name"),
        (not (server.username + server.password).isprintable(), "credentials hold a control character"),
        (len(set(names)) != len(names), "each option may be given once"),
        (not {*names} <= {"tls", "ca", "helo"}, "the options are tls, ca and helo"),
        (tls not in {"required", "none"}, "tls must be required or none"),
        (plain and parts.scheme == "smtps", "smtps can't go with tls=none"),
        (plain and abroad, "without TLS a password may only go to this machine"),
        (server.ca is not None and not Path(server.ca).is_file(), "the ca file can't be found"),
        (HOST.fullmatch((server.helo or "h").lower()) is None, "helo must be a host name"),
    )
    return next((text for holds, text in faults if holds), "")


class Relay:
    """A pool of at most `connections` open connections to one server, the last used first.

    One used for `mails_a_connection` mails is renewed; one idle for `idle` seconds must prove it lives.
    """

    def __init__(
        self,
        server: Server,
        *,
        connections: int = 10,
        deadlines: Deadlines = Deadlines(),
        idle: float = 25.0,
        mails_a_connection: int = 100,
    ) -> None:
        """Raise OSError when the server's `ca` file holds no certificate."""
        self.server = server
        self.deadlines = deadlines
        self._limit = mails_a_connection
        self._idle_limit = idle
        self._idle: list[_Connection] = []
        self._slots = asyncio.Semaphore(connections)
        self._closed = False
        self._context = None if server.tls == "none" else ssl.create_default_context(cafile=server.ca)
        own = server.helo or socket.gethostname()
        self._helo = own if HOST.fullmatch(own.lower()) else "localhost"

    async def send(self, sender: str, recipient: str, message: bytes, *, before_data: Fence | None = None) -> None:
        """Hand one message to the server for one recipient; `sender` may be empty, for the null return path.

        `before_data` is awaited once the recipient is taken, just before DATA: False, or an exception of its
        own, abandons the mail with TryLater at stage "fence". Waiting for a free connection has no deadline
        of ours. Raises Refused or TryLater, and nothing else but CancelledError.
        """
        if not is_address(recipient):
            raise Refused(0, "the recipient is not one plain address", "address")
        if sender and not is_address(sender):
            raise TryLater(0, "the sender is not one plain address", "address")
        mail = _Mail(sender.encode(), recipient.encode(), _on_the_wire(message), before_data)
        async with self._slots:
            fault = await self._attempt(mail)
        if fault is not None:
            raise fault

    async def close(self) -> None:
        """Say goodbye on every idle connection; busy ones end with their mail, later sends get TryLater."""
        self._closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.part() for connection in idle))

    async def _attempt(self, mail: "_Mail") -> Undelivered | None:
        """Send over a waiting connection, or over a new one if that proves dead before it took anything."""
        connection = await self._waiting()
        if connection is not None:
            fault = await self._converse(connection, mail)
            if not connection.found_dead:
                return fault
        opened = await self._open()
        return opened if isinstance(opened, Undelivered) else await self._converse(opened, mail)

    async def _waiting(self) -> "_Connection | None":
        """The connection used last that still lives; a round trip proves it only after a long rest."""
        while self._idle:
            connection = self._idle.pop()
            if connection.mails >= self._limit:
                await connection.part()
                continue
            rested = asyncio.get_running_loop().time() - connection.used_at
            fresh = rested < self._idle_limit
            if connection.alive and (fresh or await connection.accepts(b"NOOP", self.deadlines.probe)):
                return connection
            connection.drop()
        return None

    async def _open(self) -> "_Connection | Undelivered":
        """A connection ready for MAIL FROM: TLS as configured, never less, and signed in."""
        if self._closed:
            return TryLater(0, "the relay is closing", "connect")
        server = self.server
        smtp = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=self._helo,
            use_tls=server.tls == "implicit",
            start_tls=False,
            tls_context=self._context,
            timeout=None,
        )
        connection = _Connection(smtp)
        try:
            async with asyncio.timeout(self.deadlines.connect):
                await connection.greet(server)
                return connection
        except Exception as error:  # noqa: BLE001 - whatever it was, it becomes one of our two answers
            fault = _fault(error, connection.stage)
        except BaseException:
            connection.drop()
            raise
        connection.drop()
        return fault

    async def _converse(self, connection: "_Connection", mail: "_Mail") -> Undelivered | None:
        """One mail over one connection, which is then put back, cleared by RSET, or dropped."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.deadlines.commands) as deadline:
                await connection.ask("mail", b"MAIL FROM:<" + mail.sender + b">")
                await connection.ask("rcpt", b"RCPT TO:<" + mail.recipient + b">")
                if mail.before_data is not None:
                    await connection.pass_fence(mail.before_data)
                await connection.ask("data", b"DATA", wanted=3)
                deadline.reschedule(loop.time() + self.deadlines.after_dot)
                await connection.hand_over(mail.content)
        except Exception as error:  # noqa: BLE001 - as above
            fault = _fault(error, connection.stage)
        except BaseException:
            # Cancelled in mid-dialogue: whatever the server says next would answer the wrong question.
            connection.drop()
            raise
        else:
            connection.mails += 1
            self._put_back(connection, loop.time())
            return None
        connection.found_dead = connection.is_dead(fault)
        # The server spoke clearly, or wasn't asked: the connection is good once its envelope is cleared.
        clear = fault.code not in {0, 421} or fault.stage == "fence"
        if clear and await connection.accepts(b"RSET", self.deadlines.probe):
            self._put_back(connection, loop.time())
        else:
            connection.drop()
        return fault

    def _put_back(self, connection: "_Connection", now: float) -> None:
        if self._closed:
            connection.drop()
        elif connection.alive:
            connection.used_at = now
            self._idle.append(connection)


@dataclass(frozen=True, slots=True)
class _Mail:
    """An envelope that was checked, and content as it goes over the wire, final dot included."""

    sender: bytes
    recipient: bytes
    content: bytes = field(repr=False)
    before_data: Fence | None


class _Connection:
    """One SMTP session; `stage` says where its dialogue stands, for whoever has to explain a fault.

    Commands go straight to aiosmtplib's protocol: its own mail() and rcpt() parse each address anew, cut what
    they dislike, and cost more than the dialogue itself.
    """

    def __init__(self, smtp: aiosmtplib.SMTP) -> None:
        self.smtp = smtp
        self.stage: Stage = "connect"
        self.mails = 0
        self.used_at = 0.0
        self.found_dead = False

    @property
    def alive(self) -> bool:
        return self.smtp.is_connected

    @property
    def protocol(self) -> SMTPProtocol:
        if self.smtp.protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("the connection was cut")
        return self.smtp.protocol

    async def greet(self, server: Server) -> None:
        """Connect, encrypt and sign in; aiosmtplib raises on whatever isn't a yes."""
        await self.smtp.connect()
        self.stage = "ehlo"
        await self.smtp.ehlo()
        if server.tls == "starttls":
            self.stage = "tls"
            await self.smtp.starttls()
            self.stage = "ehlo"
            await self.smtp.ehlo()
        if server.username:
            self.stage = "auth"
            # One try by the best method offered: each wrong one counts towards locking us out.
            if "plain" in self.smtp.server_auth_methods:
                await self.smtp.auth_plain(server.username, server.password)
            elif "login" in self.smtp.server_auth_methods:
                await self.smtp.auth_login(server.username, server.password)
            else:
                raise aiosmtplib.SMTPNotSupported("the server offers neither AUTH PLAIN nor LOGIN")

    async def ask(self, stage: Stage, command: bytes, *, wanted: int = 2) -> None:
        """Say one line; a reply whose first digit isn't `wanted` is raised as the answer it means."""
        self.stage = stage
        code, text = await self.protocol.execute_command(command)
        if code // 100 != wanted:
            raise _answer(code, text, stage)

    async def pass_fence(self, before_data: Fence) -> None:
        self.stage = "fence"
        if not await before_data():
            raise TryLater(0, "the check before DATA said no", "fence")

    async def hand_over(self, content: bytes) -> None:
        """Everything after 354, up to the server's word on it."""
        self.stage = "dot"
        self.protocol.write(content)
        code, text = await self.protocol.read_response()
        if code // 100 != 2:
            raise _answer(code, text, "dot")

    async def accepts(self, command: bytes, seconds: float) -> bool:
        """Whether the server is there and says yes to a command without consequences."""
        try:
            async with asyncio.timeout(seconds):
                code, _ = await self.protocol.execute_command(command)
        except Exception:  # noqa: BLE001 - whatever it was, the answer is no
            return False
        except BaseException:
            self.drop()
            raise
        return code // 100 == 2 and self.alive

    def is_dead(self, fault: Undelivered) -> bool:
        """Whether the server had left before MAIL: cut, or 421 as its answer. Silence doesn't count."""
        return fault.stage == "mail" and (fault.code == 421 or (fault.code == 0 and not self.alive))

    async def part(self) -> None:
        """Say QUIT, wait a little for the answer, go."""
        try:
            async with asyncio.timeout(1):
                await self.protocol.execute_command(b"QUIT")
        except Exception:  # noqa: BLE001, S110 - they may have left first; we leave all the same
            pass
        finally:
            self.drop()
        await asyncio.sleep(0)  # the transport closes its socket in the loop's next round

    def drop(self) -> None:
        """Cut at once, without the farewells of TLS, which a dead peer would draw out."""
        transport = cast("asyncio.WriteTransport | None", self.smtp.transport)
        self.smtp.close()
        if transport is not None:
            transport.abort()


def _on_the_wire(message: bytes) -> bytes:
    """CRLF only, leading dots doubled, the final dot at its end."""
    if not message.count(b"\r\n") == message.count(b"\n") == message.count(b"\r"):
        message = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
    if not message.endswith(b"\r\n"):
        message += b"\r\n"
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    return (b"." + stuffed if stuffed.startswith(b".") else stuffed) + b".\r\n"


def _answer(code: int, text: str, stage: Stage) -> Undelivered:
    """What a reply means. Final is only a clear no to this recipient, and none of our own faults."""
    line = _one_line(text)
    if not 200 <= code <= 599:
        return TryLater(0, f"the reply makes no sense: {line}"[:LONGEST_TEXT], stage)
    if stage == "auth":
        status = ENHANCED.search(text)
        return TryLater(code, f"the server did not let us sign in{f' ({status[0]})' if status else ''}", stage)
    if code < 500 or stage not in {"rcpt", "dot"} or _is_ours(code, line):
        return TryLater(code, line, stage)
    return Refused(code, line, stage)


def _is_ours(code: int, line: str) -> bool:
    """Whether a 5xx to the recipient or the content speaks of us, or of a full mailbox, and so may pass."""
    status = ENHANCED.match(line)
    about_recipient = status is not None and status[2].startswith("1.")
    return (
        code in OURS
        or (code == 501 and not about_recipient)
        or (status is not None and status[2] in OURS_ENHANCED)
        or OURS_TEXT.search(line) is not None
    )


def _fault(error: Exception, stage: Stage) -> Undelivered:
    """Any exception of a dialogue as one of our two answers."""
    if isinstance(error, Undelivered):
        return error
    tls = next((each for each in (error, error.__cause__) if isinstance(each, ssl.SSLError)), None)
    if stage == "fence":
        text = f"the check before DATA failed with {type(error).__name__}"
    elif tls is not None:
        text = _one_line(getattr(tls, "verify_message", "") or tls.reason or "the handshake failed")
        stage = "tls"
    elif isinstance(error, aiosmtplib.SMTPResponseException):
        at_banner = isinstance(error, aiosmtplib.SMTPConnectResponseError)
        return _answer(error.code, error.message, "banner" if at_banner else stage)
    elif isinstance(error, TimeoutError):
        text = "no answer in time"
    elif isinstance(error, aiosmtplib.SMTPException):
        text = _one_line(error.message)
    else:
        text = f"the dialogue broke off with {type(error).__name__}"
    return TryLater(0, text, stage)


def _one_line(text: str) -> str:
    """What a server said, fit for a log: printable, short, without links or anything as long as a secret."""
    printable = "".join(character if character.isprintable() else " " for character in text[:2000])
    return SECRETS.sub("[cut]", " ".join(printable.split()))[:LONGEST_TEXT]
