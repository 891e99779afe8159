"""`python -m bench.load`: send requests to one server as fast as it answers, over a few open connections.

Raw sockets and ready bytes: a client library would cost more than the server that is measured.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator
from typing import cast

import uvloop

from bench.programs import Order, obey

_PREFIX, _LENGTH = b"HTTP/1.1 20", b"Content-Length: "
_CHUNKED, _LAST_CHUNK = b"\r\ntransfer-encoding: chunked\r\n", b"\r\n0\r\n\r\n"


def is_whole(data: bytes) -> bool:
    """Tell whether an answer has come to its end; the spelling of aiohttp is looked for first, and costs least."""
    head = data.find(b"\r\n\r\n") + 4
    if head < 4:
        return False
    at = data.find(_LENGTH, 0, head)
    if at < 0:
        names = data[:head].lower()
        at = names.find(_LENGTH.lower())
        if at < 0:
            return data.endswith(_LAST_CHUNK) if _CHUNKED in names else True
    at += len(_LENGTH)
    return len(data) >= head + int(data[at : data.find(b"\r", at)])


class Asker(asyncio.Protocol):
    """One connection: the next request follows the answer to the last."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self.requests = requests
        self.answers = 0
        self.got = b""
        self.until = 0.0
        self.transport: asyncio.WriteTransport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)  # uvloop's is one without saying so

    def start(self, seconds: float) -> asyncio.Future[None]:
        self.until = time.perf_counter() + seconds
        self.done = asyncio.get_running_loop().create_future()
        self._ask()
        return self.done

    def _ask(self) -> None:
        assert self.transport
        if request := next(self.requests, None):
            self.transport.write(request)
        else:
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        data = self.got + data if self.got else data
        if not is_whole(data):
            self.got = data
            return
        self.got = b""
        if not data.startswith(_PREFIX):
            self.done.set_exception(ConnectionError(data[:400].decode(errors="replace")))
            return
        self.answers += 1
        if time.perf_counter() < self.until:
            self._ask()
        else:
            self.done.set_result(None)

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError("the server hung up"))


async def ask(order: Order) -> Order:
    """Send requests for so many seconds, or each of them `once`; return the number of answers and the real duration."""
    loop = asyncio.get_running_loop()
    ready = [text.encode() for text in order["requests"]]
    requests = iter(ready) if order.get("once") else itertools.cycle(ready)
    made = [
        await loop.create_connection(lambda: Asker(requests), "127.0.0.1", order["port"])
        for _ in range(order["connections"])
    ]
    began = time.perf_counter()
    await asyncio.gather(*(asker.start(order["seconds"]) for _, asker in made))
    seconds = time.perf_counter() - began
    for transport, _ in made:
        transport.close()
    return {"count": sum(asker.answers for _, asker in made), "seconds": seconds}


if __name__ == "__main__":
    uvloop.run(obey(ask))
