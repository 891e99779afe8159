"""Serves a page of the local demo until a block ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def serve(application: web.Application, *, port: int = 0, host: str = "") -> AsyncIterator[int]:
    """Serve on 127.0.0.1, and on `host` too; port 0 picks a free one. Yields the port."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        chosen: int = runner.addresses[0][1]
        if host:
            await web.TCPSite(runner, host, chosen).start()
        yield chosen
    finally:
        await runner.cleanup()
