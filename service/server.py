"""The API as a process: its port, its health port, and a stop that finishes running requests."""

import asyncio
import logging
import signal
from dataclasses import dataclass

from aiohttp import web

from service import event_loop_monitor, outages, tracing
from service.app import make
from service.cancellation import cancel_and_wait
from service.http import connections, metrics
from service.http.middleware import SERVICES
from service.http.readiness import Readiness
from service.listening import hosts_of, listen
from service.metrics import MetricsPage
from service.settings import InvalidSettings, Settings
from service.supervision import READY, STOPPING, Supervision, by_systemd

log = logging.getLogger(__name__)
DRAIN = 10.0


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers of the API and of its health port."""

    settings: Settings
    api: web.AppRunner
    side: web.AppRunner

    async def listen(self, *, share_port: bool) -> None:
        """Listen on the health port first. Raises ServerUnavailable, which names the setting to correct."""
        hosts, port, health_port = hosts_of(self.settings), self.settings.port, self.settings.health_port
        await listen(web.TCPSite(self.side, hosts[0], health_port), hosts[0], "HEALTH_PORT")
        for host in hosts:
            await listen(web.TCPSite(self.api, host, port, reuse_port=share_port, backlog=1024), host, "PORT")
        places = {"host": self.settings.host, "port": port, "health_port": health_port}
        log.info("The service accepts requests", extra={"event": "service.started", **places})

    async def close(self) -> None:
        await self.api.cleanup()
        await self.side.cleanup()


async def serve(settings: Settings, *, share_port: bool = False, starter: Supervision | None = None) -> None:
    """Serve until SIGTERM or SIGINT; then finish what has begun, ten seconds at most.

    Raises InvalidSettings where rows are encrypted under keys that this process lacks.
    """
    stop, starter = _stop_by_signal(), starter or by_systemd()
    peers = outages.peers_of(settings)
    readiness = await _checked(Readiness(settings, peers))
    tracing.start(settings.traces_url, sampled=settings.traces_sampled, program="accounts-api")
    counts = metrics.ApiMetrics()
    watching = (readiness.watch(), event_loop_monitor.monitor(counts.stalls.inc))
    beside = [asyncio.create_task(each) for each in watching]
    servers = await _set_up(settings, readiness, peers, counts)
    event_loop_monitor.spare_startup()
    try:
        await servers.listen(share_port=share_port)
        beside.append(asyncio.create_task(starter.run(stop)))
        starter.report(READY)
        await stop.wait()
        await _retire(settings, readiness, starter)
    finally:
        await servers.close()
        for task in beside:
            await cancel_and_wait(task)
        await readiness.close()
        await tracing.stop()
    log.info("The service has stopped", extra={"event": "service.stopped"})


def _stop_by_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    return stop


async def _checked(readiness: Readiness) -> Readiness:
    """Check once before the first request: JWTs live by Postgres's clock. An absent Postgres is waited for later."""
    await readiness.check()
    if readiness.missing_keys:
        await readiness.close()
        raise InvalidSettings([readiness.missing_keys])
    return readiness


async def _set_up(
    settings: Settings, readiness: Readiness, peers: outages.Peers, counts: metrics.ApiMetrics
) -> Servers:
    app = make(settings, readiness.clock.now, peers, counts)
    api = connections.runner(app, settings, shutdown_timeout=DRAIN)
    await api.setup()
    page = metrics.page(counts, app[SERVICES], api.http_server, readiness, peers)
    side = web.AppRunner(_health_app(readiness, page), access_log=None, shutdown_timeout=1)
    await side.setup()
    return Servers(settings, api, side)


async def _retire(settings: Settings, readiness: Readiness, starter: Supervision) -> None:
    """Answer /ready with no, and requests as ever until proxies have noticed."""
    log.info("The service is stopping", extra={"event": "service.stopping"})
    starter.report(STOPPING)
    readiness.stopping = True
    await asyncio.sleep(settings.stop_delay)


def _health_app(readiness: Readiness, page: MetricsPage) -> web.Application:
    app = web.Application()
    app.router.add_get("/live", readiness.live)
    app.router.add_get("/ready", readiness.ready)
    app.router.add_get("/metrics", page.show)
    return app
