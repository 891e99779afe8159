"""A scriptable SMTP server of our own for tests and for the benchmark: it keeps every mail it accepts.

It speaks plain SMTP, STARTTLS or implicit TLS, with or without AUTH (PLAIN, LOGIN, CRAM-MD5, and XOAUTH2, where a
user's password is the token), and can be told to misbehave at any stage. It notes every bare CR or LF and every
over-long line that reaches it. Longer than other files: the session below is one state machine, which reads worse
when cut in two.

    async with Sink() as sink:
        sink.script("rcpt", "450 4.2.0 greylisted", recipient="ann@example.com", times=1)
        ...
        await sink.wait_for(1)
"""

import asyncio
import base64
import binascii
import hmac
import re
import ssl
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, cast

from testkit.patience import PATIENCE

Stage = Literal["banner", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "content", "dot", "rset", "noop", "quit"]
Action = Literal["reply", "hang", "cut", "drip"]
BARE_NEWLINE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
LONGEST_LINE = 1000  # RFC 5321 4.5.3.1.6, its CRLF included
OPENSSL_CA = """[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
rand_serial = yes
policy = any
default_md = sha256
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = {names}
"""


def make_certificate(folder: Path, *, names: str, start: str, end: str) -> tuple[Path, Path]:
    """Make a throw-away self-signed certificate and its key, as PEM files in `folder`, by the openssl program.

    `names` is a subjectAltName ("DNS:localhost,IP:127.0.0.1"); `start` and `end` look like 20200101000000Z.
    """
    folder.mkdir(parents=True)
    (folder / "ca.cnf").write_text(OPENSSL_CA.format(names=names))
    (folder / "index.txt").touch()
    request = "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=sink"
    sign = "ca -batch -selfsign -notext -config ca.cnf -keyfile key.pem -in request.pem -out cert.pem"
    for line in (
        f"{request} -keyout key.pem -out request.pem",
        f"{sign} -startdate {start} -enddate {end}",
    ):
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Make the sink's TLS context for this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@dataclass(frozen=True, slots=True)
class Mail:
    """One accepted message: `at` is time.monotonic() at its final dot, `content` is without dot stuffing."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    at: float
    connection: int


@dataclass(slots=True)
class Rule:
    """One line of the script; `left` counts down with use, None lasts for ever."""

    stage: Stage
    action: Action
    reply: bytes
    recipient: str | None
    left: int | None
    keep: bool
    after: int
    pause: float


@dataclass(slots=True)
class Sink:
    """The server; the lists are the evidence, read them at any time.

    `users` switches AUTH on and requires it, by the `mechanisms` offered. `tls` is the context for
    `implicit` TLS or else for STARTTLS. More than `most_sessions` at a time, or more MAILs than `most_mails` says
    as (how many, in how many seconds), are turned away, and counted.
    """

    tls: ssl.SSLContext | None = None
    implicit: bool = False
    users: dict[str, str] | None = None
    mechanisms: str = "PLAIN LOGIN"
    extensions: tuple[str, ...] = ("8BITMIME", "ENHANCEDSTATUSCODES", "SIZE 10000000")
    host: str = "127.0.0.1"
    port: int = 0
    most_sessions: int | None = None
    most_mails: tuple[int, float] | None = None
    turned_away: int = 0
    mails: list[Mail] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    logins: list[tuple[str, bool]] = field(default_factory=list)
    connections: int = 0
    record_commands: bool = True
    rules: list[Rule] = field(default_factory=list)
    sessions: "set[_Session]" = field(default_factory=set)
    _mailed: list[float] = field(default_factory=list)
    _waiters: list[tuple[Callable[["Sink"], bool], asyncio.Future[None]]] = field(default_factory=list)
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Listen; `port` 0 becomes a free one. A closed sink can start again on its port."""
        context = self.tls if self.implicit else None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Session(self), self.host, self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and cut every session; what was recorded stays."""
        if self._server is not None:
            self._server.close()
            self.cut_all()
            await self.wait_for(lambda sink: not sink.sessions)
            await self._server.wait_closed()
            self._server = None

    def cut_all(self, *, politely: bool = False) -> None:
        """End every open session at once: by a reset, or politely, as an idle timeout would."""
        for session in list(self.sessions):
            session.end(politely=politely)

    def script(
        self,
        stage: Stage,
        reply: str = "",
        *,
        action: Action = "reply",
        recipient: str | None = None,
        times: int | None = None,
        keep: bool = False,
        after: int = 0,
        pause: float = 0.05,
    ) -> None:
        """Misbehave at a stage, `times` times or for ever, for one recipient or for all.

        reply: answer that, a newline between the lines of a long one; a 421 or a refused banner also closes.
        hang: answer nothing any more. cut: reset the connection instead of answering; at "dot", `keep` says if the
        mail counts as accepted before. At "content" either comes once `after` bytes of the message are in; what hangs
        there reads no more.
        drip: the reply comes byte by byte, `pause` seconds apart.
        """
        lines = reply.encode().replace(b"\n", b"\r\n") + b"\r\n"
        self.rules.append(Rule(stage, action, lines, recipient, times, keep, after, pause))

    def rule(self, stage: Stage, recipients: tuple[str, ...] = (), size: int = 0) -> Rule | None:
        """Find the first rule of the script that fits now, and count its use."""
        for rule in self.rules:
            fits = rule.stage == stage and rule.left != 0 and size >= rule.after
            if fits and (rule.recipient is None or rule.recipient in recipients):
                if rule.left is not None:
                    rule.left -= 1
                return rule
        return None

    def is_too_fast(self) -> bool:
        """Return whether one more MAIL is over the rate; if it isn't, it counts."""
        if self.most_mails is None:
            return False
        most, seconds = self.most_mails
        now = time.monotonic()
        if sum(at > now - seconds for at in self._mailed) < most:
            self._mailed.append(now)
            return False
        self.turned_away += 1
        return True

    async def wait_for(self, wanted: "int | Callable[[Sink], bool]", timeout: float = PATIENCE) -> list[Mail]:
        """Wait until that many mails are in, or a condition on the sink holds; answers all mails so far."""
        ready = wanted if callable(wanted) else lambda sink: len(sink.mails) >= wanted
        if not ready(self):
            entry = (ready, asyncio.get_running_loop().create_future())
            self._waiters.append(entry)
            try:
                async with asyncio.timeout(timeout):
                    await entry[1]
            except TimeoutError:
                raise TimeoutError(f"the sink waited in vain; it has {len(self.mails)} mails") from None
            finally:
                self._waiters.remove(entry)
        return list(self.mails)

    def changed(self) -> None:
        """Something was recorded: wake whoever waits for it."""
        for ready, done in self._waiters:
            if not done.done() and ready(self):
                done.set_result(None)


class _Session(asyncio.Protocol):
    """One connection: what arrived and was not read yet, and where in the dialogue it stands."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.number = 0
        self.transport: asyncio.Transport | None = None
        self.buffer = bytearray()
        self.searched = 0
        self.reading_content = False
        self.deaf = False
        self.signed_in = False
        self.encrypted = sink.implicit
        self.sender: str | None = None
        self.recipients: list[str] = []
        self.expecting: Callable[[str], None] | None = None
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # After STARTTLS the loop does not call this again: start_tls hands the new transport over itself.
        self.transport = cast("asyncio.Transport", transport)
        self.sink.connections += 1
        self.number = self.sink.connections
        self.sink.sessions.add(self)
        self.sink.changed()
        if self.sink.most_sessions is not None and len(self.sink.sessions) > self.sink.most_sessions:
            self.sink.turned_away += 1
            self._write(b"421 4.7.0 too many connections\r\n")
            self.end(politely=True)
        else:
            self._answer("banner", b"220 sink ESMTP\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self.task is not None:
            self.task.cancel()
        if self.buffer and not self.deaf:
            self.sink.violations.append(f"connection {self.number} ended inside a line or message")
        self.sink.sessions.discard(self)
        self.sink.changed()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while self.buffer and not self.deaf and self._step():
            pass

    def end(self, *, politely: bool) -> None:
        """Close the connection, by FIN or by RST."""
        self.deaf = True
        if self.transport is not None and politely:
            self.transport.close()
        elif self.transport is not None:
            self.transport.abort()

    def _step(self) -> bool:
        """Take one line or one message out of the buffer; False when it is not all there yet."""
        if self.reading_content:
            return self._step_content()
        end = self.buffer.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(self.buffer[:end])
        del self.buffer[: end + 2]
        if BARE_NEWLINE.search(line):
            self.sink.violations.append(f"bare newline in command {line!r}")
        text = line.decode("latin-1")
        if self.expecting is not None:
            expecting, self.expecting = self.expecting, None
            expecting(text)
            return True
        if self.sink.record_commands:
            self.sink.commands.append(text)
            self.sink.changed()
        self._command(text)
        return True

    def _step_content(self) -> bool:
        rule = self.sink.rule("content", tuple(self.recipients), len(self.buffer)) if self.sink.rules else None
        if rule is not None:
            self.deaf = True
            if rule.action == "cut":
                self.end(politely=False)
            elif self.transport is not None:
                self.transport.pause_reading()
            return False
        # The dot may stand alone at the very start: an empty message.
        start = 0 if self.buffer.startswith(b".\r\n") else self.buffer.find(b"\r\n.\r\n", self.searched) + 2
        if start == 1:
            self.searched = max(0, len(self.buffer) - 4)
            return False
        content = bytes(self.buffer[:start])
        del self.buffer[: start + 3]
        self.searched = 0
        self.reading_content = False
        self._check_content(content)
        if content.startswith(b"."):
            content = content[1:]
        self._take(content.replace(b"\r\n.", b"\r\n"))
        return True

    def _check_content(self, content: bytes) -> None:
        if not content.count(b"\r\n") == content.count(b"\n") == content.count(b"\r"):
            found = cast("re.Match[bytes]", BARE_NEWLINE.search(content))
            self.sink.violations.append(f"bare newline near {content[max(0, found.start() - 20) :][:40]!r}")
        if any(len(line) + 2 > LONGEST_LINE for line in content.split(b"\r\n")):
            self.sink.violations.append("a line is longer than 1000 bytes")

    def _take(self, content: bytes) -> None:
        """Record the mail after its final dot, unless the script says otherwise."""
        mail = Mail(self.sender or "", tuple(self.recipients), content, time.monotonic(), self.number)
        rule = self.sink.rule("dot", mail.recipients) if self.sink.rules else None
        if rule is None or rule.keep or (rule.action != "cut" and rule.reply.startswith(b"2")):
            self.sink.mails.append(mail)
            self.sink.changed()
        self.sender, self.recipients = None, []
        self._play(rule, b"250 2.0.0 kept\r\n")

    def _command(self, line: str) -> None:
        verb = line[:4].upper()
        handler = COMMANDS.get(verb)
        if handler is None:
            self._write(b"500 5.5.2 no such command\r\n")
        else:
            handler(self, line)

    def _ehlo(self, line: str) -> None:
        del line
        offered = ["sink", *self.sink.extensions]
        if self.sink.tls is not None and not self.encrypted:
            offered.append("STARTTLS")
        if self.sink.users is not None:
            offered.append(f"AUTH {self.sink.mechanisms}")
        lines = [f"250-{name}" for name in offered[:-1]] + [f"250 {offered[-1]}"]
        self._answer("ehlo", "".join(f"{text}\r\n" for text in lines).encode())

    def _starttls(self, line: str) -> None:
        del line
        if self.sink.tls is None or self.encrypted:
            self._write(b"502 5.5.1 no TLS here\r\n")
        elif self._answer("starttls", b"220 2.0.0 go\r\n"):
            # The client's next line can arrive before start_tls gives us the transport to answer on.
            self.deaf = True
            self.buffer.clear()
            self.task = asyncio.get_running_loop().create_task(self._upgrade(self.sink.tls))

    async def _upgrade(self, context: ssl.SSLContext) -> None:
        """Hand the connection over to TLS; a client that dislikes the certificate ends it."""
        loop = asyncio.get_running_loop()
        raw = cast("asyncio.Transport", self.transport)
        try:
            secured = await loop.start_tls(raw, self, context, server_side=True)
        except OSError:
            self.end(politely=False)
            return
        self.transport = cast("asyncio.Transport", secured)
        self.encrypted = True
        self.deaf = False
        self.data_received(b"")

    def _auth(self, line: str) -> None:
        words = line.split()
        mechanism = words[1].upper() if len(words) > 1 else ""
        if mechanism == "PLAIN" and len(words) > 2:
            self._auth_plain(words[2])
        elif mechanism == "PLAIN":
            self._ask(b"334 \r\n", self._auth_plain)
        elif mechanism == "LOGIN" and len(words) > 2:
            self._ask(b"334 UGFzc3dvcmQ6\r\n", lambda secret: self._sign_in(_decoded(words[2]), _decoded(secret)))
        elif mechanism == "LOGIN":
            self._ask(b"334 VXNlcm5hbWU6\r\n", lambda name: self._auth(f"AUTH LOGIN {name}"))
        elif mechanism == "CRAM-MD5":
            challenge = f"<{self.number}.{time.monotonic_ns()}@sink>"
            self._ask(_challenge(challenge), lambda proof: self._auth_cram(challenge, _decoded(proof)))
        elif mechanism == "XOAUTH2" and len(words) > 2:
            self._auth_xoauth2(_decoded(words[2]))
        else:
            self._write(b"504 5.5.4 unknown mechanism\r\n")

    def _auth_cram(self, challenge: str, proof: str) -> None:
        """Check a digest; the right one counts as the password."""
        name, _, digest = proof.rpartition(" ")
        secret = (self.sink.users or {}).get(name, "")
        right = hmac.new(secret.encode(), challenge.encode(), "md5").hexdigest() == digest
        self._sign_in(name, secret if right else "wrong " + secret)

    def _auth_xoauth2(self, text: str) -> None:
        """Check a token; a wrong one gets a challenge, and 535 once the client has sent a bare line."""
        match = re.fullmatch(r"user=([^\x01]*)\x01auth=Bearer ([^\x01]*)\x01\x01", text)
        name, token = match.groups() if match else ("", "")
        if (self.sink.users or {}).get(name) == token:
            self._sign_in(name, token)
        else:
            self._ask(_challenge('{"status":"400"}'), lambda line: self._refuse_token(line, name, token))

    def _refuse_token(self, line: str, name: str, token: str) -> None:
        if line:
            self._write(b"501 5.5.2 no\r\n")
        else:
            self._sign_in(name, token)

    def _ask(self, challenge: bytes, then: Callable[[str], None]) -> None:
        self.expecting = then
        self._write(challenge)

    def _auth_plain(self, text: str) -> None:
        parts = _decoded(text).split("\0")
        self._sign_in(*(parts[1:] if len(parts) == 3 else ("", "")))

    def _sign_in(self, name: str, secret: str) -> None:
        users = self.sink.users or {}
        good = name in users and users[name] == secret
        self.sink.logins.append((name, good))
        default = b"235 2.7.0 welcome\r\n" if good else b"535 5.7.8 wrong credentials\r\n"
        self.signed_in = self._answer("auth", default) and good

    def _mail(self, line: str) -> None:
        match = re.fullmatch(r"MAIL FROM:<([^<>]*)>((?: [!-~]+)*)", line, re.IGNORECASE)
        if match is None:
            self._write(b"501 5.5.4 syntax\r\n")
        elif self.sink.users is not None and not self.signed_in:
            self._write(b"530 5.7.0 sign in first\r\n")
        elif self.sender is not None:
            self._write(b"503 5.5.1 nested MAIL\r\n")
        elif self.sink.is_too_fast():
            self._write(b"450 4.7.1 too many mails\r\n")
        elif self._answer("mail", b"250 2.1.0 ok\r\n"):
            self.sender = match[1]

    def _rcpt(self, line: str) -> None:
        match = re.fullmatch(r"RCPT TO:<([^<>]+)>((?: [!-~]+)*)", line, re.IGNORECASE)
        if match is None or match[2]:
            self._write(b"501 5.5.4 syntax\r\n")
        elif self.sender is None:
            self._write(b"503 5.5.1 MAIL first\r\n")
        elif self._answer("rcpt", b"250 2.1.5 ok\r\n", match[1]):
            self.recipients.append(match[1])

    def _data(self, line: str) -> None:
        del line
        if not self.recipients:
            self._write(b"503 5.5.1 RCPT first\r\n")
        elif self._answer("data", b"354 go\r\n", *self.recipients):
            self.reading_content = True

    def _rset(self, line: str) -> None:
        del line
        self.sender, self.recipients = None, []
        self._answer("rset", b"250 2.0.0 ok\r\n")

    def _noop(self, line: str) -> None:
        del line
        self._answer("noop", b"250 2.0.0 ok\r\n")

    def _quit(self, line: str) -> None:
        del line
        if self._answer("quit", b"221 2.0.0 bye\r\n"):
            self.end(politely=True)

    def _answer(self, stage: Stage, default: bytes, *recipients: str) -> bool:
        """Answer as the script says, or by default; True when the answer lets the client go on."""
        rule = self.sink.rule(stage, recipients) if self.sink.rules else None
        return self._play(rule, default)

    def _play(self, rule: Rule | None, default: bytes) -> bool:
        if rule is None:
            self._write(default)
        elif rule.action == "reply":
            self._write(rule.reply)
            if rule.reply.startswith(b"421") or (rule.stage == "banner" and not rule.reply.startswith(b"2")):
                self.end(politely=True)
        elif rule.action == "cut":
            self.end(politely=False)
        elif rule.action == "hang":
            self.deaf = True
        else:
            self.task = asyncio.get_running_loop().create_task(self._drip(rule))
        reply = default if rule is None else rule.reply
        return reply[:1] in b"23" and (rule is None or rule.action in ("reply", "drip"))

    async def _drip(self, rule: Rule) -> None:
        for at in range(len(rule.reply)):
            self._write(rule.reply[at : at + 1])
            await asyncio.sleep(rule.pause)

    def _write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)


def _challenge(text: str) -> bytes:
    return b"334 " + base64.b64encode(text.encode()) + b"\r\n"


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


COMMANDS: dict[str, Callable[[_Session, str], None]] = {
    "EHLO": _Session._ehlo,
    "HELO": _Session._ehlo,
    "STAR": _Session._starttls,
    "AUTH": _Session._auth,
    "MAIL": _Session._mail,
    "RCPT": _Session._rcpt,
    "DATA": _Session._data,
    "RSET": _Session._rset,
    "NOOP": _Session._noop,
    "QUIT": _Session._quit,
}
