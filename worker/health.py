"""Health port of a worker: GET /live, /ready and /metrics."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from aiohttp import web

from service import json_logging
from service.metrics import Labels, MetricsPage, Values
from service.outages import Outage, Peers
from worker import metric_definitions as known
from worker.listening import serve
from worker.metrics import is_own, relay_label
from worker.relays.routing import Relays
from worker.sms.webhook import Sender

_STATES = ("closed", "open", "half_open")


@dataclass(slots=True)
class WorkerHealth:
    """Health of a worker, as its own calls show it: nobody is asked anything for a probe."""

    peers: Peers
    relays: Relays
    sms: Sender | None
    stop: asyncio.Event
    recovered: bool = False

    def fault(self) -> str:
        """Return the reason why no mail can be sent, in words; empty if there is none. A relay is no reason."""
        if self.stop.is_set():
            return "it is stopping"
        if self.peers.postgres.ongoing:
            return f"postgres at {self.peers.postgres.server} is not available"
        return "" if self.recovered else "it has not taken back its mails yet"

    def degraded(self) -> list[str]:
        """List what it does without, or waits for: Redis, and relays and a webhook that fail."""
        states = self.relays.states() | ({self.sms.name: self.sms.state} if self.sms else {})
        return ["redis"] * self.peers.redis.ongoing + [name for name, state in states.items() if state != "closed"]

    def read(self) -> Values:
        """Return the state of the worker, its relays and the webhook for the page."""
        states, rates = self.relays.states(), self.relays.rates()
        own: Counter[str] = Counter(state for name, state in states.items() if is_own(name))
        return {
            known.READY: not self.fault(),
            known.RELAYS: {
                (name, each): each == state for name, state in states.items() if not is_own(name) for each in _STATES
            },
            known.PROJECT_RELAYS: {(each,): own[each] for each in _STATES},
            known.RELAY_CONNECTIONS: self._connections(),
            known.PACE: {(name,): rate for name, rate in rates.items() if rate is not None and not is_own(name)},
            known.SMS_BREAKER: {(each,): each == self.sms.state for each in _STATES} if self.sms else {},
        }

    def _connections(self) -> dict[Labels, float]:
        found: dict[Labels, float] = {}
        for name, number in self.relays.connections().items():
            label = (relay_label(name),)
            found[label] = found.get(label, 0) + number
        return found

    async def live(self, _request: web.Request) -> web.Response:
        return web.json_response({"live": True, "lines_dropped": json_logging.dropped_lines()})

    async def ready(self, _request: web.Request) -> web.Response:
        fault = self.fault()
        answer = {"ready": not fault, "fault": fault, "degraded": self.degraded()}
        return web.json_response(answer, status=503 if fault else 200)


@dataclass(slots=True)
class HealthPort:
    """The port. A worker that can't have it sends mails all the same, and goes on trying."""

    host: str
    port: int
    health: WorkerHealth
    page: MetricsPage
    _outage: Outage = field(init=False)

    def __post_init__(self) -> None:
        self._outage = Outage(
            f"{self.host}:{self.port}",
            "health_port",
            fell="The worker can't listen on its health port",
            back="The worker listens on its health port now",
        )

    async def run(self) -> None:
        """Serve until cancelled; nothing at port 0."""
        if not self.port:
            return
        app = web.Application()
        app.router.add_get("/live", self.health.live)
        app.router.add_get("/ready", self.health.ready)
        app.router.add_get("/metrics", self.page.show)
        await serve(app, self.host, self.port, self._outage, setting="WORKER_HEALTH_PORT")
