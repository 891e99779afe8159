"""Serves the files of the example app, and its one page at each of its addresses."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from devstack.web_server import serve

_FOLDER = Path(__file__).parent
_SITE = _FOLDER / "site"
_KINDS = {".js": "text/javascript", ".css": "text/css"}
_ADDRESSES = re.findall(r'<template data-path="([^"]+)"', (_SITE / "index.html").read_text(encoding="utf-8"))


@asynccontextmanager
async def open_example_app(
    *, endpoint: str, project: str, mailbox: str = "", provider: str = "", port: int = 0, host: str = ""
) -> AsyncIterator[int]:
    """Serve the app on 127.0.0.1, and on `host` too, until the block ends; yields its port.

    `endpoint` is the address of the API with /v1; `mailbox` is that of the mailbox, for a link to it.
    `provider` is the name of one that users may sign in with; without it the app offers none.
    """
    config = {"ENDPOINT": endpoint, "PROJECT": project, "MAILBOX": mailbox, "PROVIDER": provider}
    async with serve(_application(config), port=port, host=host) as chosen:
        yield chosen


def _application(config: dict[str, str]) -> web.Application:
    settings = "".join(f"export const {name} = {json.dumps(value)};\n" for name, value in config.items())
    parts = urlsplit(config["ENDPOINT"])
    headers = {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
        f"connect-src {parts.scheme}://{parts.netloc}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        # Never the address, which may hold a mailed secret. Without the origin the service would link no identity: it
        # tells its projects' own pages from others by it.
        "Referrer-Policy": "strict-origin",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }

    async def page(_request: web.Request) -> web.Response:
        return _file(_SITE / "index.html", headers)

    async def script_of_settings(_request: web.Request) -> web.Response:
        return web.Response(text=settings, content_type="text/javascript", headers=headers)

    async def file(request: web.Request) -> web.Response:
        return _file(files[request.path], headers)

    files = {f"/{path.name}": path for path in _SITE.iterdir() if path.suffix in _KINDS}
    files |= {f"/vendor/{path.name}": path for path in (_FOLDER / "vendor").glob("*.js")}
    app = web.Application()
    app.add_routes([web.get(path, page) for path in _ADDRESSES])
    app.add_routes([web.get(path, file) for path in files])
    app.add_routes([web.get("/config.js", script_of_settings)])
    return app


def _file(path: Path, headers: dict[str, str]) -> web.Response:
    kind = _KINDS.get(path.suffix, "text/html")
    # Read anew each time, so that a change of the app is seen at the next load.
    return web.Response(text=path.read_text(encoding="utf-8"), content_type=kind, charset="utf-8", headers=headers)
