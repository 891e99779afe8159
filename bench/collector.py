"""`python -m bench.collector`: takes spans by OTLP over HTTP and drops them. Orders: {"order": "port"}."""

import asyncio

import uvloop
from aiohttp import web

from bench.programs import Order, obey

_MOST = 2**26


async def _take(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(content_type="application/x-protobuf")


async def _serve() -> None:
    application = web.Application(client_max_size=_MOST)
    application.router.add_post("/v1/traces", _take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()

    async def port(_: Order) -> Order:
        return {"port": runner.addresses[0][1]}

    await obey(port)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(_serve())
