"""The log line of a refused origin: a browser tells its page nothing."""

import logging

import pytest

from service.db import Pool
from service.http.refused_origins import _REMEMBERED, RefusedOrigins
from service.store import projects
from testkit.api import Api

ASK = {"email": "ann@example.com", "url": "http://localhost/reset"}


def refused(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if getattr(record, "event", "") == "origin.refused"]


async def test_a_refused_origin_is_logged_beside_what_is_listed(api: Api, pool: Pool, caplog: pytest.LogCaptureFixture):
    """One warning with the origin, the project and its hosts, and once however often the page tries."""
    project = await projects.find(pool, "shop")
    for _ in range(3):
        answer = await api.call(
            "POST", "/v1/account/recovery", json=ASK, headers={"Origin": "https://shop.example:3000"}
        )
        assert answer.status == 403
    (line,) = refused(caplog)
    assert (line.levelname, line.origin, line.project) == ("WARNING", "https://shop.example:3000", "shop")
    assert project is not None
    assert line.hosts == [*project.hostnames, *project.apps]


async def test_a_referers_path_is_not_logged(api: Api, caplog: pytest.LogCaptureFixture):
    """Legacy writes are judged by the Referer; a page's address may hold a secret, its origin does not.

    What is no page's address is logged as unknown.
    """
    for referer in ("https://a.example/x?secret=hidden", "https://b.example:8443?secret=hidden", "secret=hidden"):
        await api.call("POST", "/v1/account/recovery", json=ASK, headers={"Referer": referer})
    assert [line.origin for line in refused(caplog)] == ["https://a.example", "https://b.example:8443", "unknown"]


async def test_an_accepted_origin_is_not_logged(api: Api, caplog: pytest.LogCaptureFixture):
    """A listed page makes no line, under any name of the own machine: localhost stands for all of them."""
    for host in ("localhost:3000", "127.0.0.1:5173", "[::1]:3000", "shop.localhost:8000"):
        answer = await api.call("POST", "/v1/account/recovery", json=ASK, headers={"Origin": f"http://{host}"})
        assert answer.status == 201, host
    assert refused(caplog) == []


async def test_every_refusals_type_stands_in_its_access_line(api: Api, caplog: pytest.LogCaptureFixture):
    """The line of a request has the type that the client got; none where it got what it asked for."""
    with caplog.at_level(logging.INFO):
        for headers in ({}, {"Origin": "https://evil.example"}):
            await api.call("POST", "/v1/account/recovery", json=ASK, headers=headers)
        await api.call("GET", "/v1/account")
        await api.call("GET", "/v1/nothing")
    lines = [record for record in caplog.records if getattr(record, "event", "") == "request.handled"]
    assert [(line.status, line.type) for line in lines[-4:]] == [
        (201, None), (403, "general_unknown_origin"), (401, "general_unauthorized_scope"),
        (404, "general_route_not_found"),
    ]  # fmt: skip


def test_a_line_comes_again_after_a_minute_and_for_another_pair(caplog: pytest.LogCaptureFixture):
    """At most one line a minute for each origin and project."""
    now = [0.0]
    origins = RefusedOrigins(lambda: now[0])
    for at, origin in ((0, "https://a.example"), (59, "https://a.example"), (59, "https://b.example")):
        now[0] = at
        origins.note(None, origin)
    assert [line.origin for line in refused(caplog)] == ["https://a.example", "https://b.example"]
    now[0] = 60
    origins.note(None, "https://a.example")
    assert len(refused(caplog)) == 3


def test_made_up_origins_fill_neither_memory_nor_log(caplog: pytest.LogCaptureFixture):
    """However many a client makes up, so many are remembered and logged; a minute later there is room again."""
    now = [0.0]
    origins = RefusedOrigins(lambda: now[0])
    for number in range(_REMEMBERED + 50):
        origins.note(None, f"https://{number}.example")
    assert len(origins._logged) == len(refused(caplog)) == _REMEMBERED
    now[0] = 61
    origins.note(None, "https://late.example")
    assert len(refused(caplog)) == _REMEMBERED + 1
    assert len(origins._logged) == 1
