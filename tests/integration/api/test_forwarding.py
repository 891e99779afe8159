"""The client's address behind proxies: every form that they write is read, and nothing that a client writes."""

import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import DummyCookieJar

from service.app import make
from service.crypto import proxy_probe
from service.settings import Settings
from testkit import edge
from testkit.api import Api

ROWS = json.loads((Path(__file__).parent / "data" / "forwarded.json").read_text())
BOTH = ("X-Forwarded-For", "Forwarded")
PEER = "127.0.0.1"


async def behind(aiohttp_client: Any, settings: Settings, header: str = BOTH[0], trusted: int = 1) -> Api:
    """The service behind so many proxies that write that header."""
    own = settings.model_copy(update={"trusted_hops": trusted, "forwarded_header": header})
    return Api(await aiohttp_client(make(own), cookie_jar=DummyCookieJar()))


async def believed(api: Api, settings: Settings, *lines: tuple[str, str]) -> str:
    """For whom a request with these lines in its head is taken."""
    proof = proxy_probe.sign(settings.key_ring, now=int(time.time()))
    head = "".join(f"{name}: {text}\r\n" for name, text in ((proxy_probe.HEADER, proof), *lines))
    answer = await edge.ask(
        api.client.port, f"GET {proxy_probe.PATH} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode()
    )
    return str(answer.data["believed"])


@pytest.mark.parametrize("header", BOTH)
async def test_every_form_that_proxies_write(aiohttp_client: Any, api: Api, settings: Settings, header: str):
    """With port, brackets, zone, quotes or IPv4 in IPv6 it is one address; what is none is the proxy's own."""
    one = await behind(aiohttp_client, settings, header)
    rows = [row for row in ROWS if row["header"] == header]
    found = {row["written_by"]: await believed(one, settings, (header, row["value"])) for row in rows}
    assert found == {row["written_by"]: row["address"] or PEER for row in rows}
    assert rows


@pytest.mark.parametrize("header", BOTH)
async def test_only_one_of_the_two_headers_counts(aiohttp_client: Any, api: Api, settings: Settings, header: str):
    """A proxy passes on the header it does not write: that header is never read, with the other one or without."""
    one = await behind(aiohttp_client, settings, header)
    said = {"X-Forwarded-For": "198.51.100.1", "Forwarded": "for=198.51.100.1"}
    wrote = {"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7"}
    other = BOTH[1 - BOTH.index(header)]
    assert await believed(one, settings, (other, said[other])) == PEER
    for lines in (((header, wrote[header]), (other, said[other])), ((other, said[other]), (header, wrote[header]))):
        assert await believed(one, settings, *lines) == "203.0.113.7"


async def test_hops_are_counted_from_the_right_over_all_lines(aiohttp_client: Any, api: Api, settings: Settings):
    """A proxy may add a line of its own; what a client wrote, on one line or on ten, is not reached."""
    two = await behind(aiohttp_client, settings, trusted=2)
    client, proxies = "198.51.100.1", ("203.0.113.7", "192.0.2.9")
    for lines in (
        [("X-Forwarded-For", ", ".join((client, *proxies)))],
        [("X-Forwarded-For", text) for text in (client, *proxies)],
        [("X-Forwarded-For", client)] * 10 + [("X-Forwarded-For", ", ".join(proxies))],
        [("X-Forwarded-For", ""), ("x-forwarded-for", f"{client},{proxies[0]}"), ("X-Forwarded-For", proxies[1])],
    ):
        assert await believed(two, settings, *lines) == proxies[0]
    assert await believed(two, settings, ("X-Forwarded-For", client)) == PEER, "it did not come through both"


async def test_a_port_makes_no_window_of_its_own(aiohttp_client: Any, api: Api, settings: Settings, redis: Any):
    """Ten sign-ups an hour for a client, whichever ports it came from; the next client has ten of its own."""
    one = await behind(aiohttp_client, settings)
    found = []
    for number in range(22):
        place = f"203.0.113.{7 + number // 11}:{51234 + number}"
        answer = await one.call("POST", "/v1/account", json={}, headers={"X-Forwarded-For": place})
        found.append(answer.status)
    assert found == [*[400] * 10, 429] * 2


async def test_what_can_not_be_read_is_said_once(
    aiohttp_client: Any, api: Api, settings: Settings, caplog: pytest.LogCaptureFixture
):
    """One line for each kind of fault, with the shape of what was written and not its words."""
    one = await behind(aiohttp_client, settings)
    with caplog.at_level(logging.WARNING):
        for value in ("secret-name9.example.com:8080", "unknown", "_x"):
            for _ in range(3):
                await believed(one, settings, ("X-Forwarded-For", value))
        await believed(one, settings)
        await believed(one, settings)
    told = [record for record in caplog.records if record.event == "client_address.unreadable"]
    assert [(record.reason, record.shape) for record in told] == [
        ("not an address", "a-a9.a.a:9"),
        ("no such header", ""),
    ]
    assert "secret" not in caplog.text
