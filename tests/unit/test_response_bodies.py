"""Bodies of other servers' answers: whole, however they arrive, and bounded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from service.response_bodies import read_up_to
from testkit.waiting import until


@asynccontextmanager
async def answer_in_two_pieces(go: asyncio.Event) -> AsyncIterator[aiohttp.ClientResponse]:
    """An answer `abcdef` of which the half has arrived; the rest follows with `go`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"abc")
        await go.wait()
        await response.write(b"def")
        return response

    app = web.Application()
    app.router.add_get("/", handle)
    async with TestClient(TestServer(app)) as client, client.get("/") as response:
        await until(lambda: response.content.total_bytes == 3)
        yield response


async def test_a_body_that_arrives_in_pieces_is_read_whole():
    """A body is not over where the first piece of it ends."""
    go = asyncio.Event()
    async with answer_in_two_pieces(go) as response:
        reading = asyncio.create_task(read_up_to(response, 10))
        asyncio.get_running_loop().call_soon(go.set)
        assert await reading == b"abcdef"


async def test_no_more_is_read_than_may_be():
    """A longer body ends at the bound; the rest is not waited for."""
    go = asyncio.Event()
    async with answer_in_two_pieces(go) as response:
        assert await read_up_to(response, 2) == b"ab"
        go.set()
