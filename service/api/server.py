"""The API as a process: its port, its health port, and a stop that drops nobody."""

import asyncio
import logging
import signal
from dataclasses import dataclass

from aiohttp import web

from service import projects
from service.api import protocol
from service.api.app import make
from service.db import Pool
from service.settings import Settings

log = logging.getLogger(__name__)
_DRAIN = 10.0


@dataclass(slots=True)
class Health:
    """`ready` turns false first when the process is told to stop, so that a proxy sends it nothing more."""

    pool: Pool
    stopping: bool = False

    async def live(self, _request: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def ready(self, _request: web.Request) -> web.Response:
        """Postgres answers and is migrated, asked over a connection that no request can hold."""
        ready = not self.stopping and await self._asks_postgres()
        return web.json_response({"ready": ready}, status=200 if ready else 503)

    async def _asks_postgres(self) -> bool:
        try:
            async with asyncio.timeout(2):
                await projects.find(self.pool, "")
        except Exception:
            log.warning("not ready", exc_info=True)
            return False
        return True


async def serve(settings: Settings, *, share_port: bool = False) -> None:
    """Serve until SIGTERM or SIGINT; then finish what has begun, ten seconds at most."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    api = protocol.runner(make(settings), settings, shutdown_timeout=_DRAIN)
    await api.setup()
    health = Health(Pool(settings.database_url.get_secret_value(), size=1, name="accounts-health"))
    side = web.AppRunner(_health_app(health), access_log=None, shutdown_timeout=1)
    await side.setup()
    try:
        await web.TCPSite(side, settings.host, settings.health_port).start()
        await web.TCPSite(api, settings.host, settings.port, reuse_port=share_port, backlog=1024).start()
        log.info("serving", extra={"host": settings.host, "port": settings.port})
        await stop.wait()
        health.stopping = True
    finally:
        await api.cleanup()
        await side.cleanup()
        await health.pool.close()


def _health_app(health: Health) -> web.Application:
    app = web.Application()
    app.router.add_get("/live", health.live)
    app.router.add_get("/ready", health.ready)
    return app
