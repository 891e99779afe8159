"""Providers that are broken, slow or hostile: each is a fault of its own kind, in bounded time and memory."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from service.crypto.secret import Secret
from service.identity_providers import addresses, discovery
from service.identity_providers.client import IdentityProviders
from service.identity_providers.faults import ProviderFailure, ProviderFault, ProviderUnavailable
from service.identity_providers.outbound import Answer, Outbound
from testkit import hostile_provider as hostile
from testkit.identity_provider import CLIENT_SECRET, Handler, IdentityProvider
from testkit.waiting import until

from .conftest import CALLBACK, NOW, Flow

DISCOVERY = "/.well-known/openid-configuration"


async def compressed(_request: web.Request) -> web.Response:
    answer = web.json_response({"access_token": "a"})
    answer.enable_compression(web.ContentCoding.gzip, strategy=0)
    return answer


@pytest.fixture(params=[DISCOVERY, "/token", "/jwks", "/userinfo"])
def path(request: pytest.FixtureRequest) -> Iterator[str]:
    return request.param


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (hostile.html, ProviderFailure), (hostile.redirect, ProviderFailure), (hostile.large, ProviderFailure),
        (hostile.says([]), ProviderFailure), (hostile.says(None), ProviderFailure), (hostile.says({}), ProviderFailure),
        (compressed, ProviderFailure), (hostile.drops, ProviderUnavailable),
        (hostile.status(503), ProviderUnavailable), (hostile.status(429), ProviderUnavailable),
        (hostile.status(404), ProviderFault), (hostile.nested, ProviderFailure),
        (hostile.headers, ProviderUnavailable), (hostile.garbage, ProviderUnavailable),
    ],
)  # fmt: skip
async def test_each_answer_at_each_place(flow: Flow, path: str, answer: Handler, fault: type[ProviderFault]):
    """HTML, redirects, 10 MB, other JSON, compression and broken connections end the sign-in, wherever."""
    flow.server.sparse = True
    flow.server.answers[path] = answer
    with pytest.raises(fault):
        await flow.identity(flow.server.settings())
    assert "/elsewhere" not in flow.server.calls


@pytest.mark.parametrize("answer", [hostile.silent, hostile.trickles])
async def test_a_silent_provider(flow: Flow, path: str, answer: Handler):
    """A provider that says nothing, or never ends, is unavailable once the client's patience is over."""
    flow.server.sparse = True
    flow.server.answers[path] = answer
    impatient = IdentityProviders(now=lambda: NOW, outbound=Outbound(patience=1))
    try:
        with pytest.raises(ProviderUnavailable, match="in time"):
            await Flow(flow.server, impatient, flow.clock).identity(flow.server.settings())
    finally:
        await impatient.close()


async def test_a_provider_that_is_not_there(flow: Flow):
    """A refused connection is one sentence without an address of ours."""
    with pytest.raises(ProviderUnavailable, match="it can't be reached"):
        await flow.identity(flow.server.settings(issuer="http://127.0.0.1:1"))
    with pytest.raises(ProviderUnavailable, match="its host name can't be resolved"):
        await flow.identity(flow.server.settings(issuer="https://nowhere.invalid"))


@dataclass
class Hanging:
    """A handler that answers nobody before `go_on`; `most` were inside at a time."""

    inside: int = 0
    most: int = 0
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, _request: web.Request) -> web.Response:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await self.go_on.wait()
        self.inside -= 1
        return web.json_response({})


async def test_twenty_calls_at_a_time(flow: Flow):
    """Providers that hang hold twenty calls at most, each of them ten; a third one waits, and then gets its place."""
    hang = Hanging()
    outbound = Outbound(patience=60)

    def asked(url: str, times: int) -> list[asyncio.Task[Answer]]:
        return [asyncio.create_task(outbound.get(url + "/userinfo", plain_http=True)) for _ in range(times)]

    async with IdentityProvider() as second, IdentityProvider() as third:
        for server in (flow.server, second, third):
            server.answers["/userinfo"] = hang
        calls = asked(flow.server.url, 15)
        await until(_holds(hang, 10))
        calls += asked(second.url, 15)
        await until(_holds(hang, 20))
        calls += asked(third.url, 5)
        # A call of somebody else's would come after one that did not wait.
        await flow.start(flow.server.settings())
        assert third.calls == []
        hang.go_on.set()
        assert [answer.data for answer in await asyncio.gather(*calls)] == [{}] * 35
    assert hang.most == 20
    await outbound.close()


async def test_a_provider_that_hangs_leaves_places_to_others(flow: Flow):
    """Any number of calls of one provider keeps none of another's waiting."""
    hang = Hanging()
    flow.server.answers["/userinfo"] = hang
    outbound = Outbound(patience=60)
    calls = [asyncio.create_task(outbound.get(flow.server.url + "/userinfo", plain_http=True)) for _ in range(40)]
    await until(_holds(hang, 10))
    async with IdentityProvider() as other:
        assert (await outbound.get(other.url + "/jwks", plain_http=True)).status == 200
    assert hang.most == 10
    hang.go_on.set()
    await asyncio.gather(*calls)
    await outbound.close()


def _holds(hang: Hanging, calls: int) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return hang.inside >= calls

    return holds


async def test_no_cookies(flow: Flow):
    """A cookie that a provider sets in one user's sign-in is not sent with another's."""
    seen = []

    async def cookies(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Cookie"))
        answer = web.json_response({"access_token": "a"})
        answer.set_cookie("who", "ann")
        return answer

    flow.server.answers["/token"] = cookies
    for _ in range(2):
        await flow.tokens(flow.server.settings())
    assert seen == [None, None]


async def test_no_proxy_of_the_environment(flow: Flow, monkeypatch: pytest.MonkeyPatch):
    """A proxy in the environment gets no client secret."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await flow.identity(flow.server.settings())).subject == "user-1"


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://evil.example"}, {"issuer": None}, {"token_endpoint": None}, {"token_endpoint": 7},
        {"token_endpoint": "http://evil.example/token"}, {"jwks_uri": None}, {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"}, {"userinfo_endpoint": "http://169.254.169.254/"},
        {"authorization_endpoint": "https://a@evil.example/"}, {"token_endpoint": f"https://{'a' * 64}.example/"},
        {"jwks_uri": "https://a..example/"},
    ],
)  # fmt: skip
async def test_discovery_is_checked(flow: Flow, discovery: dict[str, Any]):
    """The document names the issuer that was asked, and addresses that may be used."""
    flow.server.discovery = discovery
    with pytest.raises(ProviderFailure, match="discovery"):
        await flow.start(flow.server.settings())
    assert flow.server.calls == [DISCOVERY]


def test_discovery_over_https_names_no_plain_endpoint(flow: Flow):
    """A provider on the net sends our requests to none of this machine's ports, even where a project allows http."""
    local = {
        "issuer": "https://id.example.com", "authorization_endpoint": "https://id.example.com/a",
        "token_endpoint": "http://127.0.0.1:6379/", "jwks_uri": "https://id.example.com/j",
    }  # fmt: skip
    with pytest.raises(ProviderFailure, match="token_endpoint"):
        discovery.read(flow.server.settings(issuer="https://id.example.com"), local)


async def test_discovery_is_kept(flow: Flow):
    """The document is fetched once for all that come at a time, and again after six hours; a failure is not kept."""
    flow.server.answers[DISCOVERY] = hostile.status(503)
    with pytest.raises(ProviderUnavailable):
        await flow.start(flow.server.settings())
    del flow.server.answers[DISCOVERY]
    flow.server.calls.clear()
    await asyncio.gather(*(flow.start(flow.server.settings()) for _ in range(5)))
    flow.clock.seconds += 6 * 3600 - 1
    await flow.start(flow.server.settings())
    assert flow.server.calls == [DISCOVERY]
    flow.clock.seconds += 2
    await flow.start(flow.server.settings())
    assert flow.server.calls == [DISCOVERY] * 2


async def test_one_that_goes_away_ends_no_fetch_of_others(flow: Flow):
    """Of two that wait for a document one may leave."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def late(_request: web.Request) -> web.Response:
        asked.set()
        await go_on.wait()
        return web.json_response({"keys": [key.public for key in flow.server.keys]})

    flow.server.answers["/jwks"] = late
    provider, token = flow.server.settings(), Secret(flow.server.id_token())
    first, second = (
        asyncio.create_task(flow.client.verify_id_token(provider, id_token=token, nonce=None)) for _ in range(2)
    )
    await asked.wait()
    first.cancel()
    go_on.set()
    assert (await second).identity.subject == "user-1"
    assert flow.server.calls.count("/jwks") == 1


async def test_plain_http_is_for_projects_that_allow_it(flow: Flow):
    """Without --plain-http nothing is asked over http, not even of this machine."""
    with pytest.raises(ProviderFailure, match="not https"):
        await flow.start(flow.server.settings(plain_http=False))
    assert flow.server.calls == []


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("https://accounts.example.com/a?b=c", True), ("http://127.0.0.1:80/", True), ("http://localhost/", True),
        ("http://[::1]:8080/", True), ("http://accounts.example.com/", False), ("http://10.0.0.1/", False),
        ("http://localhost.evil.example/", False), ("ftp://127.0.0.1/", False), ("https://", False), ("", False),
        ("https://a:b@accounts.example.com/", False), ("https://a.example/#b", False), ("https://a.example/ b", False),
        ("https://a.example:99999/", False), ("https://[::1/", False), ("https://ä.example/", False),
        ("//accounts.example.com/", False), ("https://a.example/\n", False),
        ("https://a.example/" + "a" * 2100, False), ("https://a.example./", True), ("https://.example/", False),
        ("https://a..example/", False), (f"https://{'a' * 63}.example/", True), (f"https://{'a' * 64}.example/", False),
    ],
)  # fmt: skip
def test_addresses(url: str, fine: bool):
    """Any host by https; this machine by http too, where the project allows it."""
    assert (addresses.fault(url, plain_http=True) == "") is fine


async def test_faults_hold_no_secret(flow: Flow):
    """A provider that echoes what it was sent brings none of it into our exceptions."""

    async def echo(request: web.Request) -> web.Response:
        text = await request.text() + request.headers.get("Authorization", "")
        return web.json_response({"error": text, "error_description": text}, status=400)

    flow.server.answers["/token"] = echo
    back = await flow.server.sign_in(await flow.start(flow.server.settings()))
    with pytest.raises(ProviderFault) as refused:
        await flow.client.exchange_code(
            flow.server.settings(), code=Secret(back["code"]), verifier=flow.verifier, redirect_uri=CALLBACK
        )
    shown = repr(refused.value) + str(vars(refused.value))
    assert refused.value.__cause__ is None
    for secret in (back["code"], flow.verifier.reveal(), CLIENT_SECRET):
        assert secret not in shown
