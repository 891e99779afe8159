"""SMTP as the way to a relay server: a mail over a pooled session, a probe by greeting."""

import asyncio
import time

from worker.relays.envelope import Envelope
from worker.relays.outcomes import ENVELOPE, Accepted, DeliveryFailure
from worker.relays.smtp import reply_texts
from worker.relays.smtp.connection_pool import ConnectionPool
from worker.relays.smtp.error_mapping import of_error
from worker.relays.smtp.session import SmtpSession, dot_stuffed

# Seconds after which the lease check before DATA is repeated: this process may have been paused since.
_LONG_AGO = 3.0
# Seconds without an answer after which a probe opens a second connection beside the first.
_SILENT = 10.0


class SmtpTransport(ConnectionPool):
    """Pool of sessions that sends mails over them."""

    async def probe(self) -> DeliveryFailure | None:
        """Connect and greet; a session that was greeted stays in the pool."""
        outcome = await self._greet_any()
        if isinstance(outcome, DeliveryFailure):
            return outcome
        self.release(outcome)
        return None

    async def _greet_any(self) -> SmtpSession | DeliveryFailure:
        """Open a session; while the server is silent open more beside it, and return the first that is answered.

        Each waits twice as long as the one before: a silent server sees few, and its recovery is noticed soon.
        """
        wait, begun = _SILENT, set[asyncio.Task[SmtpSession | DeliveryFailure]]()
        try:
            while True:
                begun.add(asyncio.create_task(self.open()))
                done, _ = await asyncio.wait(begun, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    first = done.pop()
                    begun.discard(first)
                    return first.result()
                wait *= 2
        finally:
            for other in begun:
                other.add_done_callback(_abort_surplus)
                other.cancel()

    async def send(self, envelope: Envelope) -> Accepted | DeliveryFailure:
        """Send over an idle session; open a new one if there is none, or if that failed by itself before DATA."""
        connection = await self.acquire_idle()
        if connection is not None:
            outcome = await self._send_over_session(connection, envelope)
            if isinstance(outcome, Accepted):
                return outcome
            outcome.reused = True
            if not _is_of_connection(outcome):
                return outcome
        opened = await self.open()
        return opened if isinstance(opened, DeliveryFailure) else await self._send_over_session(opened, envelope)

    async def _send_over_session(self, connection: SmtpSession, envelope: Envelope) -> Accepted | DeliveryFailure:
        """Send one mail over one session, then release it to the pool, after RSET if need be, or abort it."""
        try:
            await _open_transaction(connection, envelope)
            code, text = await connection.send_content(dot_stuffed(envelope.message))
        except Exception as error:  # noqa: BLE001 - every error becomes a DeliveryFailure
            fault = of_error(error, connection.stage)
        except BaseException:
            # Cancelled between command and reply: the next reply would belong to the wrong command.
            connection.abort()
            raise
        else:
            connection.mails += 1
            self.release(connection)
            return Accepted(self._server.name, code, text)
        # After a clear refusal, or before DATA was sent, the session is usable once RSET has cleared its envelope.
        before_content = fault.stage == "fence" and not connection.awaiting_content
        usable = before_content or (fault.code >= 400 and fault.code != 421)
        if usable and await connection.accepts(b"RSET"):
            self.release(connection)
        else:
            connection.abort()
        return fault


def _is_of_connection(fault: DeliveryFailure) -> bool:
    """Return whether the connection was cut, silent or at its own limit before DATA: a new one may do better."""
    over = fault.code in (0, 421) or reply_texts.OF_CONNECTION.search(fault.text) is not None
    return over and fault.stage in ENVELOPE and fault.cause == "server"


def _abort_surplus(opening: "asyncio.Task[SmtpSession | DeliveryFailure]") -> None:
    """Abort a session that was ready in the same moment as another."""
    if not opening.cancelled() and isinstance(opened := opening.result(), SmtpSession):
        opened.abort()


async def _open_transaction(connection: SmtpSession, envelope: Envelope) -> None:
    """Send MAIL, RCPT, the lease check and DATA; check the lease again if 354 took long to come."""
    await connection.command("mail", b"MAIL FROM:<" + envelope.sender + b">")
    await connection.command("rcpt", b"RCPT TO:<" + envelope.recipient + b">")
    checked = time.monotonic()
    if envelope.before_data is not None:
        await connection.check_lease(envelope.before_data)
    await connection.command("data", b"DATA", wanted=3)
    connection.awaiting_content = True
    if envelope.before_data is not None and time.monotonic() - checked > _LONG_AGO:
        await connection.check_lease(envelope.before_data)
