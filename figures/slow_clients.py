"""Clients that are slow on purpose, each in one of five ways; they note when the service has had enough of them."""

import asyncio
import contextlib
import select
import socket
import time
from dataclasses import dataclass

_HEAD = b"POST /v1/account/sessions HTTP/1.1\r\nHost: localhost\r\nX-Appwrite-Project: shop\r\n"
_BODY = _HEAD + b"Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
_LARGE = b"GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10
WAYS = {
    "idle": (b"", b""),
    "head dripped": (_HEAD, b"X: y\r\n"),
    "start line dripped": (b"GET /", b"a"),
    "body dripped": (_BODY, b" "),
    "answer not read": (_LARGE, b""),
}
_GONE = select.POLLHUP | select.POLLERR | select.POLLRDHUP


@dataclass(frozen=True, slots=True)
class Closed:
    """`seconds` from the connection's beginning; None if the service still held it at the end."""

    way: str
    seconds: float | None


async def slow(port: int, way: str, *, patience: float) -> Closed:
    """One connection, looked at and dripped into twice a second; what it is told is not read."""
    start, drop = WAYS[way]
    client = socket.socket()
    client.setblocking(False)  # noqa: FBT003 - the library's own signature
    if way == "answer not read":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    looked = select.poll()
    try:
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
        began = time.monotonic()
        looked.register(client, _GONE)
        with contextlib.suppress(ConnectionError, BlockingIOError):
            client.send(start)
        while (passed := time.monotonic() - began) < patience:
            if looked.poll(0):
                return Closed(way, passed)
            with contextlib.suppress(ConnectionError, BlockingIOError):
                client.send(drop)
            await asyncio.sleep(0.5)
        return Closed(way, None)
    except ConnectionError:
        return Closed(way, 0.0)
    finally:
        client.close()
