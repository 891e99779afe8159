"""The gallery at /gallery: every letter and hosted page in each language and state, as the templates are now."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from aiohttp import web

from devstack.answers import LETTER_POLICY, refusal
from devstack.children import ROOT, call
from devstack.servers import ServerError

TEMPLATES = ROOT / "templates"
COMMAND = (sys.executable, "-m", "testkit.gallery")
_INDEX_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {".html": "text/html", ".txt": "text/plain"}


class Gallery:
    """Pages in a folder, rendered at the first request and again when a template has changed."""

    def __init__(self, folder: Path, *, templates: Path = TEMPLATES, command: tuple[str, ...] = COMMAND) -> None:
        self._folder, self._templates, self._command = folder, templates, command
        self._rendering = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/gallery", self.enter),
            web.get("/gallery/", self.index),
            web.get(r"/gallery/{name:[A-Za-z-]+/[a-z_-]+\.(?:html|txt)}", self.letter),
        ]

    async def enter(self, _request: web.Request) -> web.Response:
        raise web.HTTPFound("/gallery/")

    async def index(self, _request: web.Request) -> web.Response:
        return await self._page("index.html", _INDEX_POLICY)

    async def letter(self, request: web.Request) -> web.Response:
        return await self._page(request.match_info["name"], LETTER_POLICY)

    async def _page(self, name: str, policy: str) -> web.Response:
        try:
            async with self._rendering:
                if await asyncio.to_thread(self._is_stale):
                    await call((*self._command, str(self._folder)), env=os.environ)
        except ServerError as error:
            raise refusal(web.HTTPInternalServerError, str(error)) from None
        path = self._folder / name
        try:
            text = await asyncio.to_thread(path.read_text, encoding="utf-8")
        except FileNotFoundError:
            raise refusal(web.HTTPNotFound, "there is no such letter") from None
        return web.Response(text=text, content_type=_TYPES[path.suffix], headers={"Content-Security-Policy": policy})

    def _is_stale(self) -> bool:
        """Compare the index, which is written last, with the templates."""
        with contextlib.suppress(FileNotFoundError):
            rendered = (self._folder / "index.html").stat().st_mtime_ns
            return any(path.stat().st_mtime_ns > rendered for path in self._templates.rglob("*"))
        return True
