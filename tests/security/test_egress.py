"""Connections of our processes: Postgres, Redis, the relay, and no others (docs/security.md S88)."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from service.store.projects import Project
from testkit import processes
from testkit.api import Api
from testkit.sink import Sink

LISTENS = "0A"
Peers = set[tuple[str, int]]


def sockets(process: int) -> set[str]:
    """The inodes of all sockets that a process holds."""
    found = set()
    with suppress(OSError):
        for file in os.scandir(f"/proc/{process}/fd"):
            with suppress(OSError):
                found.add(str(Path(file.path).readlink()).removeprefix("socket:[").rstrip("]"))
    return found


def rows(process: int, kind: str) -> Iterator[list[str]]:
    """The system's table of one kind of socket: local address, remote address, state, inode among others."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/net/{kind}").read_text().splitlines()[1:]:
            yield line.split()


def place(text: str) -> tuple[str, int]:
    address, _, port = text.partition(":")
    raw = b"".join(bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8))
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw), int(port, 16)


def peers_of(process: int) -> Peers:
    """Peers that a process connected to; connections that came in on a port of its own are left out."""
    own, found, served = sockets(process), set(), set()
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        for row in rows(process, kind):
            local, remote, state, inode = row[1], row[2], row[3], row[9]
            if inode not in own:
                continue
            if state == LISTENS:
                served.add(place(local)[1])
            else:
                found.add((place(local)[1], *place(remote)))
    return {(address, port) for local, address, port in found if local not in served}


@asynccontextmanager
async def watched(*pids: int) -> AsyncIterator[list[Peers]]:
    """Connections of each process, sampled hundreds of times a second."""
    seen: list[Peers] = [set() for _ in pids]

    async def look() -> None:
        while True:
            for found, process in zip(seen, pids, strict=True):
                found.update(await asyncio.to_thread(peers_of, process))
            await asyncio.sleep(0.002)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="only Linux tells where a process is connected")
async def test_s88_nobody_else_is_connected_to(environment: dict[str, str], project: Project, tmp_path: Path):
    """Through accounts, mails, sessions and addresses that beg to be fetched: two stores and a relay are all."""
    visits: list[object] = []
    bait = await asyncio.start_server(lambda *_: visits.append(1), "127.0.0.1", 0)
    begging = f"http://localhost:{bait.sockets[0].getsockname()[1]}/fetch?me"
    async with Sink() as sink:
        settings = environment | {"SMTP_URL": f"smtp://127.0.0.1:{sink.port}?tls=none", "LIMITS": "off"}
        async with (
            processes.api(settings) as (api, address),
            processes.worker(settings, heartbeat=tmp_path / "alive") as worker,
            watched(api.process.pid, worker.process.pid) as seen,
            aiohttp.ClientSession(address, cookie_jar=aiohttp.DummyCookieJar()) as browser,
        ):
            await journey(Api(browser), begging)
            await sink.wait_for(3)
    postgres, redis = (("127.0.0.1", urlsplit(settings[name]).port or 0) for name in ("DATABASE_URL", "REDIS_URL"))
    relay = ("127.0.0.1", sink.port)
    by_api, by_worker = seen
    assert by_api == {postgres, redis}
    assert {postgres, redis} <= by_worker <= {postgres, redis, relay}
    assert not visits
    bait.close()


async def journey(api: Api, begging: str) -> None:
    headers = {"User-Agent": f"Mozilla/5.0 (+{begging})", "Referer": begging, "X-Forwarded-Host": begging[7:]}
    await api.sign_up()
    member = headers | await api.sign_in()
    url, email = {"url": begging}, {"email": "ann@example.com"}
    for method, path, body in (
        ("POST", "recovery", email | url), ("POST", "verification", url), ("POST", "sessions/magic-url", email | url),
        ("PATCH", "name", {"name": begging}), ("PATCH", "prefs", {"prefs": {"avatar": begging}}),
        ("POST", "jwt", {"jku": begging}), ("GET", "logs", None), ("GET", "sessions", None),
    ):  # fmt: skip
        answer = await api.call(method, f"/v1/account/{path}", json=body, headers=member)
        assert answer.status < 300, (path, answer.data)
