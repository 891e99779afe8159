"""Clients that are slow on purpose, each in one of five ways; they note when the service has had enough of them."""

import asyncio
import contextlib
import select
import socket
import time
from collections.abc import Iterator
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
_GONE = select.EPOLLHUP | select.EPOLLERR | select.EPOLLRDHUP
_LOOK = 0.1


@dataclass(frozen=True, slots=True)
class Closed:
    """Closed connection; `seconds` from its beginning, None if the service still held it at the end."""

    way: str
    seconds: float | None


class Watch:
    """Watcher of the moment at which each connection ended, by the kernel; `late` is its own delay.

    It doesn't wait for the clients' own tasks, and they don't watch: two thousand that did would be late themselves.
    """

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._gone: dict[int, asyncio.Future[float]] = {}
        self._looking = asyncio.create_task(self._look())
        self.late = 0.0

    async def _look(self) -> None:
        asyncio.get_running_loop().add_reader(self._poll.fileno(), self._note)
        while True:
            due = time.monotonic() + _LOOK
            await asyncio.sleep(_LOOK)
            self.late = max(self.late, time.monotonic() - due)

    def _note(self) -> None:
        now = time.monotonic()
        for number, _ in self._poll.poll(0):
            self._poll.unregister(number)
            if not self._gone[number].done():
                self._gone[number].set_result(now)

    @contextlib.contextmanager
    def over(self, client: socket.socket) -> Iterator["asyncio.Future[float]"]:
        """Wait for the end of a connection; return its moment."""
        number = client.fileno()
        self._gone[number] = ended = asyncio.get_running_loop().create_future()
        self._poll.register(number, _GONE)
        try:
            yield ended
        finally:
            with contextlib.suppress(FileNotFoundError):
                self._poll.unregister(number)
            del self._gone[number]

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._poll.fileno())
        self._looking.cancel()
        self._poll.close()


async def slow(port: int, way: str, watch: Watch, *, patience: float) -> Closed:
    """Open one connection and drip bytes into it twice a second; answers are not read."""
    start, drop = WAYS[way]
    client = socket.socket()
    client.setblocking(False)  # noqa: FBT003 - the library's own signature
    if way == "answer not read":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    try:
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
        began = time.monotonic()
        with watch.over(client) as ended:
            _send(client, start)
            while not ended.done() and time.monotonic() - began < patience:
                await asyncio.wait([ended], timeout=0.5)
                _send(client, drop)
            return Closed(way, ended.result() - began if ended.done() else None)
    except ConnectionError:
        return Closed(way, 0.0)
    finally:
        client.close()


def _send(client: socket.socket, piece: bytes) -> None:
    """Send as much as the connection accepts."""
    with contextlib.suppress(ConnectionError, BlockingIOError):
        client.send(piece)
