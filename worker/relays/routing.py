"""Relays of a worker: the one of SMTP_URL, and those of projects that have an SMTP server of their own.

A project's mails never go by the shared relay while the project has its own, whatever becomes of that.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from service.cancellation import cancel_and_wait
from service.crypto.key_derivation import KeyRing
from service.crypto.sealing import CannotUnseal
from service.db import Pool
from service.store import project_relays
from service.store.project_relays import ProjectRelay
from worker.relays import RelayPool, SmtpUrl, State, parse_urls
from worker.relays.route import Route, UnusableRelay, run_probes

log = logging.getLogger(__name__)
# Opens the relay of a server; the event is to be set when that works again.
Open = Callable[[SmtpUrl, asyncio.Event], RelayPool]
# Seconds for which a project's server is believed to be the one that it was.
_AGE = 1.0


@dataclass(frozen=True, slots=True)
class Choice:
    """Relays that take mails now: the shared one or not, and the `own` ones of these projects."""

    shared: bool
    own: list[str]


def own_server(ring: KeyRing, settings: ProjectRelay, *, helo: str | None) -> SmtpUrl:
    """Read the URL of a project's own server. Raises CannotUnseal, ValueError."""
    url = project_relays.url_of(ring, settings).reveal()
    (server,) = parse_urls(url, helo=helo, label=f"/{settings.project_id}")
    return server


def _open_usual(server: SmtpUrl, recovered: asyncio.Event) -> RelayPool:
    return RelayPool(server, recovered=recovered)


@dataclass(slots=True)
class Relays:
    """Routes of all mails. Projects' own are opened when they are first seen, and again when they change."""

    pool: Pool
    ring: KeyRing = field(repr=False)
    shared: RelayPool
    open: Open = _open_usual
    helo: str | None = None
    shared_route: Route = field(init=False)
    _own: dict[str, Route] = field(default_factory=dict)
    # Projects that have another route than before, until their mails are made due.
    _rerouted: set[str] = field(default_factory=set)
    _closing: "set[asyncio.Task[None]]" = field(default_factory=set)
    _read_at: float = float("-inf")
    _reading: "asyncio.Task[None] | None" = None

    def __post_init__(self) -> None:
        self.shared_route = Route(self.shared)

    def route_of(self, project_id: str) -> Route:
        """Return the way of a project's mails, as far as it is known."""
        return self._own.get(project_id, self.shared_route)

    async def relay_of(self, project_id: str) -> RelayPool | UnusableRelay:
        """Return the relay that a project has now: a mail may have waited for its turn since its route was found."""
        await self._refresh()
        return self.route_of(project_id).relay

    async def choose(self) -> Choice:
        """Choose the relays that take mails now."""
        await self._refresh()
        own = [project_id for project_id, route in self._own.items() if route.is_open()]
        return Choice(self.shared_route.is_open(), own)

    async def take_recovered(self) -> list[str]:
        """Return the projects whose own relay works again, or is another, since this was asked last."""
        await self._refresh()
        recovered = [project_id for project_id, route in self._own.items() if route.recovered.is_set()]
        for project_id in recovered:
            self._own[project_id].recovered.clear()
        found, self._rerouted = {*recovered, *self._rerouted}, set()
        return sorted(found)

    def own(self) -> list[str]:
        """Return the projects that have a relay of their own, as far as it is known."""
        return list(self._own)

    def all_available(self) -> bool:
        return all(route.relay.is_available() for route in (self.shared_route, *self._own.values()))

    def states(self) -> dict[str, State]:
        """Return the circuit breaker's state of each server, the shared ones first."""
        return {name: state for relay in self._pools() for name, state in relay.states().items()}

    def rates(self) -> dict[str, float | None]:
        return {name: rate for relay in self._pools() for name, rate in relay.rates().items()}

    def connections(self) -> dict[str, int]:
        """Return the number of open connections to each server."""
        return {name: number for relay in self._pools() for name, number in relay.connections().items()}

    async def close(self) -> None:
        """Close all relays; what is being sent is finished."""
        if self._reading:
            await cancel_and_wait(self._reading)
        await asyncio.gather(self.shared.close(), *(route.close() for route in self._own.values()), *self._closing)

    def _pools(self) -> list[RelayPool]:
        own = [route.relay for route in self._own.values()]
        return [self.shared, *(relay for relay in own if isinstance(relay, RelayPool))]

    async def _refresh(self) -> None:
        """Read the projects' servers anew once a second; nobody goes by older ones meanwhile."""
        if asyncio.get_running_loop().time() - self._read_at < _AGE:
            return
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(self._forget_reading)
        # All who wait share one reading and its error: Postgres may be away.
        await asyncio.shield(self._reading)

    def _forget_reading(self, reading: "asyncio.Task[None]") -> None:
        self._reading = None
        if not reading.cancelled():
            reading.exception()

    async def _read(self) -> None:
        began = asyncio.get_running_loop().time()
        found = {relay.project_id: relay for relay in await project_relays.list_all(self.pool)}
        known = {project_id: route.settings for project_id, route in self._own.items()}
        changed = {each for each in found.keys() | known.keys() if found.get(each) != known.get(each)}
        for project_id in changed & known.keys():
            self._close_later(self._own.pop(project_id))
        self._own |= {each: self._opened(found[each]) for each in changed & found.keys()}
        self._rerouted |= changed
        self._read_at = began

    def _close_later(self, route: Route) -> None:
        task = asyncio.create_task(route.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _opened(self, settings: ProjectRelay) -> Route:
        """Open a project's relay. A fault is told at each of its mails, and in the log once; it concerns no other."""
        recovered = asyncio.Event()
        try:
            relay = self.open(own_server(self.ring, settings, helo=self.helo), recovered)
        except (CannotUnseal, ValueError, OSError) as error:
            fault = str(error)
        else:
            return Route(relay, settings, recovered, asyncio.create_task(run_probes(relay)))
        log.error(
            "A project's own relay can't be used; its mails wait",
            extra={"event": "relay.unusable", "project": settings.project_id, "fault": fault},
        )
        return Route(UnusableRelay(settings.server, f"the project's own relay: {fault}"), settings)
