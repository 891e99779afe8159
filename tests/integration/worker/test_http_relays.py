"""Relays by HTTP, against fakes of the providers' documented APIs on a socket."""

import asyncio
import email
import email.policy
import hashlib
import hmac
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from worker.mail import mime
from worker.mail.branding import InlineImage
from worker.mail.templates import Letter
from worker.relays import Accepted, Deadlines, DeliveryFailure, RelayPool, parse_urls
from worker.relays.http import sigv4

SENDER, TO, SECRET = "hi@shop.example", "ann@example.com", "k3y/of+the=shop"
QUOTED = SECRET.replace("/", "%2F").replace("+", "%2B").replace("=", "%3D")
MESSAGE = mime.build(
    Letter("Grüße", "Hello Ann\n.dot\n", "<p>Hello <img src='cid:logo@shop'></p>"),
    sender_name="Shöp", sender_address=SENDER, recipient=TO, message_id="<1.a@shop.example>",
    date=datetime(2026, 1, 2, tzinfo=UTC), reply_to="help@shop.example",
    image=InlineImage("logo@shop", "image/png", b"\x89PNG"),
)  # fmt: skip
USERS = {"ses": "AKID", "mailgun": "api", "postmark": "server", "resend": "resend"}
PATHS = {"ses": "", "mailgun": "/mg.shop.example", "postmark": "", "resend": ""}
TAKEN: dict[str, dict[str, Any]] = {
    "ses": {"MessageId": "0100"}, "mailgun": {"id": "<1.a@shop.example>", "message": "Queued. Thank you."},
    "postmark": {"To": TO, "MessageID": "b7bc", "ErrorCode": 0, "Message": "OK"}, "resend": {"id": "49a3"},
}  # fmt: skip


@dataclass
class Provider:
    """A provider's API, with its next answer."""

    status: int = 200
    answer: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    asked: list[tuple[web.Request, bytes]] = field(default_factory=list)
    port: int = 0

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request, await request.read()))
        if self.hang:
            await asyncio.Event().wait()
        return web.Response(status=self.status, body=self.answer, headers=self.headers)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    found = Provider()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.handle)
    async with TestServer(app) as server:
        found.port = server.port or 0
        yield found


@pytest.fixture
async def relay(provider: Provider) -> AsyncIterator[Callable[..., RelayPool]]:
    opened: list[RelayPool] = []

    def make(name: str, *, seconds: float = 30.0) -> RelayPool:
        url = f"{name}+http://{USERS[name]}:{QUOTED}@127.0.0.1:{provider.port}{PATHS[name]}"
        opened.append(RelayPool(*parse_urls(url), deadlines=Deadlines(dot=seconds), rest=1000.0))
        return opened[-1]

    yield make
    for each in opened:
        await each.close()


async def outcome(relay: RelayPool, **more: Any) -> Accepted | DeliveryFailure:
    try:
        return await relay.send(SENDER, TO, MESSAGE, **more)
    except DeliveryFailure as fault:
        return fault


def taken(provider: Provider, name: str) -> None:
    provider.status, provider.answer = 200, orjson.dumps(TAKEN[name])


@pytest.mark.parametrize("name", ["ses", "mailgun"])
async def test_raw_mime_goes_out_as_it_is(provider: Provider, relay: Callable[..., RelayPool], name: str):
    """Message-ID and signature stay: every byte is the one that was composed and signed."""
    taken(provider, name)
    sent = await outcome(relay(name))
    assert isinstance(sent, Accepted), sent
    ((request, body),) = provider.asked
    if name == "ses":
        assert (request.method, request.path) == ("POST", "/v2/email/outbound-emails")
        facts = orjson.loads(body)
        assert facts["Destination"] == {"ToAddresses": [TO]}
        assert b64decode(facts["Content"]["Raw"]["Data"]) == MESSAGE
        assert request.headers["Authorization"].endswith(_signature(request, body))
    else:
        assert (request.method, request.path) == ("POST", "/v3/mg.shop.example/messages.mime")
        assert b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode() == f"api:{SECRET}"
        head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
        to, file = email.message_from_bytes(head + body, policy=email.policy.HTTP).iter_parts()  # type: ignore[attr-defined]
        assert (to.get_param("name", header="content-disposition"), to.get_payload().strip()) == ("to", TO)
        assert file.get_filename() == "message.eml"
        assert MESSAGE in body


def _signature(request: web.Request, body: bytes) -> str:
    """Compute what AWS computes of a request."""
    signed = request.headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    lines = [f"{name}:{request.headers[name].strip()}" for name in signed.split(";")]
    canonical = "\n".join([request.method, request.path, "", *lines, "", signed, hashlib.sha256(body).hexdigest()])
    moment = request.headers["X-Amz-Date"]
    scope = f"{moment[:8]}/us-east-1/ses/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    return hmac.digest(sigv4.signing_key(SECRET, moment[:8], "us-east-1", "ses"), text.encode(), "sha256").hex()


def test_the_key_of_a_day_is_the_documented_one():
    """The example of Amazon's documentation."""
    key = sigv4.signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1", "iam")
    assert key.hex() == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"


async def test_postmark_gets_the_parts(provider: Provider, relay: Callable[..., RelayPool]):
    """Subject, texts, image and our Message-ID, which X-PM-KeepID keeps."""
    taken(provider, "postmark")
    assert isinstance(await outcome(relay("postmark")), Accepted)
    ((request, body),) = provider.asked
    facts = orjson.loads(body)
    assert (request.path, request.headers["X-Postmark-Server-Token"]) == ("/email", SECRET)
    assert (facts["To"], facts["Subject"], facts["ReplyTo"]) == (TO, "Grüße", "help@shop.example")
    assert facts["From"] == "Shöp <hi@shop.example>"
    assert (facts["TextBody"].split(), facts["HtmlBody"].strip()) == (
        ["Hello", "Ann", ".dot"], "<p>Hello <img src='cid:logo@shop'></p>",
    )  # fmt: skip
    headers = {each["Name"]: each["Value"] for each in facts["Headers"]}
    assert headers["Message-ID"] == "<1.a@shop.example>"
    assert (headers["X-PM-KeepID"], headers["Auto-Submitted"]) == ("true", "auto-generated")
    assert [each["ContentID"] for each in facts["Attachments"]] == ["cid:logo@shop"]


async def test_resend_gets_the_parts_and_one_key(provider: Provider, relay: Callable[..., RelayPool]):
    """Each attempt at a mail has the same idempotency key."""
    provider.status = 500
    pool = relay("resend")
    first = await outcome(pool)
    assert isinstance(first, DeliveryFailure)
    assert (first.code, first.stage, first.cause) == (0, "dot", "server")
    taken(provider, "resend")
    assert isinstance(await outcome(pool), Accepted)
    keys = {request.headers["Idempotency-Key"] for request, _ in provider.asked}
    assert keys == {"1.a@shop.example"}
    request, body = provider.asked[-1]
    facts = orjson.loads(body)
    assert (request.path, request.headers["Authorization"]) == ("/emails", f"Bearer {SECRET}")
    assert (facts["to"], facts["subject"], facts["headers"]["Message-ID"]) == ([TO], "Grüße", "<1.a@shop.example>")
    assert facts["attachments"][0]["content_id"] == "logo@shop"


@pytest.mark.parametrize(
    ("name", "status", "answer", "kind", "cause", "stage"),
    [
        ("ses", 429, {"__type": "TooManyRequestsException"}, "", "pace", "dot"),
        ("ses", 400, {"message": "Daily message quota exceeded"}, "LimitExceededException", "pace", "dot"),
        ("ses", 403, {"message": "The security token is invalid"}, "UnrecognizedClientException", "ours", "auth"),
        ("ses", 400, {}, "MailFromDomainNotVerifiedException:http://x/", "ours", "mail"),
        ("ses", 400, {"message": "Email address is not verified."}, "MessageRejected", "ours", "mail"),
        ("ses", 400, {}, "SendingPausedException", "ours", "mail"),
        ("ses", 400, {"message": "bad"}, "BadRequestException", "ours", "dot"),
        ("ses", 503, {}, "", "server", "dot"),
        ("mailgun", 400, {"message": "'to' parameter is not a valid address. please check"}, "", "recipient", "dot"),
        ("mailgun", 401, {"message": "Forbidden"}, "", "ours", "auth"),
        ("mailgun", 404, {"message": "Domain not found: mg.shop.example"}, "", "ours", "mail"),
        ("mailgun", 429, {"message": "too many"}, "", "pace", "dot"),
        ("mailgun", 502, {}, "", "server", "dot"),
        ("postmark", 422, {"ErrorCode": 406, "Message": "You tried to send to an inactive recipient"}, "",
         "recipient", "dot"),
        ("postmark", 422, {"ErrorCode": 400, "Message": "The Sender Signature was not found"}, "", "ours", "mail"),
        ("postmark", 401, {"ErrorCode": 10, "Message": "Bad or missing API token"}, "", "ours", "auth"),
        ("postmark", 422, {"ErrorCode": 300, "Message": "Invalid email request"}, "", "ours", "dot"),
        ("resend", 422, {"name": "validation_error", "message": "Invalid `to` field."}, "", "recipient", "dot"),
        ("resend", 403, {"name": "validation_error", "message": "The shop.example domain is not verified."}, "",
         "ours", "mail"),
        ("resend", 403, {"name": "invalid_api_key", "message": "API key is invalid"}, "", "ours", "auth"),
        ("resend", 429, {"name": "rate_limit_exceeded"}, "", "pace", "dot"),
        ("resend", 409, {"name": "concurrent_idempotent_requests"}, "", "server", "dot"),
    ],
)  # fmt: skip
async def test_answers_are_outcomes_of_smtp(  # noqa: PLR0917 - what is tried, and what comes of it
    provider: Provider, relay: Callable[..., RelayPool], name: str, status: int, answer: dict, kind: str, cause: str,
    stage: str,
):  # fmt: skip
    """Only a refused recipient ends a mail; what an operator can mend, a rate and an outage let it wait."""
    provider.status, provider.answer = status, orjson.dumps(answer)
    provider.headers = {"x-amzn-ErrorType": kind} if kind else {}
    found = await outcome(relay(name))
    assert isinstance(found, DeliveryFailure)
    assert (found.cause, found.stage) == (cause, stage), found
    assert f"HTTP {status}" in found.text
    assert SECRET not in str(found)


@pytest.mark.parametrize(
    ("answer", "headers", "status"),
    [(b"[" * 5000, {}, 400), (b"x" * 10_000_000, {}, 400), (b"\xff\xfe", {}, 400), (b"", {"Location": "/x"}, 302)],
)
async def test_junk_is_a_refusal(
    provider: Provider, relay: Callable[..., RelayPool], answer: bytes, headers: dict[str, str], status: int
):
    """Nested, endless and broken answers end an attempt and nothing else; redirects are not followed."""
    provider.status, provider.answer, provider.headers = status, answer, headers
    found = await outcome(relay("mailgun"))
    assert isinstance(found, DeliveryFailure)
    assert (found.cause, found.suspected, len(provider.asked)) == ("ours", True, 1)


async def test_a_silent_provider_costs_bounded_time(provider: Provider, relay: Callable[..., RelayPool]):
    """Without an answer the mail may be on its way: it is offered to no other relay."""
    provider.hang = True
    found = await outcome(relay("ses", seconds=0.2))
    assert isinstance(found, DeliveryFailure)
    assert (found.code, found.stage, found.may_go_elsewhere) == (0, "dot", False)


async def test_the_lease_is_checked_before_anything_leaves(provider: Provider, relay: Callable[..., RelayPool]):
    """A lost lease sends nothing."""

    async def lost() -> bool:
        return False

    found = await outcome(relay("ses"), before_data=lost)
    assert isinstance(found, DeliveryFailure)
    assert (found.stage, provider.asked) == ("fence", [])


async def test_its_breaker_opens_and_closes(provider: Provider, relay: Callable[..., RelayPool]):
    """Five outages open it, a probe that is answered closes it."""
    pool = relay("mailgun")
    provider.status = 503
    for number in range(5):
        with pytest.raises(DeliveryFailure):
            await pool.send(SENDER, f"user{number}@example.com", MESSAGE)
    assert not pool.is_available()
    await pool._servers[0].probe()
    assert pool.states() == {f"127.0.0.1:{provider.port}": "closed"}


@pytest.mark.parametrize(
    "url",
    [
        "ses+https://k@h", "ses+http://k:s@h.example", "mailgun+https://api:k@h", "acme+https://a:b@h",
        "resend+ftp://a:b@h", "ses+https://k:s@h?x=1", "postmark+https://a:b@h/%2e%2e", "ses+https://k:s%0a@h",
    ],
)  # fmt: skip
def test_a_url_that_can_not_be_used_is_refused(url: str):
    """The text repeats no part of it."""
    with pytest.raises(ValueError, match="a provider's URL looks like"):
        parse_urls(url)


def test_a_url_names_provider_host_and_key():
    """Beside SMTP servers, as spares of each other."""
    ses, smtp = parse_urls("ses+https://AKID:s%2Fx@email.eu-west-1.amazonaws.com smtp://relay.example")
    assert (ses.provider, ses.name, ses.password) == ("ses", "email.eu-west-1.amazonaws.com:443", "s/x")
    assert smtp.provider == ""
    assert "s/x" not in repr(ses)
