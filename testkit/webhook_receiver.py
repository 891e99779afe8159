"""A receiver of webhooks: verifies signatures by the standard's library, keeps what came, answers by a script."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks import Webhook, WebhookVerificationError

from testkit.waiting import until


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer to a request; `hang` gives none, `size` is of its body."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    size: int = 0


@dataclass
class Receiver:
    """A receiver on this machine. `received` are ids with payloads, `taken` the ids that were answered with 2xx.

    Events of `refused` users are answered with 500; an answer takes so many `seconds`.
    """

    secret: str = ""
    always: Reply = Reply()
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    replies: deque[Reply] = field(default_factory=deque)
    refused: set[str] = field(default_factory=set)
    seconds: float = 0.0
    port: int = 0
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return str(self._server.make_url("/events"))

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._receive)
        self._server = TestServer(app, port=self.port or None)
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._released.set()
        await self._server.close()

    async def wait_for(self, number: int) -> None:
        """Wait until so many events are taken."""
        await until(lambda: len(set(self.taken)) >= number, what=f"{number} events, not {len(set(self.taken))}")

    def events(self) -> list[tuple[str, str]]:
        """List user and type of all that came, in order."""
        return [(payload["data"]["userId"], payload["type"]) for _, payload in self.received]

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.signatures.append(request.headers.get("webhook-signature", ""))
        try:
            payload = Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError as fault:
            self.faults.append(str(fault))
            return web.Response(status=400)
        event_id = request.headers["webhook-id"]
        self.received.append((event_id, payload))
        reply = self.replies.popleft() if self.replies else self.always
        if payload.get("data", {}).get("userId") in self.refused:
            reply = Reply(500)
        if self.seconds:
            await asyncio.sleep(self.seconds)
        if reply.hang:
            await self._released.wait()
        elif 200 <= reply.status < 300:
            self.taken.append(event_id)
        return web.Response(status=reply.status, headers=reply.headers, body=b"x" * reply.size)
