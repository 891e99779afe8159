"""Ports of a worker: one that another process has is tried again, for a worker that is being replaced may have it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web

from service.outages import Outage

_AGAIN = 5.0
Made = TypeVar("Made")


def first_host(hosts: str) -> str:
    """Return the first address of HOST."""
    return next(name for part in hosts.split(",") if (name := part.strip()))


async def bind(start: Callable[[], Awaitable[Made]], outage: Outage, *, setting: str) -> Made:
    """Return what `start` makes once it can have its port."""
    while True:
        try:
            made = await start()
        except OSError as error:
            outage.record_failure(f"{error.strerror}: another process has it, or mend {setting}")
            await asyncio.sleep(_AGAIN)
        else:
            outage.record_success(sure=True)
            return made


async def serve(app: web.Application, host: str, port: int, outage: Outage, *, setting: str) -> None:
    """Serve an app until cancelled, at the first address of HOST."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()

    async def start() -> None:
        site = web.TCPSite(runner, first_host(host), port)
        try:
            await site.start()
        except OSError:
            await site.stop()  # it is registered although it did not start
            raise

    try:
        await bind(start, outage, setting=setting)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
