"""Send over the preferred relay server, or over another if that fails, within the rate limits."""

import asyncio
from dataclasses import dataclass, replace

from service import email_addresses
from service.smtp_deadlines import Deadlines
from worker.relays.budget import Permit, RelayBudget
from worker.relays.circuit_breaker import REST, CircuitBreaker, State
from worker.relays.envelope import Envelope, LeaseCheck
from worker.relays.health import ServerHealth
from worker.relays.http.transport import HttpTransport
from worker.relays.outcomes import Accepted, DeliveryFailure, PermanentFailure, TemporaryFailure
from worker.relays.rate_limiter import RateLimiter
from worker.relays.server import RelayServer, Transport
from worker.relays.smtp.connection_pool import Bounds
from worker.relays.smtp.transport import SmtpTransport
from worker.relays.smtp_url import SmtpUrl
from worker.waiting import wait_until

_INTERVAL = 10.0
_USUAL = Deadlines()


@dataclass(frozen=True, slots=True)
class RateReservation:
    """Permission to send one mail: its time, and the server whose rate it counts against, if any accepts mail.

    `permit` is of the budget that all workers share.
    """

    at: float
    server: RelayServer | None
    permit: Permit | None = None


class RelayPool:
    """Relay servers in order of preference: `connections` to each, `per_minute` mails in any minute (0: no limit).

    `budget` is the same limit for all workers together.
    A connection used for `mails_a_connection` mails is renewed; one idle for `idle` seconds must prove it lives.
    Its user also runs `run_probes`. `recovered` is set when a server works again; its reader clears it.
    """

    def __init__(
        self,
        *servers: SmtpUrl,
        connections: int = 10,
        per_minute: int = 0,
        budget: RelayBudget | None = None,
        deadlines: Deadlines = _USUAL,
        idle: float = 25.0,
        mails_a_connection: int = 100,
        rest: float = REST,
        recovered: asyncio.Event | None = None,
    ) -> None:
        """`rest` is the time between two probes. Raise OSError when a server's `ca` file holds no certificate."""
        self.recovered = recovered or asyncio.Event()
        bounds = Bounds(connections, mails_a_connection, idle)
        # Set when the time of the next mail may have changed.
        self._rates_changed = asyncio.Event()
        self._servers = [
            RelayServer(
                server.name,
                _transport(server, bounds, patience),
                connections,
                ServerHealth(server.name, CircuitBreaker(rest), self.recovered, self._rates_changed),
            )
            for server, patience in zip(servers, _with_failover(deadlines, len(servers)), strict=True)
        ]
        self._rate_limiter, self._budget = RateLimiter(per_minute), budget
        self._queue = asyncio.Lock()
        self._interval = min(_INTERVAL, rest)

    def is_available(self) -> bool:
        """Return whether any server accepts mail: while none does, nothing should be claimed."""
        now = asyncio.get_running_loop().time()
        return any(server.health.accepts_mail(now) for server in self._servers)

    def states(self) -> dict[str, State]:
        """Return the circuit breaker's state of each server, by host:port, the preferred one first."""
        return {server.name: server.breaker.state for server in self._servers}

    def connections(self) -> dict[str, int]:
        """Return the number of open connections to each server, in use or idle, by host:port."""
        return {server.name: server.transport.greeted for server in self._servers}

    def rates(self) -> dict[str, float | None]:
        """Return the adaptive limit of each server in mails a minute, by host:port; None is no limit of its own."""
        return {server.name: server.throttle.rate for server in self._servers}

    async def acquire_rate(self) -> RateReservation:
        """Wait until a mail may be sent. Call before the claim, so that no lease runs meanwhile."""
        async with self._queue:
            return await self._reserve()

    async def acquire_free_rates(self, most: int) -> list[RateReservation]:
        """Reserve for as many mails as may be sent now, at most `most`; none while others wait for their turn."""
        reservations: list[RateReservation] = []
        if self._budget and not self._queue.locked():
            await self._budget.fetch(most)
        while (
            len(reservations) < most and not self._queue.locked() and self._may_send(asyncio.get_running_loop().time())
        ):
            reservations.append(await self._reserve())
        if self._budget:
            self._budget.return_later()
        return reservations

    async def _reserve(self) -> RateReservation:
        server, at = await self._reserve_server(), None
        try:
            at = await self._rate_limiter.acquire()
            return RateReservation(at, server, await self._budget.acquire() if self._budget else None)
        except BaseException:
            if at is not None:
                self._rate_limiter.release(at)
            self._release_server(server)
            raise

    def _may_send(self, now: float) -> bool:
        """Return whether the next reservation needs no wait."""
        if self._budget and not self._budget.has_permit():
            return False
        servers = (server for server in self._servers if server.health.accepts_mail(now))
        return self._rate_limiter.is_free(now) and any(server.throttle.next_send_at(now) <= now for server in servers)

    async def _reserve_server(self) -> RelayServer | None:
        """Wait for the first server whose rate allows a mail; None while no server accepts mail."""
        loop = asyncio.get_running_loop()
        while open_servers := [server for server in self._servers if server.health.accepts_mail(loop.time())]:
            now = loop.time()
            ready = next((server for server in open_servers if server.throttle.next_send_at(now) <= now), None)
            if ready:
                ready.throttle.reserve(now)
                return ready
            self._rates_changed.clear()
            await wait_until(
                self._rates_changed, until=min(server.throttle.next_send_at(now) for server in open_servers)
            )
        return None

    def release_rate(self, reservation: RateReservation) -> None:
        """Return a reservation that was not used, for another mail."""
        self._rate_limiter.release(reservation.at)
        self._release_server(reservation.server)
        if self._budget and reservation.permit:
            self._budget.release(reservation.permit)

    def _release_server(self, server: RelayServer | None) -> None:
        if server:
            server.throttle.cancel()
            self._rates_changed.set()

    async def send(
        self, sender: str, recipient: str, message: bytes, *, before_data: LeaseCheck | None = None
    ) -> Accepted:
        """Send one message to one recipient by the first server that accepts it; `sender` "" is the null return path.

        `before_data` is awaited after RCPT, just before DATA, at each server that gets so far: False, or an exception
        of its own, abandons the mail with TemporaryFailure at stage "fence"; and again if 354 took seconds to come.
        After DATA another server is tried only if this one refused clearly: a mail that may have been accepted is
        offered to no other. Waiting for a free connection has no deadline. Raises
        PermanentFailure or TemporaryFailure, and nothing else but CancelledError.
        """
        if not email_addresses.is_plain(recipient):
            raise PermanentFailure(0, "the recipient is not one plain address", "address", "recipient")
        if sender and not email_addresses.is_plain(sender):
            raise TemporaryFailure(0, "the sender is not one plain address", "address", "ours")
        outcome = await self._send_to_any_server(Envelope(sender.encode(), recipient.encode(), message, before_data))
        if isinstance(outcome, DeliveryFailure):
            raise outcome
        return outcome

    async def _send_to_any_server(self, envelope: Envelope) -> Accepted | DeliveryFailure:
        """Return the first acceptance, else the first failure that ends this attempt, else the last failure."""
        fault: DeliveryFailure | None = None
        for server in self._servers:
            outcome = await server.deliver(envelope)
            if isinstance(outcome, Accepted):
                return outcome
            fault = outcome or fault
            if outcome and not outcome.may_go_elsewhere:
                break
        idle = next((server for server in self._servers if server.breaker.state == "closed"), self._servers[0])
        return fault or idle.circuit_open_failure()

    async def run_probes(self) -> None:
        """Probe the servers whose circuit is open, and close unused connections; until cancelled."""
        async with asyncio.TaskGroup() as group:
            for server in self._servers:
                # A task each: a server that is silent for minutes must not delay the probes of the others.
                group.create_task(self._maintain(server))

    async def _maintain(self, server: RelayServer) -> None:
        loop = asyncio.get_running_loop()
        while True:
            server.health.opened.clear()
            if _probe_at(server) <= loop.time():
                await server.probe()
            await server.transport.close_unused()
            await wait_until(server.health.opened, until=min(loop.time() + self._interval, _probe_at(server)))

    async def close(self) -> None:
        """End every idle session; busy ones end with their mail, later sends raise TemporaryFailure."""
        await asyncio.gather(*(server.transport.close() for server in self._servers))
        if self._budget:
            await self._budget.close()


def _transport(server: SmtpUrl, bounds: Bounds, deadlines: Deadlines) -> Transport:
    if server.provider:
        return HttpTransport(server, bounds.connections, deadlines)
    return SmtpTransport(server, bounds, deadlines)


def _with_failover(deadlines: Deadlines, servers: int) -> list[Deadlines]:
    """Shorten the deadlines of every server but the last: a silent one must not hold mails that a spare could take."""
    banner, ehlo = min(deadlines.banner, deadlines.failover), min(deadlines.ehlo, deadlines.failover)
    return [replace(deadlines, banner=banner, ehlo=ehlo)] * (servers - 1) + [deadlines]


def _probe_at(server: RelayServer) -> float:
    return server.breaker.probe_at if server.breaker.state == "open" else float("inf")
