"""The API as a process: its port, its health port, and a stop that finishes running requests."""

import asyncio
import errno
import logging
import signal
import socket

from aiohttp import web

from service import event_loop_monitor, outages, tracing
from service.app import make
from service.http import connections, metrics
from service.http.middleware import SERVICES
from service.http.readiness import Readiness
from service.metrics import MetricsPage
from service.settings import InvalidSettings, Settings
from service.supervision import READY, STOPPING, Supervision, by_systemd

log = logging.getLogger(__name__)
DRAIN = 10.0


async def serve(settings: Settings, *, share_port: bool = False, starter: Supervision | None = None) -> None:
    """Serve until SIGTERM or SIGINT; then finish what has begun, ten seconds at most.

    Raises InvalidSettings where rows are encrypted under keys that this process lacks.
    """
    stop, starter = asyncio.Event(), starter or by_systemd()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    peers = outages.peers_of(settings)
    readiness = Readiness(settings, peers)
    # Checked once before the first request: JWTs live by Postgres's clock. An absent Postgres is waited for later.
    await readiness.check()
    if readiness.missing_keys:
        await readiness.close()
        raise InvalidSettings([readiness.missing_keys])
    tracing.start(settings.traces_url, sampled=settings.traces_sampled, program="accounts-api")
    counts = metrics.ApiMetrics()
    watching = [
        asyncio.create_task(readiness.watch()),
        asyncio.create_task(event_loop_monitor.monitor(counts.stalls.inc)),
    ]
    app = make(settings, readiness.clock.now, peers, counts)
    api = connections.runner(app, settings, shutdown_timeout=DRAIN)
    await api.setup()
    page = metrics.page(counts, app[SERVICES], api.http_server, readiness, peers)
    side = web.AppRunner(_health_app(readiness, page), access_log=None, shutdown_timeout=1)
    await side.setup()
    event_loop_monitor.spare_startup()
    try:
        hosts = _hosts(settings)
        await _listen(web.TCPSite(side, hosts[0], settings.health_port), hosts[0], "HEALTH_PORT")
        for host in hosts:
            await _listen(web.TCPSite(api, host, settings.port, reuse_port=share_port, backlog=1024), host, "PORT")
        ports = {"port": settings.port, "health_port": settings.health_port}
        log.info("The service accepts requests", extra={"event": "service.started", "host": settings.host, **ports})
        watching.append(asyncio.create_task(starter.run(stop)))
        starter.report(READY)
        await stop.wait()
        log.info("The service is stopping", extra={"event": "service.stopping"})
        starter.report(STOPPING)
        readiness.stopping = True
        await asyncio.sleep(settings.stop_delay)
    finally:
        await api.cleanup()
        await side.cleanup()
        for watch in watching:
            await _end(watch)
        await readiness.close()
        await tracing.stop()
    log.info("The service has stopped", extra={"event": "service.stopped"})


def require_free_port(settings: Settings) -> None:
    """Raise ServerUnavailable if another program has PORT: processes that share it would share it with that one."""
    for host in _hosts(settings):
        try:
            found = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, kind, protocol, _, address in found:
                with socket.socket(family, kind, protocol) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    if family == socket.AF_INET6:
                        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    probe.bind(address)
        except OSError as error:
            raise _unavailable(host, settings.port, error, "PORT") from None


def _hosts(settings: Settings) -> list[str]:
    """Split HOST. A comma too many is no address; asyncio would take it for all of them."""
    return [host for part in settings.host.split(",") if (host := part.strip())]


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
        raise _unavailable(host, site.port, error, setting) from None


def _unavailable(host: str, port: int, error: OSError, setting: str) -> outages.ServerUnavailable:
    return outages.ServerUnavailable(f"can't listen on {host}:{port}: {_why(error, setting)}")


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
