"""Requests that others read wrongly, or could not bear."""

import ast
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import http_parser

from service.settings import InvalidSettings, Settings
from service.store.projects import Project
from testkit import edge
from testkit.api import Api
from testkit.sources import modules
from tests.security.installed import at_least

pytestmark = [pytest.mark.unlimited, pytest.mark.usefixtures("cheap")]
HEAD = b"POST /v1/account/recovery HTTP/1.1\r\nHost: localhost\r\nX-Appwrite-Project: shop\r\n"
HEAD += b"Content-Type: application/json\r\n"


@pytest.fixture
async def port(settings: Settings, project: Project) -> AsyncIterator[int]:
    async with edge.edge(settings) as port:
        yield port


@pytest.mark.advisory("CVE-2023-47627")
@pytest.mark.parametrize("length", [b"+1", b"1_0", b"0x1", b"-0", b"1 1", b"\xb2", b"1,1", b""], ids=repr)
async def test_a_length_is_digits(port: int, length: bytes):
    """Lengths were taken that a proxy reads otherwise (aiohttp in Python). Here the C parser runs, and refuses them."""
    assert http_parser.HttpRequestParser is not http_parser.HttpRequestParserPy
    told = await edge.ask(port, HEAD + b"Content-Length: " + length + b"\r\n\r\n{")
    assert told.status == 400


@pytest.mark.advisory("CVE-2026-22815")
async def test_headers_and_trailers_are_bounded(port: int):
    """The class of: aiohttp kept headers or trailers without end. Here too many are refused, and the service lives."""
    at_least("aiohttp", 3, 13, 4)
    many = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 900) for number in range(40))
    assert (await edge.ask(port, HEAD + many + b"Content-Length: 2\r\n\r\n{}")).status == 400
    trailers = b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + many + b"\r\n"
    assert (await edge.ask(port, HEAD + trailers)).status == 400
    assert (await edge.ask(port, HEAD + b"Content-Length: 2\r\n\r\n{}")).status == 400


@pytest.mark.advisory("CVE-2025-69228")
async def test_a_body_is_bounded(port: int):
    """The class of: aiohttp's `post()` filled the memory with one body. Here 96 KiB are read, however it is sent."""
    form = HEAD.replace(b"application/json", b"application/x-www-form-urlencoded")
    for head in (HEAD, form):
        big = b"a" * 100_000
        assert (await edge.ask(port, head + b"Content-Length: 100000\r\n\r\n" + big)).status == 413
        assert (await edge.ask(port, head + b"Content-Length: 9999999999\r\n\r\n" + big)).status == 413


@pytest.mark.advisory("CVE-2025-69229")
async def test_chunks_are_bounded(port: int):
    """The class of: thousands of tiny chunks that keep aiohttp busy. Here the sum of them is bounded like any body."""
    chunks = b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 99_000 + b"0\r\n\r\n"
    assert (await edge.ask(port, HEAD + chunks)).status == 413
    assert (await edge.ask(port, HEAD + b"Content-Length: 2\r\n\r\n{}")).status == 400


@pytest.mark.advisory("GHSA-hp5w-3hxx-vmwf")
@pytest.mark.parametrize(
    "email",
    [{"$ne": None}, {"$gt": ""}, {"$where": "1"}, {"$regex": ".*"}, ["ann@example.com"], True, 0, {"__proto__": {}}],
    ids=repr,
)
async def test_an_operator_is_no_value(api: Api, ann: str, email: Any):
    """The class of: a query operator where a text was expected, which matched anybody. Here a text is a text."""
    for body in ({"email": email, "password": "correct horse"}, {"email": "ann@example.com", "password": email}):
        answer = await api.call("POST", "/v1/account/sessions", json=body)
        assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid")


@pytest.mark.advisory("GHSA-8fpg-xm3f-6cx3")
@pytest.mark.parametrize("name", ["SECRET_KEYS", "DATABASE_URL", "PUBLIC_URL", "REDIS_URL"])
def test_what_is_not_set_is_not_open(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], name: str):
    """The class of: a missing key or list that let everybody in. Here the process does not start, and says why."""
    for other, value in (environment | {name: ""}).items():
        monkeypatch.setenv(other, value)
    with pytest.raises(InvalidSettings) as caught:
        Settings.read()
    assert name in str(caught.value)


@pytest.mark.advisory("GHSA-hxgx-584x-vwm8")
def test_nothing_is_fetched():
    """Appwrite could be made to fetch an address of the caller's choice. Here nothing that serves callers fetches any.

    A worker asks the token server that the operator named for a relay and hands SMS to the operator's webhook, mails to
    the operator's relays by HTTP and events to the operator's webhooks; it fetches Amazon's certificate for a topic
    that the operator listed. The API asks the providers that the operator set up.
    """
    of_operators = (
        "service.cli", "devstack", "worker.relays.smtp.oauth", "worker.relays.http", "worker.sms.webhook",
        "worker.webhooks.client", "worker.bounces.webhooks.sns", "service.identity_providers",
    )  # fmt: skip
    fetchers = {"ClientSession", "urlopen", "urlretrieve", "HTTPConnection", "HTTPSConnection", "requests", "httpx"}
    for module, tree in modules("service", "worker").items():
        if not module.startswith(of_operators):
            said = {getattr(node, "attr", getattr(node, "id", getattr(node, "name", ""))) for node in ast.walk(tree)}
            assert not said & fetchers, module


@pytest.mark.advisory("PYSEC-2024-60")
@pytest.mark.parametrize(
    ("text", "status"),
    # As JSON, the second is larger than a body may be.
    [("a" * 65_000, 400), ("\u0130" * 20_000, 413), ("xn--" + "a" * 60_000, 400), ("." * 65_000, 400)],
    ids=["ascii", "unicode", "punycode", "dots"],
)
async def test_length_comes_before_work(api: Api, text: str, status: int):
    """A name took time by the square of its length (idna). Here what is too long is refused unread; 3.7 is past."""
    at_least("idna", 3, 7)
    for body in (
        {"email": f"a@{text}.test", "url": "http://localhost/x"},
        {"email": "a@example.com", "url": f"http://{text}/"},
    ):
        assert (await api.call("POST", "/v1/account/recovery", json=body)).status == status
