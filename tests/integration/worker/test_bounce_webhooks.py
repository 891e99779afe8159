"""Webhooks of mail providers at a worker's port: recorded once, or refused."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import aiohttp
import pytest

from devstack.servers import free_port
from service.db import Pool
from service.settings import InvalidSettings, Settings
from service.store import users
from testkit import bounce_webhooks as calls
from testkit import mail_providers
from testkit.bounce_webhooks import post
from testkit.mail_providers import IDS, NAMES, Name, Provider
from testkit.outbox import ANN, request_mail
from testkit.sink import Sink
from testkit.waiting import until
from tests.integration.worker.conftest import sending_by
from worker.bounces.webhooks.notification import Notification
from worker.bounces.webhooks.port import WebhookIntake, WebhookPort
from worker.bounces.webhooks.providers import providers_of
from worker.metrics import Metrics
from worker.relays import RelayPool, parse_urls

SETTINGS = {
    "BOUNCE_MAILGUN_KEY": calls.MAILGUN_KEY,
    "BOUNCE_POSTMARK_AUTH": calls.POSTMARK_AUTH,
    "BOUNCE_SENDGRID_KEY": calls.sendgrid_setting(),
    "BOUNCE_RESEND_SECRET": calls.RESEND_SECRET,
    "BOUNCE_SES_TOPICS": calls.TOPIC,
}


@pytest.fixture
async def port(pool: Pool, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WebhookPort]:
    """A worker's port, where all providers are set up; Amazon's certificate is at hand."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    made = Settings.read()
    providers = providers_of(made, None)

    async def certificate(_url: str) -> bytes:
        return calls.sns_certificate()

    providers["ses"].sns.fetch = certificate  # type: ignore[attr-defined]
    port = WebhookPort("127.0.0.1", free_port(), WebhookIntake(pool, made.key_ring, 9, providers, Metrics()))
    task = asyncio.create_task(port.run())

    async def listens() -> bool:
        try:
            return await post(port.port, "none", Notification({}, b"")) == 404
        except aiohttp.ClientError:
            return False

    await until(listens)
    yield port
    task.cancel()
    await asyncio.wait([task])


@pytest.fixture
async def sent(pool: Pool, a_worker, ann: users.User) -> UUID:
    mail = await request_mail(pool)
    await replace(a_worker(), names_mail_to_postmark=True).deliver(mail)
    return mail


def bounce(provider: str, mail: UUID, *, at: float | None = None) -> Notification:
    message_id = f"<{mail.hex}@accounts.test>"
    if provider == "ses":
        return calls.sns(calls.ses_bounce(ANN, "no-reply@accounts.test", message_id), at=at)
    if provider == "postmark":
        return calls.postmark(calls.postmark_event(ANN, mail.hex))
    return getattr(calls, provider)(getattr(calls, f"{provider}_event")(ANN, message_id), at=at)


async def found(pool: Pool) -> tuple[list[str], list[str]]:
    """The history after the sending, and the causes of suppressions."""
    history = await pool.fetch("select stage from mail_events where name = 'bounced'")
    return [row["stage"] for row in history], [row["cause"] for row in await pool.fetch("select * from suppressions")]


@pytest.mark.parametrize("provider", ["mailgun", "postmark", "sendgrid", "resend", "ses"])
async def test_a_bounce_is_recorded_once(
    pool: Pool, port: WebhookPort, sent: UUID, caplog: pytest.LogCaptureFixture, *, provider: str
):
    """A call that comes again is answered as the first one, and changes nothing even where it was lifted meanwhile."""
    caplog.set_level(logging.DEBUG)
    call = bounce(provider, sent)
    assert await post(port.port, provider, call) == 204
    assert await found(pool) == ([provider], ["bounced"])
    await pool.execute("delete from suppressions")
    assert await post(port.port, provider, call) == 204
    assert await found(pool) == ([provider], [])
    assert "example.com" not in caplog.text
    assert port.intake.metrics.since_start["reports_bounced"] == 2


def reported(name: Name, provider: Provider) -> Notification:
    """Write what a provider says of the mail that it was given, from nothing but that call and its own id."""
    match name:
        case "ses":
            (tag,) = provider.facts()["EmailTags"]
            mail = {"messageId": IDS["ses"], "source": "no-reply@accounts.test", "tags": {tag["Name"]: [tag["Value"]]}}
            event = json.loads(calls.ses_bounce(ANN, "", "")) | {"eventType": "Bounce", "mail": mail}
            return calls.sns(json.dumps(event | {"notificationType": None}))
        case "mailgun":
            return calls.mailgun(calls.mailgun_event(ANN, provider.message(name)["Message-ID"]))
        case "postmark":
            facts = {"MessageID": IDS["postmark"], "Metadata": provider.facts()["Metadata"]}
            return calls.postmark(calls.postmark_event(ANN, "", **facts))
        case "resend":
            event = calls.resend_event(ANN, "")
            tags = {tag["name"]: tag["value"] for tag in provider.facts()["tags"]}
            event["data"] |= {"email_id": IDS["resend"], "headers": None, "tags": tags}
            return calls.resend(event)


@pytest.mark.parametrize("name", NAMES)
async def test_a_mail_by_http_is_known_when_it_bounces(
    pool: Pool, port: WebhookPort, a_worker, ann: users.User, *, name: Name
):
    """The relay, the id in the history, the webhook and the suppression fit; the next mail goes to no relay."""
    async with mail_providers.serving() as provider:
        provider.take(name)
        relay = RelayPool(*parse_urls(provider.url(name)))
        worker, mails = sending_by(a_worker(), relay), [await request_mail(pool) for _ in range(3)]
        for mail in mails[:2]:
            await worker.deliver(mail)
        (sent,) = await pool.fetch("select fault from mail_events where name = 'sent' and mail_id = $1", mails[1])
        assert sent["fault"] == IDS[name]
        assert await post(port.port, name, reported(name, provider)) == 204
        bounced = await pool.fetch("select mail_id from mail_events where name = 'bounced'")
        assert [row["mail_id"] for row in bounced] == [mails[1]]
        assert [row["cause"] for row in await pool.fetch("select cause from suppressions")] == ["bounced"]
        await worker.deliver(mails[2])
        assert (await pool.fetchrow("select state from mails where id = $1", mails[2]))[0] == "suppressed"
        assert len(provider.asked) == 2
        await relay.close()


async def test_forged_late_and_broken_calls_are_refused(pool: Pool, port: WebhookPort, sent: UUID):
    """401 for another key, and for a signature that is old or of a time to come; 400, 404, 405 and 413 for the rest."""
    genuine = {provider: bounce(provider, sent) for provider in ("mailgun", "sendgrid", "resend", "ses")}
    for provider, call in genuine.items():
        assert await post(port.port, provider, Notification(call.headers, call.body.replace(b'"', b"'"))) in (400, 401)
        for at in (1_600_000_000, 4_000_000_000):
            assert await post(port.port, provider, bounce(provider, sent, at=at)) == 401
        assert await post(port.port, "postmark", call) == 401
    junk = calls.postmark({})
    assert await post(port.port, "postmark", Notification(junk.headers, b"[" * 100_000)) == 400
    assert await post(port.port, "postmark", Notification(junk.headers, b"x" * 2_000_000)) == 413
    assert await post(port.port, "brevo", junk) == 404
    assert await post(port.port, "postmark", calls.postmark({"RecordType": "Open"})) == 204
    assert await found(pool) == ([], [])


async def test_a_body_that_does_not_come_is_not_waited_for(port: WebhookPort):
    """408 within bounded time; who comes meanwhile, when all places are taken, is served then."""
    port.intake.patience, port.intake._slots = 0.1, asyncio.Semaphore(1)
    reader, writer = await asyncio.open_connection("127.0.0.1", port.port)
    writer.write(b"POST /postmark HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
    assert await post(port.port, "postmark", calls.postmark({"RecordType": "Open"})) == 204
    assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_while_postgres_is_away_the_provider_comes_again(port: WebhookPort, sent: UUID):
    """503: nothing is lost."""
    port.intake.pool = away = Pool(f"postgres://nobody@127.0.0.1:{free_port()}/none", size=1, patience=0.1)
    assert await post(port.port, "postmark", bounce("postmark", sent)) == 503
    await away.close()


async def test_postmark_is_told_which_mail_it_is(sink: Sink, sent: UUID):
    """By the header that its webhooks show."""
    assert sink.mails[0].content.startswith(f"X-PM-Metadata-mail: {sent.hex}\r\n".encode())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BOUNCE_SENDGRID_KEY", "AAAA"),
        ("BOUNCE_RESEND_SECRET", "whsec_x"),
        ("BOUNCE_RESEND_SECRET", "whsec_"),
        ("BOUNCE_MAILGUN_KEY", "key-"),
        ("BOUNCE_POSTMARK_AUTH", "a:short"),
    ],
)
def test_settings_that_can_not_be_used(settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    """The worker does not start, and its message names the setting without its value."""
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=name) as refused:
        providers_of(Settings.read(), None)
    assert value not in str(refused.value)
