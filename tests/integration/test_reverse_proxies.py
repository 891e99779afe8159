"""The examples of deploy/nginx and deploy/caddy, run by Debian's nginx and caddy before the service, with TLS."""

import asyncio
import json
import re
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from devstack.servers import tied
from service.cli.doctor import proxy_check
from service.cli.findings import Finding
from service.settings import Settings
from testkit import debian, edge
from testkit.processes import lasting_port
from testkit.sink import make_certificate
from testkit.sources import ROOT
from testkit.waiting import until

_NGINX = """daemon off; master_process off; pid {folder}/pid; error_log stderr crit;
events {{ }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/accounts.conf;
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs: its https port, and the folder of its logs."""

    port: int
    folder: Path
    tls: ssl.SSLContext

    def logs(self) -> str:
        return "".join(path.read_text() for path in self.folder.glob("*.log"))

    async def ask(self, method: str, path: str, **body: Any) -> tuple[int, str]:
        async with aiohttp.ClientSession(headers={"X-Appwrite-Project": "shop"}) as client:
            address = f"https://localhost:{self.port}{path}"
            async with client.request(method, address, ssl=self.tls, **body) as answer:
                return answer.status, await answer.text()

    async def redirect(self, path: str) -> tuple[int, str]:
        """Ask nginx's port without TLS; return the status and where it leads."""
        plain = re.search(r"listen (127.0.0.1:\d+);", (self.folder / "accounts.conf").read_text())
        assert plain
        host = {"Host": "localhost"}
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"http://{plain[1]}{path}", headers=host, allow_redirects=False) as answer,
        ):
            return answer.status, answer.headers["Location"]


@asynccontextmanager
async def _proxy(name: str, folder: Path, *, api: int) -> AsyncIterator[Proxy]:
    program, port = debian.program(name), lasting_port()
    folder.mkdir()
    cert, key = make_certificate(folder / "tls", names="DNS:localhost", start="20200101000000Z", end="20990101000000Z")
    words = {"nginx": _nginx, "caddy": _caddy}[name](folder, port, api, cert, key)
    with (folder / "stderr.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - which takes a millisecond
            [*tied(signal.SIGKILL), str(program.path), *words],
            env=program.environment | {"HOME": str(folder)},
            stderr=log,
        )
    proxy = Proxy(port, folder, ssl.create_default_context(cafile=cert))

    async def answers() -> bool:
        assert process.poll() is None, proxy.logs()
        try:
            return (await proxy.ask("GET", "/v1/openapi.json"))[0] == 200
        except aiohttp.ClientError:
            return False

    try:
        await until(answers, what=f"{name} does not pass requests on")
        yield proxy
    finally:
        process.kill()
        process.wait()


def _nginx(folder: Path, port: int, api: int, cert: Path, key: Path) -> list[str]:
    """Put this machine's ports and paths into the example; return nginx's words."""
    text = (ROOT / "deploy" / "nginx" / "accounts.conf").read_text()
    text = re.sub(r" +listen \[::\].*\n", "", text).replace("listen 80;", f"listen 127.0.0.1:{lasting_port()};")
    text = text.replace("listen 443 ", f"listen 127.0.0.1:{port} ").replace("127.0.0.1:8080", f"127.0.0.1:{api}")
    text = re.sub(r"ssl_certificate_key \S+;", f"ssl_certificate_key {key};", text)
    text = re.sub(r"ssl_certificate \S+;", f"ssl_certificate {cert};", text).replace("/var/log/nginx", str(folder))
    (folder / "accounts.conf").write_text(text)
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder))
    return ["-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def _caddy(folder: Path, port: int, api: int, cert: Path, key: Path) -> list[str]:
    """Put this machine's ports and paths into the example; return Caddy's words."""
    text = (ROOT / "deploy" / "caddy" / "Caddyfile").read_text()
    text = text.replace("\n{\n", "\n{\nadmin off\nauto_https disable_redirects\n", 1)
    text = text.replace("\naccounts.example.com {", f"\nhttps://localhost:{port} {{\ntls {cert} {key}", 1)
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{api}")
    (folder / "Caddyfile").write_text(text)
    return ["run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


@pytest.mark.parametrize("name", ["nginx", "caddy"])
async def test_the_example_passes_on_what_it_should(  # noqa: PLR0917 - fixtures
    name: str, settings: Settings, project, redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Clients keep their addresses and get the service's errors; no secret of a link is in a log, come what may."""
    own = settings.model_copy(update={"trusted_hops": 1})
    secret = "/auth/recovery?project=shop&userId=ann&secret=canary"
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(AsyncExitStack())
        api = await service.enter_async_context(edge.edge(own))
        proxy = await stack.enter_async_context(_proxy(name, tmp_path / name, api=api))
        monkeypatch.setenv("SSL_CERT_FILE", str(proxy.folder / "tls" / "cert.pem"))
        found = await asyncio.to_thread(proxy_check.check, f"https://localhost:{proxy.port}", settings)
        assert {each.state for each in found} == {"ok"}, found
        assert Finding("TRUSTED_HOPS", "ok", "1 is right here") in found
        status, body = await proxy.ask("POST", "/v1/account", json={"name": "x" * 100_000})
        assert (status, json.loads(body)["code"]) == (413, 413)
        assert (await proxy.ask("GET", secret))[0] == 401
        if name == "nginx":  # Caddy redirects from port 80 by itself
            assert await proxy.redirect(secret) == (308, f"https://localhost{secret}")
        await service.aclose()
        assert (await proxy.ask("GET", secret))[0] in (502, 503)
        await until(lambda: proxy.logs().count("/auth/recovery") >= 2, what="nothing is logged")
        assert "canary" not in proxy.logs()
