"""HTTP below the handlers: refusals by the parser, deadlines for slow clients, the bound on connections.

The library answers these in its own words, with its name, a traceback in the log, and without a deadline for readers
(docs/security.md S80 to S84).
"""

import asyncio
import logging
import resource
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web
from aiohttp.http import RawRequestMessage

from service import ids
from service.errors import AccountError, ArgumentInvalid, Overloaded
from service.http import responses, security_headers
from service.settings import Settings

log = logging.getLogger("service.access")
# Seconds: an idle connection or an unfinished head (dripped ones too), and a response that its client does not read.
# The documented bound is fifteen: a busy process has one second to notice.
IDLE, READING = 14.0, 10.0
# The rest of a body whose response is out is read for so long, for clients that write before they read.
LINGERING = 2.0
_MALFORMED = "The request is not well-formed HTTP."
_LINES_A_SECOND = 10
# Bytes that the kernel buffers for a client that does not read; by default it would take megabytes.
_UNSENT = 131_072
# SO_LINGER with no time: the kernel drops what is unsent and resets the connection.
_LINGER_NO_TIME = struct.pack("ii", 1, 0)
# File descriptors kept for the process itself: connections to Postgres and Redis, templates, the log.
_OWN_FILES = 256


def _room(wanted: int) -> int:
    """Return how many connections the process may hold: the wanted number, or fewer if the system has fewer files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OWN_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - _OWN_FILES))


def runner(app: web.Application, settings: Settings, *, shutdown_timeout: float) -> "Runner":
    return Runner(
        app,
        settings,
        access_log=None,
        keepalive_timeout=IDLE,
        lingering_time=LINGERING,
        shutdown_timeout=shutdown_timeout,
    )


@dataclass(slots=True)
class SampledLog:
    """Log lines about junk, at most so many a second; the next line tells how many were `suppressed` before it."""

    second: int = 0
    written: int = 0
    suppressed: int = 0

    def warn(self, why: str, ip: str | None) -> None:
        now = int(time.monotonic())
        if now != self.second:
            self.second, self.written = now, 0
        self.written += 1
        if self.written > _LINES_A_SECOND:
            self.suppressed += 1
            return
        log.warning(
            "The client's request is not well-formed HTTP",
            extra={"event": "request.malformed", "reason": why, "ip": ip, "suppressed": self.suppressed},
        )
        self.suppressed = 0


class Connection(web.RequestHandler):
    """One client's connection; HttpServer holds what all connections share."""

    def __init__(self, server: "HttpServer", **kwargs: Any) -> None:
        super().__init__(server, **kwargs)
        self._server = server
        self._unread: asyncio.TimerHandle | None = None
        self._broken = False
        # Arrival of the request that is to be answered next; 0 while it waits behind another.
        self.arrived = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self._server.full:
            super().connection_made(transport)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNSENT)
            return
        self._server.refused["full"] += 1
        wire = cast("asyncio.Transport", transport)
        wire.write(self._server.full_response)
        wire.close()

    def data_received(self, data: bytes) -> None:
        """Read nothing behind malformed bytes: the library would keep it all, with an error for each packet."""
        if self._broken:
            return
        if not self._messages and self._current_request is None:
            self.arrived = self._loop.time()
        super().data_received(data)
        self._broken = bool(self._messages) and not isinstance(self._messages[-1][0], RawRequestMessage)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer the parser's refusal, or a fault that no handler caught, without details of either."""
        del message
        if request.writer.output_size > 0:
            raise ConnectionError
        if status >= 500:
            log.error(
                "The HTTP server failed with an unexpected error", exc_info=exc, extra={"event": "http_server.failed"}
            )
        else:
            self._server.note_malformed(type(exc).__name__, request.remote)
        answer = self._server.refuse(AccountError() if status >= 500 else ArgumentInvalid(_MALFORMED))
        answer.force_close()
        return answer

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Render the library's own refusals (a wrong Expect) as the contract's errors."""
        if isinstance(resp, web.HTTPException):
            self._server.note_malformed(type(resp).__name__, request.remote)
            resp = self._server.refuse(ArgumentInvalid(_MALFORMED))
            resp.force_close()
        transport = self.transport
        done = await super().finish_response(request, resp, start_time)
        if transport is not None and transport.get_write_buffer_size():
            self._loop.call_later(READING, self._drop_unread, transport, self._request_count)
        return done

    def pause_writing(self) -> None:
        """Bound the wait for the client to read; the library would wait for ever."""
        super().pause_writing()
        if self.transport is not None:
            self._unread = self._loop.call_later(READING, self._drop_unread, self.transport, self._request_count)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread:
            self._unread.cancel()

    def _drop_unread(self, transport: asyncio.Transport, count: int) -> None:
        """Abort the connection: closing would wait for the client to read, and so would the kernel afterwards."""
        if transport.get_write_buffer_size() and count == self._request_count:
            self._server.refused["unread"] += 1
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NO_TIME)
            transport.abort()


class HttpServer(web.Server):
    """State that the connections of a process share."""

    def __init__(self, made: web.Server, settings: Settings) -> None:
        super().__init__(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            **made._kwargs,  # noqa: SLF001 - the application passes it to its server alone
        )
        self.max_connections = _room(settings.connections)
        self.headers = security_headers.headers(settings.public_url)
        self.sampled = SampledLog()
        # For metrics: connections and requests that reached no handler, and answers that nobody read.
        self.refused = {"full": 0, "malformed": 0, "unread": 0}
        self.full_response = _raw(self.refuse(Overloaded(retry_after=1)))

    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)

    @property
    def full(self) -> bool:
        return len(self._connections) >= self.max_connections

    def note_malformed(self, why: str, ip: str | None) -> None:
        self.refused["malformed"] += 1
        self.sampled.warn(why, ip)

    def refuse(self, fault: AccountError) -> security_headers.Response:
        """Render a refusal as every other response has it."""
        usual = responses.error(fault, modern=True)
        return security_headers.Response(
            body=usual.body,
            status=usual.status,
            headers={**usual.headers, **self.headers, "X-Request-Id": ids.new()},
        )


def _raw(answer: web.Response) -> bytes:
    """Serialize a response for a connection that is closed before it has a handler."""
    fields = {**answer.headers, "Content-Length": str(answer.content_length), "Connection": "close"}
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + bytes(answer.body)  # type: ignore[arg-type] # our own bytes


class Runner(web.AppRunner):
    """Runs the application on an HttpServer."""

    def __init__(self, app: web.Application, settings: Settings, **kwargs: Any) -> None:
        super().__init__(app, **kwargs)
        self._settings = settings

    @property
    def http_server(self) -> HttpServer:
        """Server of all connections, once it is set up."""
        return cast("HttpServer", self.server)

    async def _make_server(self) -> web.Server:
        return HttpServer(await super()._make_server(), self._settings)
