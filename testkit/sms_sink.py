"""A webhook for SMS: checks each signature, keeps what came, and answers by a script."""

import asyncio
import hashlib
import hmac
import json
import ssl
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from aiohttp import web
from aiohttp.test_utils import TestServer

from service.crypto.key_derivation import KeyRing, sms_keys
from service.db import Executor
from testkit.waiting import until

Action = Literal["answer", "hang", "drop"]


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer to a request: a status, none, or the end of the connection; it takes `seconds` to come."""

    status: int = 204
    action: Action = "answer"
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass
class SmsSink:
    """A receiver on this machine. `received` are all requests; `taken` those that were answered with 2xx."""

    ring: KeyRing
    tls: ssl.SSLContext | None = None
    received: list[dict[str, Any]] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    replies: deque[Reply] = field(default_factory=deque)
    always: Reply | None = None
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    def script(self, *replies: Reply) -> None:
        self.replies.extend(replies)

    @property
    def url(self) -> str:
        return str(self._server.make_url("/sms?token=of-the-operator"))

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._receive)
        self._server = TestServer(app)
        await self._server.start_server(ssl=self.tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._released.set()
        await self._server.close()

    async def wait_for(self, number: int) -> None:
        """Wait until so many requests have come."""

        async def come() -> bool:
            return len(self.received) >= number

        await until(come, what=f"{number} SMS")

    def codes(self) -> list[str]:
        return [message["text"][:6] for message in self.taken]

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self._check(request, body)
        message = json.loads(body)
        self.received.append(message)
        reply = self.replies.popleft() if self.replies else self.always or Reply()
        if reply.action == "hang":
            await self._released.wait()
        if reply.action == "drop":
            assert request.transport
            request.transport.abort()
        elif reply.status < 300:
            self.taken.append(message)
        await asyncio.sleep(reply.seconds)
        return web.Response(status=reply.status, headers=reply.headers)

    def _check(self, request: web.Request, body: bytes) -> None:
        """Check as a receiver does that has the first key alone."""
        fields = [part.partition("=")[::2] for part in request.headers.get("X-Signature", "").split(",")]
        moment = next((value for name, value in fields if name == "t"), "")
        key = next(iter(sms_keys(self.ring).values()))
        right = hmac.new(key.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
        if right not in [value for name, value in fields if name == "v1"]:
            self.faults.append("signature")
        if request.method != "POST" or request.headers.get("Idempotency-Key") != json.loads(body)["id"]:
            self.faults.append("method or Idempotency-Key")


async def allow(conn: Executor, *prefixes: str, mock: dict[str, str] | None = None) -> None:
    """Let the project `shop` send SMS to numbers that begin so."""
    await conn.execute(
        "update projects set sms_countries = $1, mock_phones = $2::jsonb where id = 'shop'",
        list(prefixes), mock or {},
    )  # fmt: skip
