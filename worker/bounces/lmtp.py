"""LMTP listener for mails to return paths, beside a worker's deliveries (RFC 2033). It is for your own mail server."""

import asyncio
import logging
from dataclasses import dataclass, field
from weakref import WeakSet

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from service.outages import Outage
from worker.bounces.bounce_mail import MOST_BYTES, UnreadableBounce
from worker.bounces.intake import BounceIntake, ForeignBounce
from worker.listening import bind, first_host
from worker.metrics import Metrics

log = logging.getLogger(__name__)
# Seconds of silence after which a client is cut off.
_SILENCE = 60.0
# Clients at a time.
_CLIENTS = 20


class _Lmtp(LMTP):
    """LMTP with any length of a line: mails that came back have all kinds."""

    line_length_limit = MOST_BYTES


@dataclass(slots=True)
class _Handler:
    """Answers of the listener: what can't be recorded now stays with the mail server, which comes again."""

    intake: BounceIntake
    metrics: Metrics

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's names
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take return paths only; one at a time, for LMTP wants an answer for each."""
        if envelope.rcpt_tos:
            return "452 4.5.3 one recipient at a time"
        if not self.intake.return_path.is_ours(address):
            return "550 5.1.1 no return path of ours"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        raw = envelope.original_content or b""
        try:
            report = await self.intake.take(raw, envelope.rcpt_tos)
        except (UnreadableBounce, ForeignBounce) as refusal:
            self.metrics.add("reports_refused")
            log.warning("A bounce was refused", extra={"event": "bounce.refused", "fault": str(refusal)})
            return f"554 5.6.0 {refusal}"
        except Exception as error:  # noqa: BLE001 - whatever the fault, the mail server keeps the mail
            log.warning(
                "A bounce could not be recorded; the mail server keeps it",
                extra={"event": "bounce.not_recorded", "cause": type(error).__name__},
            )
            return "451 4.3.0 it can't be recorded now"
        self.metrics.add(f"reports_{report.outcome}" if report else "reports_ignored")
        return "250 2.0.0 OK"


@dataclass(slots=True)
class LmtpPort:
    """The port. A worker that can't have it sends mails all the same, and goes on trying."""

    host: str
    port: int
    intake: BounceIntake
    metrics: Metrics
    _clients: WeakSet[LMTP] = field(default_factory=WeakSet)
    _outage: Outage = field(init=False)

    def __post_init__(self) -> None:
        self._outage = Outage(
            f"{self.host}:{self.port}",
            "lmtp_port",
            fell="The worker can't listen for bounces",
            back="The worker listens for bounces now",
        )

    async def run(self) -> None:
        """Serve until cancelled."""
        # The library writes senders and recipients into its log.
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)
        loop, handler = asyncio.get_running_loop(), _Handler(self.intake, self.metrics)

        async def start() -> asyncio.Server:
            return await loop.create_server(lambda: self._connection(handler, loop), first_host(self.host), self.port)

        server = await bind(start, self._outage, setting="BOUNCE_LMTP_PORT")
        async with server:
            await asyncio.Event().wait()

    def _connection(self, handler: _Handler, loop: asyncio.AbstractEventLoop) -> asyncio.Protocol:
        if sum(client.transport is not None for client in self._clients) >= _CLIENTS:
            return _Full()
        client = _Lmtp(
            handler, data_size_limit=MOST_BYTES, timeout=_SILENCE, hostname="accounts", ident="accounts", loop=loop,
            command_call_limit=1000,
        )  # fmt: skip
        self._clients.add(client)
        return client


class _Full(asyncio.Protocol):
    """Refusal of one client too many; it comes again."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101 - a listener has no others
        transport.write(b"421 4.3.2 too many connections\r\n")
        transport.close()
