"""Outgoing connections and dependencies (docs/security.md S88, S89)."""

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest

from service.db import Pool
from service.store import projects
from testkit import processes
from testkit.api import Api
from testkit.sink import Sink
from testkit.sources import ROOT

# Below these lie faults that are known.
FLOORS = {"aiohttp": (3, 14), "pyjwt": (2, 13), "jinja2": (3, 1, 6), "idna": (3, 7)}
LOCKS = sorted(path.name for path in ROOT.glob("requirements*.lock"))


async def test_s88_nothing_we_are_told_is_fetched(
    environment: dict[str, str], pool: Pool, project: projects.Project, redis: object, tmp_path: Path
):
    """A listener whose address stands wherever an address can stand is never connected to, by API or worker."""
    met: list[str] = []

    async def met_somebody(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append(str(writer.get_extra_info("peername")))
        writer.close()

    listener = await asyncio.start_server(met_somebody, "127.0.0.1", 0)
    bait = f"http://localhost:{listener.sockets[0].getsockname()[1]}"
    said = {"Origin": bait, "Referer": f"{bait}/x", "User-Agent": f"Mozilla/5.0 (+{bait})"}
    said["X-Forwarded-Host"] = bait.removeprefix("http://")
    async with Sink() as sink:
        settings = environment | {"SMTP_URL": f"smtp://127.0.0.1:{sink.port}?tls=none"}
        async with (
            processes.api(settings) as (_, address),
            processes.worker(settings, heartbeat=tmp_path / "alive"),
            aiohttp.ClientSession(address, cookie_jar=aiohttp.DummyCookieJar()) as browser,
        ):
            api = Api(browser)
            body = {"email": "ann@example.com", "password": "correct horse", "name": bait}
            assert (await api.call("POST", "/v1/account", json=body, headers=said)).status == 201
            member = await api.sign_in() | said
            for path, asked in (
                ("/v1/account/verification", {"url": f"{bait}/proof"}),
                ("/v1/account/recovery", {"email": "ann@example.com", "url": f"{bait}/reset"}),
                ("/v1/account/sessions/magic-url", {"email": "ann@example.com", "url": f"{bait}/in"}),
            ):
                assert (await api.call("POST", path, json=asked, headers=member)).status == 201
            prefs = {"prefs": {"avatar": f"{bait}/a.png"}}
            assert (await api.call("PATCH", "/v1/account/prefs", json=prefs, headers=member)).status == 200
            await sink.wait_for(3)
    listener.close()
    await listener.wait_closed()
    assert met == []


@pytest.mark.parametrize("lock", LOCKS)
def test_s89_every_package_is_locked_by_hash(lock: str):
    """Each requirement is one version, with the hashes of its files."""
    entries = re.split(r"\n(?=[A-Za-z0-9])", (ROOT / lock).read_text())
    packages = [entry for entry in entries if re.match(r"[A-Za-z0-9._-]+==", entry)]
    assert len(packages) > 20
    assert [entry.split()[0] for entry in packages if "--hash=sha256:" not in entry] == []


def test_s89_nothing_is_older_than_its_floor():
    """Every package of production is past the faults that are known."""
    text = (ROOT / "requirements.lock").read_text()
    for name, floor in FLOORS.items():
        found = re.search(rf"^{name}==([\d.]+)", text, re.MULTILINE)
        assert found, name
        assert tuple(map(int, found[1].split("."))) >= floor, name
