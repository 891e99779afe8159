"""Relays by HTTP, against fakes of the providers' documented APIs on a socket."""

import email
import email.policy
import hashlib
import hmac
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from aiohttp import web

from service.settings import Settings
from testkit import mail_providers
from testkit.mail_providers import IDS, NAMES, SECRET, Name, Provider
from worker import trial
from worker.bounces import http_relays
from worker.mail import mime
from worker.mail.branding import InlineImage
from worker.mail.templates import Letter
from worker.relays import Accepted, Deadlines, DeliveryFailure, RelayPool, parse_urls
from worker.relays.http import sigv4

SENDER, TO = "hi@shop.example", "ann@example.com"
MAIL = UUID(int=7)
MESSAGE = mime.build(
    Letter("Grüße", "Hello Ann\n.dot\n", "<p>Hello <img src='cid:logo@shop'></p>"),
    sender_name="Shöp", sender_address=SENDER, recipient=TO, message_id=f"<{MAIL.hex}@shop.example>",
    date=datetime(2026, 1, 2, tzinfo=UTC), reply_to="help@shop.example",
    image=InlineImage("logo@shop", "image/png", b"\x89PNG"),
)  # fmt: skip


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with mail_providers.serving() as found:
        yield found


@pytest.fixture
async def relay(provider: Provider) -> AsyncIterator[Callable[..., RelayPool]]:
    opened: list[RelayPool] = []

    def make(name: Name, *, seconds: float = 30.0) -> RelayPool:
        opened.append(RelayPool(*parse_urls(provider.url(name)), deadlines=Deadlines(dot=seconds), rest=1000.0))
        return opened[-1]

    yield make
    for each in opened:
        await each.close()


async def outcome(relay: RelayPool, **more: Any) -> Accepted | DeliveryFailure:
    try:
        return await relay.send(SENDER, TO, MESSAGE, **more)
    except DeliveryFailure as fault:
        return fault


@pytest.mark.parametrize("name", ["ses", "mailgun"])
async def test_raw_mime_goes_out_as_it_is(provider: Provider, relay: Callable[..., RelayPool], name: Name):
    """Message-ID and signature stay: every byte is the one that was composed and signed."""
    provider.take(name)
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


@pytest.mark.parametrize("name", NAMES)
async def test_the_mail_is_named_to_the_provider(provider: Provider, relay: Callable[..., RelayPool], name: Name):
    """Its webhooks give that back; the provider's own id is the answer that the history shows, uncut."""
    provider.take(name)
    sent = await outcome(relay(name))
    assert isinstance(sent, Accepted)
    assert sent.text == IDS[name]
    match name:
        case "ses":
            assert provider.facts()["EmailTags"] == [{"Name": "mail", "Value": MAIL.hex}]
        case "mailgun":
            assert provider.message(name)["Message-ID"] == f"<{MAIL.hex}@shop.example>"
        case "postmark":
            assert provider.facts()["Metadata"] == {"mail": MAIL.hex}
        case "resend":
            assert provider.facts()["tags"] == [{"name": "mail", "value": MAIL.hex}]


async def test_ses_forwards_bounces_to_the_return_path(provider: Provider, relay: Callable[..., RelayPool]):
    """It is the only one that takes an address for them with each mail."""
    provider.take("ses")
    assert isinstance(await outcome(relay("ses")), Accepted)
    assert provider.facts()["FeedbackForwardingEmailAddress"] == SENDER


async def test_postmark_gets_the_parts(provider: Provider, relay: Callable[..., RelayPool]):
    """Subject, texts, image and our Message-ID, which X-PM-KeepID keeps."""
    provider.take("postmark")
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
    assert headers["Message-ID"] == f"<{MAIL.hex}@shop.example>"
    assert (headers["X-PM-KeepID"], headers["Auto-Submitted"]) == ("true", "auto-generated")
    assert [each["ContentID"] for each in facts["Attachments"]] == ["cid:logo@shop"]


async def test_resend_gets_the_parts_and_one_key(provider: Provider, relay: Callable[..., RelayPool]):
    """Each attempt at a mail has the same idempotency key."""
    provider.status = 500
    pool = relay("resend")
    first = await outcome(pool)
    assert isinstance(first, DeliveryFailure)
    assert (first.code, first.stage, first.cause) == (0, "dot", "server")
    provider.take("resend")
    assert isinstance(await outcome(pool), Accepted)
    keys = {request.headers["Idempotency-Key"] for request, _ in provider.asked}
    assert keys == {f"{MAIL.hex}@shop.example"}
    request, body = provider.asked[-1]
    facts = orjson.loads(body)
    assert (request.path, request.headers["Authorization"]) == ("/emails", f"Bearer {SECRET}")
    assert (facts["to"], facts["subject"], facts["headers"]["Message-ID"]) == (
        [TO],
        "Grüße",
        f"<{MAIL.hex}@shop.example>",
    )
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


async def test_an_id_that_is_none_is_not_kept_as_it_is(provider: Provider, relay: Callable[..., RelayPool]):
    """A provider may answer something that quotes the mail in its place."""
    provider.status, provider.answer = 200, orjson.dumps({"id": f"see https://shop.example/{'5' * 64} {'5' * 64}"})
    sent = await outcome(relay("resend"))
    assert isinstance(sent, Accepted)
    assert sent.text == "see [cut] [cut]"


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


@pytest.mark.parametrize(
    ("name", "more", "state", "said"),
    [
        ("ses", {}, "ok", "forwarded to BOUNCE_ADDRESS"),
        ("postmark", {}, "warn", "set BOUNCE_POSTMARK_AUTH and BOUNCE_WEBHOOK_PORT"),
        ("mailgun", {"BOUNCE_MAILGUN_KEY": "k" * 20}, "warn", "set BOUNCE_MAILGUN_KEY and BOUNCE_WEBHOOK_PORT"),
        ("mailgun", {"BOUNCE_MAILGUN_KEY": "k" * 20, "BOUNCE_WEBHOOK_PORT": "2525"}, "ok", "by the webhook of mailgun"),
        ("resend", {"BOUNCE_ADDRESS": ""}, "", ""),
    ],
)
async def test_an_operator_is_told_where_bounces_come(  # noqa: PLR0917 - what is set, and what is said
    settings: Settings, provider: Provider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    name: Name, more: dict[str, str], state: str, said: str,
):  # fmt: skip
    """Whoever set BOUNCE_ADDRESS learns by `doctor` and from the log which relays take no return path."""
    for key, value in ({"BOUNCE_ADDRESS": "b@bounces.example", "SMTP_URL": provider.url(name)} | more).items():
        monkeypatch.setenv(key, value)
    settings = Settings.read()  # with what was set
    found = [step for step in await trial.try_relays(settings, None) if step.step == "bounces"]
    assert [step.state for step in found] == ([state] if state else [])
    assert all(said in step.message and step.passed for step in found)
    http_relays.warn(parse_urls(provider.url(name)), settings)
    events = [getattr(record, "event", "") for record in caplog.records]
    assert events.count("relay.bounces_unheard") == (state == "warn")
    assert SECRET not in caplog.text
