"""The deadline of a request: 503 where Postgres, a hash or anything else takes too long."""

import asyncio

from aiohttp import web

from service.deadlines import Deadline

# Seconds for a response once the request is complete, and for its body, whose own limit is shorter (request_body.py).
# A client is promised an answer within five seconds of any fault.
ANSWER, BODY = 4.5, 12.0


def begin(request: web.BaseRequest) -> Deadline:
    """Start the one deadline of a request, from its last byte on."""
    loop, arrived = asyncio.get_running_loop(), _take_arrival(request)
    if request.content.is_eof():
        return Deadline((arrived or loop.time()) + ANSWER, loop)
    deadline = Deadline(loop.time() + BODY + ANSWER, loop)
    request.content.on_eof(lambda: deadline.move(loop.time() + ANSWER))
    return deadline


def _take_arrival(request: web.BaseRequest) -> float:
    """Return when the bytes arrived, a while ago in a busy process; 0 for a pipelined request, whose turn is now."""
    connection = request.protocol
    arrived: float = getattr(connection, "arrived", 0.0)
    if arrived:
        connection.arrived = 0.0  # type: ignore[attr-defined] # of connections.Connection
    return arrived
