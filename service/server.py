"""The API as a process: its port, its health port, and a stop that finishes running requests."""

import asyncio
import errno
import logging
import signal
import socket

from aiohttp import web

from service import event_loop_monitor, outages
from service.app import make
from service.http import connections, metrics
from service.http.middleware import SERVICES
from service.http.readiness import Readiness
from service.metrics import MetricsPage
from service.settings import InvalidSettings, Settings

log = logging.getLogger(__name__)
_DRAIN = 10.0


async def serve(settings: Settings, *, share_port: bool = False) -> None:
    """Serve until SIGTERM or SIGINT; then finish what has begun, ten seconds at most.

    Raises InvalidSettings where rows are encrypted under keys that this process lacks.
    """
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    peers = outages.peers_of(settings)
    readiness = Readiness(settings, peers)
    # Checked once before the first request: JWTs live by Postgres's clock. An absent Postgres is waited for later.
    await readiness.check()
    if readiness.missing_keys:
        await readiness.close()
        raise InvalidSettings([readiness.missing_keys])
    counts = metrics.ApiMetrics()
    watching = [
        asyncio.create_task(readiness.watch()),
        asyncio.create_task(event_loop_monitor.monitor(counts.stalls.inc)),
    ]
    app = make(settings, readiness.clock.now, peers, counts)
    api = connections.runner(app, settings, shutdown_timeout=_DRAIN)
    await api.setup()
    page = metrics.page(counts, app[SERVICES], api.http_server, readiness, peers)
    side = web.AppRunner(_health_app(readiness, page), access_log=None, shutdown_timeout=1)
    await side.setup()
    event_loop_monitor.spare_startup()
    try:
        # A comma too many is no address; asyncio would take it for all of them.
        hosts = [host for part in settings.host.split(",") if (host := part.strip())]
        await _listen(web.TCPSite(side, hosts[0], settings.health_port), hosts[0], "HEALTH_PORT")
        for host in hosts:
            await _listen(web.TCPSite(api, host, settings.port, reuse_port=share_port, backlog=1024), host, "PORT")
        ports = {"port": settings.port, "health_port": settings.health_port}
        log.info("The service accepts requests", extra={"event": "service.started", "host": settings.host, **ports})
        await stop.wait()
        log.info("The service is stopping", extra={"event": "service.stopping"})
        readiness.stopping = True
        await asyncio.sleep(settings.stop_delay)
    finally:
        await api.cleanup()
        await side.cleanup()
        for watch in watching:
            await _end(watch)
        await readiness.close()
    log.info("The service has stopped", extra={"event": "service.stopped"})


async def _end(task: "asyncio.Task[None]") -> None:
    """Cancel a task until it has ended: Python 3.11's wait_for, in redis-py, loses a cancel that meets an answer."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=2)


async def _listen(site: web.TCPSite, host: str, setting: str) -> None:
    """Listen on a port. Raises ServerUnavailable, which names the setting to correct."""
    try:
        await site.start()
    except OSError as error:
        raise outages.ServerUnavailable(f"can't listen on {host}:{site.port}: {_why(error, setting)}") from None


def _why(error: OSError, name: str) -> str:
    if isinstance(error, socket.gaierror):
        return "no such host can be resolved: HOST is an address of this machine, such as 127.0.0.1 or 0.0.0.0"
    match error.errno:
        case errno.EADDRINUSE:
            return f"another process has it: end that, or set {name}"
        case errno.EADDRNOTAVAIL:
            return "that is no address of this machine: mend HOST"
        case errno.EACCES:
            return f"this user may not: set {name} to 1024 or more"
    return error.strerror or type(error).__name__


def _health_app(readiness: Readiness, page: MetricsPage) -> web.Application:
    app = web.Application()
    app.router.add_get("/live", readiness.live)
    app.router.add_get("/ready", readiness.ready)
    app.router.add_get("/metrics", page.show)
    return app
