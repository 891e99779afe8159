"""One server as this worker knows it: its connections, how many it bears, and whether it is well."""

import asyncio
import time

from service.settings import Deadlines
from worker.smtp import reply_texts
from worker.smtp.concurrency_limit import ConcurrencyLimit
from worker.smtp.connection_pool import Bounds, ConnectionPool
from worker.smtp.error_mapping import of_error
from worker.smtp.health import ServerHealth
from worker.smtp.outcomes import ENVELOPE, GREETING, LONGEST_TEXT, Accepted, DeliveryFailure, TemporaryFailure
from worker.smtp.session import Envelope, SmtpSession
from worker.smtp.smtp_url import SmtpUrl

# How often a mail waits for a place anew because the server had too many connections.
_ROUNDS = 3
# Seconds after which the check before DATA says nothing any more: this process may have been stopped since.
_LONG_AGO = 3.0
# Seconds after which a probe that hears nothing gets a second one beside it.
_SILENT = 10.0


class RelayServer:
    """Carries mails while its breaker lets them through, at the pace that it takes them."""

    def __init__(self, server: SmtpUrl, bounds: Bounds, deadlines: Deadlines, health: ServerHealth) -> None:
        """Raise OSError when the server's `ca` file holds no certificate."""
        self.name = server.name
        self.health = health
        self.breaker, self.throttle = health.breaker, health.throttle
        self.connections = ConnectionPool(server, bounds, deadlines)
        self._slots = ConcurrencyLimit(bounds.connections)

    async def deliver(self, mail: Envelope) -> Accepted | DeliveryFailure | None:
        """Try one mail here, and learn from how that goes; None when the server is left alone, or has had enough."""
        loop = asyncio.get_running_loop()
        was_well = self.breaker.state == "closed"
        if not self.breaker.allows(loop.time()):
            return None
        for round_ in range(_ROUNDS):
            await self._slots.acquire()
            try:
                # While the mail waited for its place the server may have been given up, or have asked for fewer.
                if was_well and self.breaker.state != "closed":
                    return None
                began = loop.time()
                if round_ == 0 and not self.throttle.enter(began):
                    return None
                outcome = await self._send_over_any(mail)
            finally:
                self._slots.release()
            if isinstance(outcome, Accepted):
                break
            outcome.server = self.name
            if not self._is_crowded(outcome):
                break
            if round_ == _ROUNDS - 1:
                return outcome
        self._update_breaker(outcome, mail, began)
        return outcome

    async def probe(self) -> None:
        """Connect and greet, with no mail at risk: whether the server is well again."""
        self.breaker.state = "half_open"
        try:
            outcome = await self._greeted()
        except BaseException:
            self.breaker.state = "open"
            raise
        if isinstance(outcome, DeliveryFailure):
            self._update_breaker(outcome, None, asyncio.get_running_loop().time())
            return
        self.connections.put_back(outcome)
        self.breaker.half_close()
        self.health.is_back()

    async def _greeted(self) -> SmtpSession | DeliveryFailure:
        """The first connection that gets an answer: one that is silent may be lost, so others are begun beside it.

        Each after twice the time, so that a silent server sees few, and one that is well again isn't noticed late.
        """
        wait, begun = _SILENT, set[asyncio.Task[SmtpSession | DeliveryFailure]]()
        try:
            while True:
                begun.add(asyncio.create_task(self.connections.open()))
                done, _ = await asyncio.wait(begun, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    first = done.pop()
                    begun.discard(first)
                    return first.result()
                wait *= 2
        finally:
            for other in begun:
                other.add_done_callback(_drop_late)
                other.cancel()

    def circuit_open_failure(self) -> TemporaryFailure:
        """What a mail is told that isn't tried."""
        if self.breaker.state == "closed":
            text = f"left for later, it asked for fewer mails: {self.health.last_refusal}"[:LONGEST_TEXT]
            return TemporaryFailure(0, text, "connect", "pace", self.name)
        text = f"left alone after failures, the last: {self.breaker.last}"[:LONGEST_TEXT]
        return TemporaryFailure(0, text, "connect", "server", self.name)

    def _is_crowded(self, fault: DeliveryFailure) -> bool:
        """Whether it was only one connection too many: then no more than it bears are opened for a while."""
        said = fault.code == 421 or (fault.code >= 400 and reply_texts.CROWDED.search(fault.text) is not None)
        if fault.stage not in GREETING or fault.cause != "server" or not said:
            return False
        # The one that it has just refused is not among them.
        borne = self.connections.welcomed
        if borne:
            self._slots.shrink(borne, asyncio.get_running_loop().time())
        return borne > 0

    def _update_breaker(self, outcome: Accepted | DeliveryFailure, mail: Envelope | None, began: float) -> None:
        """What one outcome says about the server; without a mail it is a probe's, which names no recipient."""
        if isinstance(outcome, Accepted) or outcome.cause == "recipient":
            if mail:
                self.health.did_well(outcome, mail)
        elif not self.connections.closed and outcome.stage != "fence" and self.health.failed(outcome, mail, began):
            self.connections.drop_idle()

    async def _send_over_any(self, mail: Envelope) -> Accepted | DeliveryFailure:
        """Send over a waiting connection, or over a new one if that took nothing and only it may be to blame."""
        connection = await self.connections.idle_session()
        if connection is not None:
            outcome = await self._send_over(connection, mail)
            if isinstance(outcome, Accepted):
                return outcome
            outcome.reused = True
            if not _is_of_connection(outcome):
                return outcome
        opened = await self.connections.open()
        return opened if isinstance(opened, DeliveryFailure) else await self._send_over(opened, mail)

    async def _send_over(self, connection: SmtpSession, mail: Envelope) -> Accepted | DeliveryFailure:
        """One mail over one connection, which is then put back, cleared by RSET, or dropped."""
        try:
            await _open_transaction(connection, mail)
            code, text = await connection.send_content(mail.content)
        except Exception as error:  # noqa: BLE001 - whatever it was, it becomes one of our answers
            fault = of_error(error, connection.stage)
        except BaseException:
            # Cancelled in mid-dialogue: whatever the server says next would answer the wrong question.
            connection.abort()
            raise
        else:
            connection.mails += 1
            self.connections.put_back(connection)
            return Accepted(self.name, code, text)
        # The server spoke clearly, or wasn't asked: the connection is good once its envelope is cleared.
        unasked = fault.stage == "fence" and not connection.awaiting_content
        clear = unasked or (fault.code >= 400 and fault.code != 421)
        if clear and await connection.accepts(b"RSET"):
            self.connections.put_back(connection)
        else:
            connection.abort()
        return fault


def _is_of_connection(fault: DeliveryFailure) -> bool:
    """Whether it was cut, silent or closed before DATA, or has had enough: a new connection may do better."""
    over = fault.code in (0, 421) or reply_texts.OF_CONNECTION.search(fault.text) is not None
    return over and fault.stage in ENVELOPE and fault.cause == "server"


def _drop_late(opening: "asyncio.Task[SmtpSession | DeliveryFailure]") -> None:
    """A connection that was ready in the same moment as another."""
    if not opening.cancelled() and isinstance(opened := opening.result(), SmtpSession):
        opened.abort()


async def _open_transaction(connection: SmtpSession, mail: Envelope) -> None:
    """All that comes before the content; the check is made anew where 354 was long in coming."""
    await connection.command("mail", b"MAIL FROM:<" + mail.sender + b">")
    await connection.command("rcpt", b"RCPT TO:<" + mail.recipient + b">")
    checked = time.monotonic()
    if mail.before_data is not None:
        await connection.check_lease(mail.before_data)
    await connection.command("data", b"DATA", wanted=3)
    connection.awaiting_content = True
    if mail.before_data is not None and time.monotonic() - checked > _LONG_AGO:
        await connection.check_lease(mail.before_data)
