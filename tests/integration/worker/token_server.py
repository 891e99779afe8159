"""A token server of our own: it hands out numbered tokens and can be told to answer otherwise."""

import asyncio
import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web


@dataclass(slots=True)
class TokenServer:
    """`answers` are given first, each once, as status and body; `asked` are the forms that came in."""

    tls: ssl.SSLContext | None = None
    expires_in: object = 3600
    answers: list[tuple[int, object]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    # A test that clears it holds every answer back.
    open: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        assert self._runner is not None
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self._runner.addresses[0][1]}/tenant/oauth2/v2.0/token"

    async def __aenter__(self) -> Self:
        self.open.set()
        app = web.Application()
        app.router.add_post("/tenant/oauth2/v2.0/token", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self.tls).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append({name: str(value) for name, value in (await request.post()).items()})
        self.arrived.set()
        await self.open.wait()
        if self.answers:
            status, body = self.answers.pop(0)
            if isinstance(body, str):
                return web.Response(status=status, text=body, headers={"Location": str(request.url)})
            return web.json_response(body, status=status)
        self.given.append(f"token-{len(self.given) + 1}")
        told = {"access_token": self.given[-1], "token_type": "Bearer"}
        return web.json_response(told | ({} if self.expires_in is None else {"expires_in": self.expires_in}))
