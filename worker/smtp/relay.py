"""The way out of a worker: the preferred server, others that stand in for it, and how fast mails may go."""

import asyncio
from dataclasses import dataclass, replace

from service import email_addresses
from service.settings import Deadlines
from worker.asyncio_tools import wait_until
from worker.smtp.circuit_breaker import REST, CircuitBreaker, State
from worker.smtp.connection_pool import Bounds
from worker.smtp.health import ServerHealth
from worker.smtp.outcomes import Accepted, DeliveryFailure, PermanentFailure, TemporaryFailure
from worker.smtp.rate_limiter import RateLimiter
from worker.smtp.relay_server import RelayServer
from worker.smtp.session import Envelope, LeaseCheck, on_the_wire
from worker.smtp.smtp_url import SmtpUrl

_ROUND = 10.0
_USUAL = Deadlines()


@dataclass(frozen=True, slots=True)
class RateReservation:
    """One mail may go: when it was given out, and the server whose pace it counts in, if any takes mail."""

    at: float
    host: RelayServer | None


class RelayPool:
    """At most `connections` to each server, and `per_minute` mails in any minute (0: as fast as it goes).

    A connection used for `mails_a_connection` mails is renewed; one idle for `idle` seconds must prove it lives.
    Whoever uses it runs `keep` beside it. `recovered` is set when a server is well again; who waits for it clears it.
    """

    def __init__(
        self,
        *servers: SmtpUrl,
        connections: int = 10,
        per_minute: int = 0,
        deadlines: Deadlines = _USUAL,
        idle: float = 25.0,
        mails_a_connection: int = 100,
        rest: float = REST,
    ) -> None:
        """`rest` is the time between two probes. Raise OSError when a server's `ca` file holds no certificate."""
        self.recovered = asyncio.Event()
        bounds = Bounds(connections, mails_a_connection, idle)
        # Set when it may have changed when the next mail may go.
        self._paced = asyncio.Event()
        self._hosts = [
            RelayServer(
                server, bounds, patience, ServerHealth(server.name, CircuitBreaker(rest), self.recovered, self._paced)
            )
            for server, patience in zip(servers, _patience(deadlines, len(servers)), strict=True)
        ]
        self._pace = RateLimiter(per_minute)
        self._queue = asyncio.Lock()
        self._round = min(_ROUND, rest)

    def is_available(self) -> bool:
        """Whether any server takes mail: while none does, nothing should be claimed."""
        now = asyncio.get_running_loop().time()
        return any(host.health.takes_mail(now) for host in self._hosts)

    def states(self) -> dict[str, State]:
        """The breaker of each server, by host:port, the preferred one first."""
        return {host.name: host.breaker.state for host in self._hosts}

    def rates(self) -> dict[str, float | None]:
        """Mails a minute that each server is given, by host:port; None is no limit but that of `per_minute`."""
        return {host.name: host.throttle.rate for host in self._hosts}

    async def acquire_rate(self) -> RateReservation:
        """Wait until a mail may go; asked before it is claimed. What comes back is for `waive`."""
        async with self._queue:
            host = await self._host_with_a_turn()
            try:
                return RateReservation(await self._pace.acquire(), host)
            except BaseException:
                self._give_back(host)
                raise

    async def _host_with_a_turn(self) -> RelayServer | None:
        """The first server whose pace lets a mail go; None while no server takes mail."""
        loop = asyncio.get_running_loop()
        while hosts := [host for host in self._hosts if host.health.takes_mail(loop.time())]:
            now = loop.time()
            ready = next((host for host in hosts if host.throttle.opens_at(now) <= now), None)
            if ready:
                ready.throttle.grant(now)
                return ready
            self._paced.clear()
            await wait_until(self._paced, until=min(host.throttle.opens_at(now) for host in hosts))
        return None

    def release_rate(self, turn: RateReservation) -> None:
        """There was nothing to send after all: somebody else may go."""
        self._pace.release(turn.at)
        self._give_back(turn.host)

    def _give_back(self, host: RelayServer | None) -> None:
        if host:
            host.throttle.give_back()
            self._paced.set()

    async def send(
        self, sender: str, recipient: str, message: bytes, *, before_data: LeaseCheck | None = None
    ) -> Accepted:
        """Hand one message for one recipient to the first server that takes it; `sender` "" is the null return path.

        `before_data` is awaited once the recipient is taken, just before DATA, at each server that gets so far:
        False, or an exception of its own, abandons the mail with TemporaryFailure at stage "fence"; and again after 354
        if that was seconds in coming. Once DATA was said another server is asked only after a clear no to it: what may
        have been taken is offered nowhere else. Waiting for a free connection has no deadline of ours. Raises
        PermanentFailure or TemporaryFailure, and nothing else but CancelledError.
        """
        if not email_addresses.is_plain(recipient):
            raise PermanentFailure(0, "the recipient is not one plain address", "address", "recipient")
        if sender and not email_addresses.is_plain(sender):
            raise TemporaryFailure(0, "the sender is not one plain address", "address", "ours")
        outcome = await self._deliver(Envelope(sender.encode(), recipient.encode(), on_the_wire(message), before_data))
        if isinstance(outcome, DeliveryFailure):
            raise outcome
        return outcome

    async def _deliver(self, mail: Envelope) -> Accepted | DeliveryFailure:
        """The first yes, the first fault that is final for this try, or the last of those that are not."""
        fault: DeliveryFailure | None = None
        for host in self._hosts:
            outcome = await host.deliver(mail)
            if isinstance(outcome, Accepted):
                return outcome
            fault = outcome or fault
            if outcome and not outcome.may_go_elsewhere:
                break
        idle = next((host for host in self._hosts if host.breaker.state == "closed"), self._hosts[0])
        return fault or idle.circuit_open_failure()

    async def run_probes(self) -> None:
        """Probe the servers that are left alone, give back connections that rest; until cancelled."""
        async with asyncio.TaskGroup() as group:
            for host in self._hosts:
                # Each for itself: one that is silent for minutes keeps no other from being found well.
                group.create_task(self._keep(host))

    async def _keep(self, host: RelayServer) -> None:
        loop = asyncio.get_running_loop()
        while True:
            host.health.opened.clear()
            if _probe_at(host) <= loop.time():
                await host.probe()
            await host.connections.tidy()
            await wait_until(host.health.opened, until=min(loop.time() + self._round, _probe_at(host)))

    async def close(self) -> None:
        """Say goodbye on every idle connection; busy ones end with their mail, later sends get TemporaryFailure."""
        await asyncio.gather(*(host.connections.close() for host in self._hosts))


def _patience(deadlines: Deadlines, servers: int) -> list[Deadlines]:
    """Who has another behind it isn't waited for so long, lest mails that a spare could take wait for a black hole."""
    banner, ehlo = min(deadlines.banner, deadlines.failover), min(deadlines.ehlo, deadlines.failover)
    return [replace(deadlines, banner=banner, ehlo=ehlo)] * (servers - 1) + [deadlines]


def _probe_at(host: RelayServer) -> float:
    return host.breaker.probe_at if host.breaker.state == "open" else float("inf")
