"""Snippets of the reference at /docs: each, run as it is shown, calls the route beside which it stands."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from service import app
from service.http.docs import reference
from service.http.docs.reference import Entry
from testkit.drivers import lacking
from testkit.node import VENV, node
from testkit.patience import PATIENCE
from tests.sdk_compat.sdks import link_packages

_OWN = "http://localhost:8080"
# The answer is an empty object, which is not what the method promises: only the call counts.
_NODE = (
    "globalThis.session = 'secret';\nfor (const name of {names}) await import(`./${{name}}.js`).catch(() => {{}});\n"
)
# What the SDK for pages finds around itself: an address bar, for the methods that lead the browser away.
_PAGE = """
const visits = [];
globalThis.window = { location: { set href(address) { visits.push(fetch(address)); } } };
%s
await Promise.all(visits);
"""
_PYTHON = """
import contextlib, pathlib
for name in {names}:
    with contextlib.suppress(Exception):
        exec(pathlib.Path(f"{{name}}.py").read_text(), {{"session": "secret"}})
"""


class Recorder:
    """A server that notes each call: the first step of the path says which snippet makes it."""

    def __init__(self) -> None:
        self.calls: dict[str, tuple[str, str, bool]] = {}
        self.address = ""

    async def answer(self, request: web.Request) -> web.Response:
        _, name, rest = request.path.split("/", 2)
        self.calls[name] = (request.method, f"/{rest}", "X-Appwrite-Key" in request.headers)
        return web.json_response({})


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    made = Recorder()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", made.answer)
    async with TestServer(application) as server:
        made.address = f"http://localhost:{server.port}"
        yield made


def entries() -> list[Entry]:
    app.routes()
    return [entry for section in reference.contents(_OWN).values() for entry in section.entries]


async def run(words: list[str], folder: Path, extra: dict[str, str]) -> None:
    environment = {"PATH": os.environ["PATH"], "APPWRITE_KEY": "key", **extra}
    process = await asyncio.create_subprocess_exec(*words, cwd=folder, env=environment)
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0


@pytest.mark.parametrize("language", ["web", "node", "python"])
async def test_a_snippet_calls_its_route(language: str, recorder: Recorder, tmp_path: Path):
    """With today's SDKs; a route for keys is called with one, and no other is."""
    shown = {entry.anchor: entry for entry in entries() if language in entry.snippets}
    assert len(shown) > 20
    suffix = "py" if language == "python" else "js"
    for name, entry in shown.items():
        code = entry.snippets[language].replace(_OWN, f"{recorder.address}/{name}")
        (tmp_path / f"{name}.{suffix}").write_text(code)
    if language == "python":
        if not (VENV / "appwrite-27").exists():
            lacking("the Python SDK of today is not installed; ./dev test installs it")
        program = [sys.executable, "-c", _PYTHON.format(names=list(shown))]
        await run(program, tmp_path, {"PYTHONPATH": str(VENV / "appwrite-27")})
    else:
        link_packages(tmp_path)
        program = _NODE.format(names=list(shown))
        (tmp_path / "run.mjs").write_text(_PAGE % program if language == "web" else program)
        await run([node(), "run.mjs"], tmp_path, {})
    for name, entry in shown.items():
        method, path, by_key = recorder.calls[name]
        assert method == entry.method, name
        assert any(re.fullmatch(re.sub(r"{\w+}", "[^/]+", each), path) for each in entry.paths), (name, path)
        assert by_key is ("x-scope" in entry.operation), name


def test_every_route_that_an_sdk_can_call_has_snippets():
    """Those that no SDK has a method for have a line for the shell, as every route has."""
    shown = entries()
    assert {entry.anchor for entry in shown if set(entry.snippets) == {"curl"}} == {
        "list_mails", "list_events", "create_invitation", "list_invitations", "delete_invitation", "keep_invitation",
        "export_account", "delete_account", "get_document", "finish_oauth2",
    }  # fmt: skip
    assert all("curl" in entry.snippets for entry in shown)
