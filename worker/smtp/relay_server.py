"""Deliver mails to one relay server: its connections, its concurrency limit and its health."""

import asyncio
import time
from typing import Protocol

from service.smtp_deadlines import Deadlines
from worker.smtp import reply_texts
from worker.smtp.connection_pool import Bounds, ConcurrencyLimit, ConnectionPool
from worker.smtp.error_mapping import of_error
from worker.smtp.health import ServerHealth
from worker.smtp.outcomes import ENVELOPE, GREETING, LONGEST_TEXT, Accepted, DeliveryFailure, TemporaryFailure
from worker.smtp.session import Envelope, SmtpSession
from worker.smtp.smtp_url import SmtpUrl

# How often a mail waits again for a slot because the server had too many connections.
_ROUNDS = 3
# Seconds after which the lease check before DATA is repeated: this process may have been paused since.
_LONG_AGO = 3.0
# Seconds without an answer after which a probe opens a second connection beside the first.
_SILENT = 10.0


class Connections(Protocol):
    """Connections to one server, as its pool looks after them."""

    closed: bool

    @property
    def greeted(self) -> int: ...
    def abort_idle(self) -> None: ...
    async def close_unused(self) -> None: ...
    async def close(self) -> None: ...


class RelayServer:
    """One relay server, used while its circuit breaker allows and as fast as it accepts mails."""

    def __init__(self, server: SmtpUrl, bounds: Bounds, deadlines: Deadlines, health: ServerHealth) -> None:
        """Raise OSError when the server's `ca` file holds no certificate."""
        self.name = server.name
        self.health = health
        self.breaker, self.throttle = health.breaker, health.throttle
        self._pool = ConnectionPool(server, bounds, deadlines)
        self.connections: Connections = self._pool
        self._slots = ConcurrencyLimit(bounds.connections)

    async def deliver(self, envelope: Envelope) -> Accepted | DeliveryFailure | None:
        """Send one mail and update the server's health by its outcome; None if breaker or rate allow no mail now."""
        loop = asyncio.get_running_loop()
        was_well = self.breaker.state == "closed"
        if not self.breaker.allows(loop.time()):
            return None
        for round_ in range(_ROUNDS):
            await self._slots.acquire()
            try:
                # While the mail waited for its slot the circuit may have opened, or the rate may have been reduced.
                if was_well and self.breaker.state != "closed":
                    return None
                began = loop.time()
                if round_ == 0 and not self.throttle.admit(began):
                    return None
                outcome = await self._send_over_pool(envelope)
            finally:
                self._slots.release()
            if isinstance(outcome, Accepted):
                break
            outcome.server = self.name
            if not self._reduce_concurrency(outcome):
                break
            if round_ == _ROUNDS - 1:
                return outcome
        self._update_breaker(outcome, envelope, began)
        return outcome

    async def probe(self) -> None:
        """Connect and greet without a mail; close the circuit if the server answers well."""
        self.breaker.state = "half_open"
        try:
            outcome = await self._greeted()
        except BaseException:
            self.breaker.state = "open"
            raise
        if isinstance(outcome, DeliveryFailure):
            self._update_breaker(outcome, None, asyncio.get_running_loop().time())
            return
        self._pool.release(outcome)
        self.breaker.half_close()
        self.health.record_recovery()

    async def _greeted(self) -> SmtpSession | DeliveryFailure:
        """Open a session; while the server is silent open more beside it, and return the first that is answered.

        Each waits twice as long as the one before: a silent server sees few, and its recovery is noticed soon.
        """
        wait, begun = _SILENT, set[asyncio.Task[SmtpSession | DeliveryFailure]]()
        try:
            while True:
                begun.add(asyncio.create_task(self._pool.open()))
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

    def circuit_open_failure(self) -> TemporaryFailure:
        """Make the failure of a mail that was not tried here."""
        if self.breaker.state == "closed":
            text = f"left for later, it asked for fewer mails: {self.health.last_refusal}"[:LONGEST_TEXT]
            return TemporaryFailure(0, text, "connect", "pace", self.name)
        text = f"left alone after failures, the last: {self.breaker.last}"[:LONGEST_TEXT]
        return TemporaryFailure(0, text, "connect", "server", self.name)

    def _reduce_concurrency(self, fault: DeliveryFailure) -> bool:
        """Return whether the server had only too many connections; if so, reduce their limit for a while."""
        crowded = fault.code == 421 or (fault.code >= 400 and reply_texts.CROWDED.search(fault.text) is not None)
        if fault.stage not in GREETING or fault.cause != "server" or not crowded:
            return False
        # The connection that it has just refused is not among them.
        working = self.connections.greeted
        if working:
            self._slots.shrink(working, asyncio.get_running_loop().time())
        return working > 0

    def _update_breaker(self, outcome: Accepted | DeliveryFailure, envelope: Envelope | None, began: float) -> None:
        """Record an outcome in the server's health; without an envelope it is a probe's, which names no recipient."""
        if isinstance(outcome, Accepted) or outcome.cause == "recipient":
            if envelope:
                self.health.record_success(outcome, envelope)
        elif (
            not self.connections.closed
            and outcome.stage != "fence"
            and self.health.record_failure(outcome, envelope, began)
        ):
            self.connections.abort_idle()

    async def _send_over_pool(self, envelope: Envelope) -> Accepted | DeliveryFailure:
        """Send over an idle session; open a new one if there is none, or if that failed by itself before DATA."""
        connection = await self._pool.acquire_idle()
        if connection is not None:
            outcome = await self._send_over_session(connection, envelope)
            if isinstance(outcome, Accepted):
                return outcome
            outcome.reused = True
            if not _is_of_connection(outcome):
                return outcome
        opened = await self._pool.open()
        return opened if isinstance(opened, DeliveryFailure) else await self._send_over_session(opened, envelope)

    async def _send_over_session(self, connection: SmtpSession, envelope: Envelope) -> Accepted | DeliveryFailure:
        """Send one mail over one session, then release it to the pool, after RSET if need be, or abort it."""
        try:
            await _open_transaction(connection, envelope)
            code, text = await connection.send_content(envelope.content)
        except Exception as error:  # noqa: BLE001 - every error becomes a DeliveryFailure
            fault = of_error(error, connection.stage)
        except BaseException:
            # Cancelled between command and reply: the next reply would belong to the wrong command.
            connection.abort()
            raise
        else:
            connection.mails += 1
            self._pool.release(connection)
            return Accepted(self.name, code, text)
        # After a clear refusal, or before DATA was sent, the session is usable once RSET has cleared its envelope.
        before_content = fault.stage == "fence" and not connection.awaiting_content
        usable = before_content or (fault.code >= 400 and fault.code != 421)
        if usable and await connection.accepts(b"RSET"):
            self._pool.release(connection)
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
