"""The API as a process: its port, its health port, and a stop that drops nobody."""

import asyncio
import logging
import signal

from aiohttp import web

from service import stalls
from service.api import protocol
from service.api.app import make
from service.api.readiness import Readiness
from service.settings import Settings

log = logging.getLogger(__name__)
_DRAIN = 10.0


async def serve(settings: Settings, *, share_port: bool = False) -> None:
    """Serve until SIGTERM or SIGINT; then finish what has begun, ten seconds at most."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    readiness = Readiness(settings)
    # Looked at once before anybody is served: JWTs live by Postgres's clock. One that is away is waited for later.
    await readiness.look()
    watching = [asyncio.create_task(readiness.watch()), asyncio.create_task(stalls.watch())]
    api = protocol.runner(make(settings, readiness.clock.now), settings, shutdown_timeout=_DRAIN)
    side = web.AppRunner(_health_app(readiness), access_log=None, shutdown_timeout=1)
    await api.setup()
    await side.setup()
    try:
        await web.TCPSite(side, settings.host, settings.health_port).start()
        await web.TCPSite(api, settings.host, settings.port, reuse_port=share_port, backlog=1024).start()
        log.info("serving", extra={"host": settings.host, "port": settings.port})
        await stop.wait()
        readiness.stopping = True
        await asyncio.sleep(settings.stop_delay)
    finally:
        await api.cleanup()
        await side.cleanup()
        for watch in watching:
            watch.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        await readiness.close()


def _health_app(readiness: Readiness) -> web.Application:
    app = web.Application()
    app.router.add_get("/live", readiness.live)
    app.router.add_get("/ready", readiness.ready)
    return app
