"""Answers of a provider that is broken or hostile, for `IdentityProvider.answers`."""

import asyncio

from aiohttp import web

from testkit.identity_provider import Handler


async def html(_request: web.Request) -> web.Response:
    return web.Response(text="<!doctype html><title>Maintenance</title>", content_type="text/html")


async def redirect(_request: web.Request) -> web.Response:
    raise web.HTTPFound("/elsewhere")


async def large(_request: web.Request) -> web.Response:
    return web.Response(body=b'{"keys": "' + b"a" * 10 * 2**20 + b'"}', content_type="application/json")


async def silent(_request: web.Request) -> web.Response:
    """Say nothing until the client has gone."""
    await asyncio.Event().wait()
    raise AssertionError


async def trickles(request: web.Request) -> web.StreamResponse:
    """Send a byte now and then, without an end."""
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(b" ")
        await asyncio.sleep(0.2)


async def headers(_request: web.Request) -> web.Response:
    """Answer with more headers than anybody reads."""
    return web.json_response({}, headers={f"X-{number}": "a" * 8000 for number in range(200)})


async def garbage(request: web.Request) -> web.Response:
    """Answer with what is no HTTP."""
    assert request.transport is not None
    request.transport.write(b"SSH-2.0-OpenSSH_9.9\r\n" * 100)
    request.transport.close()
    return web.Response()


async def nested(_request: web.Request) -> web.Response:
    """Answer with JSON that is deeper than a parser's stack."""
    return web.Response(body=b'{"keys":' + b"[" * 60_000, content_type="application/json")


async def drops(request: web.Request) -> web.Response:
    """Break the connection off."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def status(number: int) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({}, status=number)

    return answer


def says(data: object, number: int = 200) -> Handler:
    """Answer this JSON, whatever was asked."""

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(data, status=number)

    return answer
