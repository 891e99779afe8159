"""Deliver mails to one relay server: its transport, its concurrency limit and its health."""

import asyncio
from typing import Protocol

from worker.relays.concurrency_limit import ConcurrencyLimit
from worker.relays.envelope import Envelope
from worker.relays.health import ServerHealth
from worker.relays.outcomes import GREETING, LONGEST_TEXT, Accepted, DeliveryFailure, TemporaryFailure
from worker.relays.smtp import reply_texts

# How often a mail waits again for a slot because the server had too many connections.
_ROUNDS = 3


class Transport(Protocol):
    """The way to one server: SMTP, or a provider's HTTP API. Failures are returned, not raised."""

    closed: bool

    @property
    def greeted(self) -> int:
        """Number of open sessions that the server has greeted; 0 where it greets none."""

    async def send(self, envelope: Envelope) -> Accepted | DeliveryFailure:
        """Send one mail, if its lease check allows it."""

    async def probe(self) -> DeliveryFailure | None:
        """Reach the server without a mail."""

    def abort_idle(self) -> None:
        """Close idle connections, after the server failed."""

    async def close_unused(self) -> None:
        """Close connections that have been idle for long."""

    async def close(self) -> None:
        """Close every idle connection; busy ones end with their mail, later mails get TemporaryFailure."""


class RelayServer:
    """One relay server, used while its circuit breaker allows and as fast as it accepts mails."""

    def __init__(self, name: str, transport: Transport, connections: int, health: ServerHealth) -> None:
        self.name, self.transport, self.health = name, transport, health
        self.breaker, self.throttle = health.breaker, health.throttle
        self._slots = ConcurrencyLimit(connections)

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
                outcome = await self.transport.send(envelope)
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
        """Reach the server without a mail; close the circuit if it answers well."""
        self.breaker.state = "half_open"
        try:
            fault = await self.transport.probe()
        except BaseException:
            self.breaker.state = "open"
            raise
        if fault:
            fault.server = self.name
            self._update_breaker(fault, None, asyncio.get_running_loop().time())
            return
        self.breaker.half_close()
        self.health.record_recovery()

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
        working = self.transport.greeted
        if working:
            self._slots.shrink(working, asyncio.get_running_loop().time())
        return working > 0

    def _update_breaker(self, outcome: Accepted | DeliveryFailure, envelope: Envelope | None, began: float) -> None:
        """Record an outcome in the server's health; without an envelope it is a probe's, which names no recipient."""
        if isinstance(outcome, Accepted) or outcome.cause == "recipient":
            if envelope:
                self.health.record_success(outcome, envelope)
        elif (
            not self.transport.closed
            and outcome.stage != "fence"
            and self.health.record_failure(outcome, envelope, began)
        ):
            self.transport.abort_idle()
