"""Commands of docs/backup.md, run as they stand between two databases: accounts are there, waiting mails go out."""

import os
import re
import subprocess
import sys
from pathlib import Path

from aiohttp import DummyCookieJar

from devstack.servers.binaries import postgres_binaries
from service.app import make
from service.settings import Settings
from testkit import processes
from testkit.api import Api
from testkit.patience import PATIENCE
from testkit.sink import Sink
from testkit.sources import ROOT
from tests.conftest import Shared

_DUMP, _RESTORE = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / "backup.md").read_text(), re.MULTILINE | re.DOTALL)


def _run(script: str, folder: Path, environment: dict[str, str]) -> str:
    path = f"{Path(sys.executable).parent}:{postgres_binaries()}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True, check=False,
        env=environment | {"PATH": path, "PYTHONPATH": str(ROOT)}, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_a_restored_service_goes_on(  # noqa: PLR0917 - fixtures
    cheap, api: Api, environment, shared_postgres: Shared, tmp_path: Path, aiohttp_client, monkeypatch
):
    """Sessions and passwords work, a mail that waited in the dump goes out, and its link opens."""
    user = await api.sign_up()
    member = await api.sign_in()
    asked = {"email": "ann@example.com", "url": "http://localhost/recover"}
    assert (await api.call("POST", "/v1/account/recovery", json=asked)).status == 201
    _run(_DUMP, tmp_path, environment)
    async with shared_postgres.new_database() as url, Sink() as sink:
        restored = environment | {"DATABASE_URL": url, "SMTP_URL": f"smtp://127.0.0.1:{sink.port}?tls=none"}
        _run(_RESTORE, tmp_path, restored)
        for name, value in restored.items():
            monkeypatch.setenv(name, value)
        again = Api(await aiohttp_client(make(Settings.read()), cookie_jar=DummyCookieJar()))
        assert (await again.call("GET", "/v1/account", headers=member)).data["$id"] == user["$id"]
        await again.sign_in()
        async with processes.worker(restored | {"WORKER_STATE": str(tmp_path)}, heartbeat=tmp_path / "alive"):
            await sink.wait_for(lambda sink: [mail for mail in sink.mails if b"recover" in mail.content])
        (mail,) = (mail for mail in sink.mails if b"recover" in mail.content)
        secret = re.search(rb"secret=3?D?([\w-]+)", mail.content.replace(b"=\r\n", b""))
        assert secret
        given = {"userId": user["$id"], "secret": secret[1].decode(), "password": "another horse"}
        answer = await again.call("PUT", "/v1/account/recovery", json=given | {"passwordAgain": "another horse"})
        assert answer.status == 200, answer.data
