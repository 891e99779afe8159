"""Traces of real processes, handed to a collector by OTLP: a request, its mail and its event are one trace."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from devstack.servers import free_port
from service import tracing
from service.settings import InvalidSettings
from service.store import projects
from testkit.letters import link_of, parameters_of, text_of
from testkit.sink import Sink
from testkit.waiting import until
from tests.integration.test_metrics import both

ANN, PASSWORD, NEW, URL = "ann@example.com", "Erstes-Passwort-93!", "Ein-neues-Wort-93!", "http://localhost/landing"
_CALLER = "00-11111111111111111111111111111111-2222222222222222-01"


class Collector:
    """Takes spans; `raw` is all that came, `spans` by name."""

    def __init__(self) -> None:
        self.raw = b""
        self.found: list[Any] = []

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.raw += body
        message = ExportTraceServiceRequest.FromString(body)
        self.found += [span for each in message.resource_spans for scope in each.scope_spans for span in scope.spans]
        return web.Response(body=b"", content_type="application/x-protobuf")

    def named(self, name: str, trace: bytes = b"") -> list[Any]:
        return [span for span in self.found if span.name == name and trace in (b"", span.trace_id)]


@asynccontextmanager
async def collector() -> AsyncIterator[tuple[Collector, str]]:
    found, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", found.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield found, f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
    finally:
        await runner.cleanup()


def traces_of(span: Any) -> list[bytes]:
    """Its own trace, and those that it is linked to: one batch files the events of several requests."""
    return [span.trace_id, *(link.trace_id for link in span.links)]


def has_come(found: Collector) -> bool:
    """The spans of the link's request, its mail and its event are all here."""
    traces = [span.trace_id for span in found.named("POST create_recovery")]
    return any(
        found.named("mail attempt", trace) and [span for span in found.named("file events") if trace in traces_of(span)]
        for trace in traces
    )


def attributes(span: Any) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


async def test_a_mail_found_by_polling_belongs_to_its_request(
    environment: dict[str, str], project: projects.Project, tmp_path: Path
):
    """Without Redis the worker finds the mail by itself, and its spans are of the request's trace all the same.

    No span and no page of metrics holds an address, a password, a session or the secret of a link.
    """
    async with (
        Sink() as sink,
        collector() as (found, url),
        aiohttp.ClientSession(headers={"X-Appwrite-Project": "shop"}) as client,
    ):
        settings = environment | {
            "SMTP_URL": f"smtp://127.0.0.1:{sink.port}?tls=none",
            "REDIS_URL": f"redis://127.0.0.1:{free_port()}",
            "TRACES_URL": url,
            "TRACES_SAMPLED": "1",
        }
        async with both(settings, tmp_path) as (api, health, worker):
            canaries = await journey(client, api, sink)
            pages = [await (await client.get(f"{each}/metrics")).text() for each in (health, worker)]
            await until(lambda: has_come(found))

    (request,) = found.named("POST create_recovery")
    trace = request.trace_id
    assert (request.parent_span_id, trace.hex() in _CALLER) == (b"", False), "a caller's trace is not continued"
    assert [link.trace_id.hex() for link in request.links] == ["1" * 32]
    assert attributes(request).items() >= {
        "http.request.method": "POST", "http.route": "/v1/account/recovery", "http.response.status_code": 201,
        "accounts.project": "shop",
    }.items()  # fmt: skip
    assert found.named("limits", trace)
    assert found.named("hash")
    (attempt,) = found.named("mail attempt", trace)
    assert attributes(attempt).items() >= {"accounts.letter": "recovery", "accounts.outcome": "sent"}.items()
    (send,) = found.named("send", trace)
    assert [event.name for event in send.events] == ["ehlo", "mail", "rcpt", "data", "dot"]
    assert found.named("compose", trace)
    (refused,) = found.named("PUT update_recovery")
    assert attributes(refused)["error.type"] == "user_invalid_token"

    keys = {each.key for span in found.found for each in span.attributes}
    assert keys <= tracing.KEYS
    everything = found.raw.decode("latin-1") + "".join(pages)
    assert len(canaries) == 5
    assert [name for name, secret in canaries.items() if secret in everything] == []


async def journey(client: aiohttp.ClientSession, api: str, sink: Sink) -> dict[str, str]:
    """Sign up, sign in, ask for a link, fail with a wrong one; what must stand nowhere, by name."""
    body = {"userId": "ann", "email": ANN, "password": PASSWORD}
    async with client.post(f"{api}/v1/account", json=body) as answer:
        assert answer.status == 201
    async with client.post(f"{api}/v1/account/sessions/email", json={"email": ANN, "password": PASSWORD}) as answer:
        assert answer.status == 201
        session = answer.cookies["a_session_shop"].value
    asked = {"email": ANN, "url": URL}
    async with client.post(f"{api}/v1/account/recovery", json=asked, headers={"traceparent": _CALLER}) as answer:
        assert answer.status == 201
    mails = await until(lambda: [mail for mail in sink.mails if "secret=" in text_of(mail)])
    secret = parameters_of(link_of(mails[0]))["secret"]
    wrong = {"userId": "ann", "secret": secret[:-6] + "0a0a0a", "password": NEW, "passwordAgain": NEW}
    async with client.put(f"{api}/v1/account/recovery", json=wrong) as answer:
        assert answer.status == 401
    return {
        "address": ANN, "password": PASSWORD, "session": session[:24], "secret": secret[20:36],
        "new password": NEW,
    }  # fmt: skip


def test_a_span_holds_what_is_listed_and_nothing_else():
    """A key that nobody has thought about is an error where it is written, not a leak."""
    with pytest.raises(KeyError, match=r"user\.email"):
        tracing._checked({"user__email": ANN})


@pytest.mark.parametrize(("sampled", "names"), [(0, ["mail attempt"]), (1, ["limits", "POST x", "mail attempt"])])
def test_a_request_is_traced_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch, sampled: int, names: list[str]):
    """The parts of a request that is not sampled are no traces of their own; the trace of a row goes on."""
    exporter = InMemorySpanExporter()
    tracer = tracing.Tracer(exporter, sampled=sampled, program="test")
    monkeypatch.setattr(tracing, "_tracer", tracer)
    with tracing.span("POST x", "server", root=True), tracing.span("limits"):
        assert (tracing.traceparent() is not None) == bool(sampled)
    with tracing.row_span("mail attempt", _CALLER):
        assert tracing.trace_id() == "1" * 32
    tracer.close()
    assert [span.name for span in exporter.get_finished_spans()] == names


def test_missing_packages_are_told(monkeypatch: pytest.MonkeyPatch):
    """TRACES_URL without the extra's packages: the process does not start, and says what is missing."""
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(InvalidSettings, match="requirements-tracing"):
        tracing.start("http://localhost:4318/v1/traces", sampled=1, program="accounts-api")
    assert not tracing.is_on()


async def test_a_collector_that_is_away_is_one_line(caplog: pytest.LogCaptureFixture):
    """Not a line for each batch, and never the whole URL: its query may hold a key."""
    address = f"127.0.0.1:{free_port()}"
    tracing.start(f"http://{address}/v1/traces?key=of-the-collector", sampled=1, program="accounts-api")
    with tracing.span("transaction", root=True):
        pass
    await tracing.stop()
    (told,) = caplog.records
    assert (told.event, told.server, told.levelname) == ("traces.unavailable", address, "WARNING")
    assert "of-the-collector" not in caplog.text


async def test_a_collector_that_does_not_answer_holds_up_no_stop():
    """Spans in several batches, and a collector that takes the connection and is silent: the rest is dropped."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces"
        tracing.start(url, sampled=1, program="accounts-api")
        for _ in range(1500):
            with tracing.span("transaction", root=True):
                pass
        # Each of the three batches would wait for five seconds.
        async with asyncio.timeout(10):
            await tracing.stop()
