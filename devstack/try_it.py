"""Swagger UI for the running API, from a package that is installed with the servers of `./dev run`.

Nothing is loaded from outside. The page stands on a port of its own, as an app's page does: the policy of the service's
own pages forbids what it needs.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from aiohttp import web

from devstack.answers import EVERYWHERE
from devstack.web_server import serve

_PAGES = Path(__file__).with_name("pages")
_KINDS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
}


def _folder() -> Path:
    """Find the files of Swagger UI without importing the package, which is a plug-in for Flask."""
    found = find_spec("flask_swagger_ui")
    if found is None or found.origin is None:
        raise LookupError("Swagger UI is not installed")
    return Path(found.origin).parent / "dist"


@asynccontextmanager
async def open_try_it(*, api: str, project: str, port: int = 0, host: str = "") -> AsyncIterator[int]:
    """Serve the page for the API at that address on 127.0.0.1, and on `host` too; yields its port."""
    async with serve(_application(api, project), port=port, host=host) as chosen:
        yield chosen


def _application(api: str, project: str) -> web.Application:
    folder = _folder()
    page = (_PAGES / "try_it.html").read_text(encoding="utf-8")
    script = (_PAGES / "try_it.js").read_text(encoding="utf-8")
    # It draws with styles in its elements and images in its style.
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; connect-src {api}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )

    async def show(_request: web.Request) -> web.Response:
        html = page.replace("{{api}}", api).replace("{{project}}", project)
        headers = {**EVERYWHERE, "Content-Security-Policy": policy}
        return web.Response(text=html, content_type="text/html", headers=headers)

    async def run(_request: web.Request) -> web.Response:
        return web.Response(text=script, content_type="text/javascript", headers=EVERYWHERE)

    async def file(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in _KINDS:
            raise web.HTTPNotFound
        return web.Response(body=(folder / name).read_bytes(), content_type=_KINDS[name], headers=EVERYWHERE)

    application = web.Application()
    application.add_routes([web.get("/", show), web.get("/try_it.js", run), web.get("/{name}", file)])
    return application
