"""Webhooks of mail providers: whose signature is taken, twenty calls of each, and what their events mean.

Longer than other files: the calls of each provider are one list.
"""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from standardwebhooks import Webhook

from testkit import bounce_webhooks as calls
from testkit.bounce_webhooks import changed, with_headers
from worker.bounces.return_path import ReturnPath
from worker.bounces.webhooks.mailgun import Mailgun
from worker.bounces.webhooks.notification import ForgedCall, MalformedCall, Notification
from worker.bounces.webhooks.postmark import Postmark
from worker.bounces.webhooks.resend import Resend, secret_of
from worker.bounces.webhooks.sendgrid import SendGrid, verification_key
from worker.bounces.webhooks.ses import Ses
from worker.bounces.webhooks.sns import CannotFetch, Sns

MAIL, ANN, AT = UUID(int=7), "ann@example.com", 1_700_000_000.0
MESSAGE_ID = f"<{MAIL.hex}@accounts.test>"
PATHS = ReturnPath("bounces@bounces.example.com", {"k": b"k" * 32})


async def is_taken(verify: Callable[[Notification], Awaitable[float | None]], call: Notification) -> bool:
    try:
        await verify(call)
    except (ForgedCall, MalformedCall):
        return False
    return True


MAILGUN = calls.mailgun(calls.mailgun_event(ANN, MESSAGE_ID), at=AT)
SIGNED = json.loads(MAILGUN.body)["signature"]
MAILGUN_CALLS = [
    (MAILGUN, True),
    (calls.mailgun({"event": "delivered"}, at=AT), True),
    (calls.mailgun({}, at=0), True),
    (changed(MAILGUN, "event-data", "event", to="delivered"), True),  # it signs time and token alone
    (Notification({}, MAILGUN.body), True),
    (calls.mailgun({}, at=AT, key="another"), False),
    (calls.mailgun({}, at=AT, key=""), False),
    (changed(MAILGUN, "signature", "timestamp", to=str(int(AT) + 1)), False),
    (changed(MAILGUN, "signature", "timestamp", to=int(AT)), False),
    (changed(MAILGUN, "signature", "timestamp", to=""), False),
    (changed(MAILGUN, "signature", "token", to="b" * 50), False),
    (changed(MAILGUN, "signature", "token", to=""), False),
    (changed(MAILGUN, "signature", "token", to=None), False),
    (changed(MAILGUN, "signature", "signature", to=""), False),
    (changed(MAILGUN, "signature", "signature", to=SIGNED["signature"].upper()), False),
    (changed(MAILGUN, "signature", "signature", to=SIGNED["signature"][:-1]), False),
    (changed(MAILGUN, "signature", "signature", to="é" * 64), False),
    (changed(MAILGUN, "signature", to=[]), False),
    (Notification({}, b"[" * 5000), False),
    (Notification({}, b""), False),
]
POSTMARK = calls.postmark(calls.postmark_event(ANN, MAIL.hex))
_RAW = base64.b64encode(calls.POSTMARK_AUTH.encode()).decode()
POSTMARK_CALLS = [
    (POSTMARK, True),
    (with_headers(POSTMARK, authorization=f"basic {_RAW}"), True),
    (with_headers(POSTMARK, authorization=f"Basic   {_RAW} "), True),
    (changed(POSTMARK, "Type", to="SoftBounce"), True),
    (Notification(POSTMARK.headers, b""), True),
    *(
        (with_headers(POSTMARK, authorization=header), False)
        for header in (
            "", "Basic", "Basic ", _RAW, f"Bearer {_RAW}", f"Basic {_RAW[:-4]}", f"Basic {_RAW}AAAA", "Basic é",
            f"Basic {base64.b64encode(b'accounts:').decode()}", f"Basic {base64.b64encode(b'accounts').decode()}",
            f"Basic {base64.b64encode(b'a long enough password').decode()}", "Basic " + "A" * 8000,
            f"Basic {base64.b64encode(calls.POSTMARK_AUTH.upper().encode()).decode()}",
            f"Basic {base64.b64encode(b' ' + calls.POSTMARK_AUTH.encode()).decode()}",
        )
    ),
    (Notification({}, POSTMARK.body), False),
]  # fmt: skip
SENDGRID = calls.sendgrid(calls.sendgrid_event(ANN, MESSAGE_ID), at=AT)
_STAMP, _SIGNATURE = "x_twilio_email_event_webhook_timestamp", "x_twilio_email_event_webhook_signature"
_SIGNED = SENDGRID.header("x-twilio-email-event-webhook-signature")
# The example of SendGrid's own libraries.
PUBLISHED_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6w"
    "EA3F+g=="
)
PUBLISHED = Notification(
    {
        "x-twilio-email-event-webhook-timestamp": "1600112502",
        "x-twilio-email-event-webhook-signature": "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBi"
        "XDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=",
    },
    b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address",'
    b'"sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",'
    b'"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",'
    b'"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n',
)
SENDGRID_CALLS = [
    (SENDGRID, True),
    (calls.sendgrid(at=AT), True),
    (calls.sendgrid(*[calls.sendgrid_event(ANN, MESSAGE_ID)] * 50, at=AT), True),
    (Notification(SENDGRID.headers, SENDGRID.body.strip()), False),
    (Notification(SENDGRID.headers, SENDGRID.body.replace(b"ann@", b"bob@")), False),
    (Notification(SENDGRID.headers, b""), False),
    (Notification({}, SENDGRID.body), False),
    (PUBLISHED, False),  # of another key
    *(
        (with_headers(SENDGRID, **{name: value}), False)
        for name, value in (
            (_STAMP, ""), (_STAMP, "1700000001"), (_STAMP, "1700000000 "), (_STAMP, "é"), (_SIGNATURE, ""),
            (_SIGNATURE, "AAAA"), (_SIGNATURE, _SIGNED[:-4]), (_SIGNATURE, _SIGNED + "AAAA"), (_SIGNATURE, "é"),
            (_SIGNATURE, _SIGNED.swapcase()), (_SIGNATURE, "A" * 8000), (_SIGNATURE, f" {_SIGNED}"),
        )
    ),
]  # fmt: skip
RESEND = calls.resend(calls.resend_event(ANN, MESSAGE_ID), at=AT)
_V1 = RESEND.header("svix-signature")
STANDARD = {name.replace("svix", "webhook"): value for name, value in RESEND.headers.items()}
# The example of Standard Webhooks' own libraries.
PUBLISHED_RESEND = Notification(
    {
        "svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "svix-timestamp": "1614265330",
        "svix-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    },
    b'{"test": 2432232314}',
)
RESEND_CALLS = [
    (RESEND, True),
    (PUBLISHED_RESEND, True),
    (Notification(STANDARD, RESEND.body), True),
    (with_headers(RESEND, svix_signature=f"v1,AAAA {_V1}"), True),
    (with_headers(RESEND, svix_signature=f"v1a,AAAA {_V1} v2,x"), True),
    (calls.resend({}, at=AT, secret="whsec_AAAA"), False),
    (Notification(RESEND.headers, RESEND.body + b" "), False),
    (Notification(RESEND.headers, RESEND.body.replace(b"ann@", b"bob@")), False),
    (Notification(RESEND.headers, b""), False),
    (Notification({}, RESEND.body), False),
    *(
        (with_headers(RESEND, **{f"svix_{name}": value}), False)
        for name, value in (
            ("id", ""), ("id", "msg_2"), ("timestamp", ""), ("timestamp", "1700000001"), ("timestamp", "é"),
            ("signature", ""), ("signature", _V1.removeprefix("v1,")), ("signature", _V1.replace("v1,", "v2,")),
            ("signature", "v1,"), ("signature", "v1,AAAA " * 10 + _V1),
        )
    ),
]  # fmt: skip
SES = calls.sns(calls.ses_bounce(ANN, PATHS.of(MAIL), MESSAGE_ID), at=AT)
_SUBSCRIBE = {
    "Type": "SubscriptionConfirmation", "Token": "2336412f37",
    "SubscribeURL": f"{calls.SNS}/?Action=ConfirmSubscription&TopicArn={calls.TOPIC}&Token=2336412f37",
}  # fmt: skip
SES_CALLS = [
    (SES, True),
    (calls.sns("x", at=AT, Subject="Amazon SES"), True),
    (calls.sns("x", at=AT, **_SUBSCRIBE), True),
    (changed(SES, "Message", to="{}"), False),
    (changed(SES, "MessageId", to="x"), False),
    (changed(SES, "Subject", to="x"), False),
    (changed(SES, "Timestamp", to="2026-01-01T00:00:00.000Z"), False),
    (changed(SES, "Type", to="SubscriptionConfirmation"), False),
    (changed(SES, "Type", to="Other"), False),
    (changed(SES, "SignatureVersion", to="1"), False),
    (changed(SES, "Signature", to="AAAA"), False),
    (changed(SES, "Signature", to=""), False),
    (calls.sns("x", at=AT, TopicArn="arn:aws:sns:eu-west-1:999999999999:bounces"), False),
    *(
        (calls.sns("x", at=AT, SigningCertURL=url), False)
        for url in (
            calls.CERTIFICATE_URL.replace("https", "http"),
            calls.CERTIFICATE_URL.replace("amazonaws.com", "amazonaws.com.example.net"),
            calls.CERTIFICATE_URL.replace("https://", "https://sns.eu-west-1.amazonaws.com@127.0.0.1/"),
            calls.CERTIFICATE_URL.replace(".com/", ".com:8443/"),
            calls.CERTIFICATE_URL.replace("eu-west-1", "us-east-1"),
            f"{calls.SNS}/other.pem",
            "https://[::ffff:169.254.169.254]/SimpleNotificationService-9c6465fa7f48f5ca.pem",
        )
    ),
]


async def certificate(url: str) -> bytes:
    assert url == calls.CERTIFICATE_URL
    return calls.sns_certificate()


PROVIDERS = {
    "mailgun": (Mailgun(calls.MAILGUN_KEY, PATHS), MAILGUN_CALLS),
    "postmark": (Postmark(calls.POSTMARK_AUTH, PATHS), POSTMARK_CALLS),
    "sendgrid": (SendGrid(verification_key(calls.sendgrid_setting()), PATHS), SENDGRID_CALLS),
    "resend": (Resend(secret_of(calls.RESEND_SECRET), PATHS), RESEND_CALLS),
    "ses": (Ses(Sns(frozenset({calls.TOPIC}), certificate), PATHS), SES_CALLS),
}


@pytest.mark.parametrize("name", PROVIDERS)
async def test_twenty_calls(name: str):
    """Only what the provider itself has signed is taken, and it says when."""
    provider, vectors = PROVIDERS[name]
    assert len(vectors) == 20
    found = [(place, await is_taken(provider.verify, call)) for place, (call, _) in enumerate(vectors)]
    assert found == [(place, good) for place, (_, good) in enumerate(vectors)]
    assert await provider.verify(vectors[0][0]) == (None if name == "postmark" else AT)


async def test_published_examples_are_taken():
    """The providers' own libraries and this one agree."""
    assert await is_taken(SendGrid(verification_key(PUBLISHED_KEY), None).verify, PUBLISHED)
    fresh = calls.resend({"type": "email.delivered"})
    assert Webhook(calls.RESEND_SECRET).verify(
        fresh.body, {name.replace("svix", "webhook"): value for name, value in fresh.headers.items()}
    )


def event(name: str, **changes: Any) -> Notification:
    """A call about Ann's mail."""
    if name == "ses":
        return calls.sns(calls.ses_bounce(ANN, PATHS.of(MAIL), "<other@example.com>", **changes))
    if name == "postmark":
        return calls.postmark(calls.postmark_event(ANN, MAIL.hex, **changes))
    sign, make = getattr(calls, name), getattr(calls, f"{name}_event")
    return sign(make(ANN, MESSAGE_ID, **changes))


@pytest.mark.parametrize(
    ("name", "changes", "outcome", "gone"),
    [
        ("mailgun", {}, "bounced", True),
        ("mailgun", {"severity": "temporary"}, "deferred", False),
        ("mailgun", {"delivery-status": {"message": "550 5.7.1 policy"}}, "bounced", False),
        ("mailgun", {"delivery-status": {}, "reason": "generic"}, "bounced", False),
        ("mailgun", {"event": "complained"}, "complained", False),
        ("mailgun", {"event": "delivered"}, "delivered", False),
        ("mailgun", {"event": "opened"}, None, False),
        ("mailgun", {"message": {"headers": {"message-id": "else@example.com"}}}, None, False),
        ("postmark", {}, "bounced", True),
        ("postmark", {"Type": "SoftBounce"}, "deferred", False),
        ("postmark", {"Type": "Blocked"}, "bounced", True),
        ("postmark", {"Type": "Blocked", "Details": ""}, "bounced", False),
        ("postmark", {"Type": "AutoResponder"}, None, False),
        ("postmark", {"RecordType": "SpamComplaint", "Type": "SpamComplaint"}, "complained", False),
        ("postmark", {"RecordType": "Delivery", "Recipient": ANN}, "delivered", False),
        ("postmark", {"Metadata": None}, None, False),
        ("sendgrid", {}, "bounced", True),
        ("sendgrid", {"type": "blocked", "status": "", "reason": "refused"}, "bounced", False),
        ("sendgrid", {"status": "5.0.0", "reason": "550 no"}, "bounced", True),
        ("sendgrid", {"event": "dropped", "type": "", "status": "", "reason": "Bounced Address"}, "bounced", True),
        ("sendgrid", {"event": "deferred"}, "deferred", False),
        ("sendgrid", {"event": "spamreport"}, "complained", False),
        ("sendgrid", {"event": "click"}, None, False),
        ("resend", {}, "bounced", True),
        ("resend", {"type": "email.complained"}, "complained", False),
        ("resend", {"type": "email.delivery_delayed"}, "deferred", False),
        ("resend", {"type": "email.delivered"}, "delivered", False),
        ("resend", {"data": {"tags": {"mail": MAIL.hex}, "to": [ANN]}}, "bounced", False),
        ("resend", {"data": None}, None, False),
        ("ses", {}, "bounced", True),
        ("ses", {"bounceSubType": "MailboxFull"}, "bounced", False),
        ("ses", {"bounceType": "Transient"}, "deferred", False),
        ("ses", {"bouncedRecipients": [{"emailAddress": ANN, "status": "5.7.1"}]}, "bounced", False),
        ("ses", {"bouncedRecipients": "junk"}, None, False),
    ],
)
async def test_events_in_neutral_words(name: str, changes: dict[str, Any], outcome: str | None, gone: bool):
    """Only a mailbox that is gone counts as such; what is about no mail of ours, or of no interest, is left out."""
    reports = await PROVIDERS[name][0].read(event(name, **changes))
    if outcome is None:
        assert reports == []
        return
    (report,) = reports
    assert (report.mail_id, report.outcome, report.gone, report.channel) == (MAIL, outcome, gone, name)
    assert ANN in report.recipients or outcome == "delivered"


@pytest.mark.parametrize(("kind", "told"), [("abuse", 1), (None, 1), ("not-spam", 0), ("auth-failure", 0)])
async def test_only_a_recipients_word_is_a_complaint(kind: str | None, told: int):
    """SES passes on what receivers report, their own checks too; many name no type."""
    complaint = {"complainedRecipients": [{"emailAddress": ANN}], "complaintFeedbackType": kind}
    message = json.loads(calls.ses_bounce(ANN, PATHS.of(MAIL), MESSAGE_ID))
    message |= {"notificationType": "Complaint", "complaint": complaint}
    assert len(await PROVIDERS["ses"][0].read(calls.sns(json.dumps(message)))) == told


async def test_an_event_of_another_form_than_documented_names_nobody():
    """It is no fault of ours, which the provider would be asked to send again."""
    (report,) = await PROVIDERS["resend"][0].read(event("resend", data={"tags": {"mail": MAIL.hex}, "to": 1}))
    assert report.recipients == frozenset()


async def test_a_subscription_is_confirmed_at_amazon_alone():
    """A verified topic of ours: its own address is fetched once, certificates are kept, and no other is asked."""
    asked: list[str] = []

    async def fetch(url: str) -> bytes:
        asked.append(url)
        return calls.sns_certificate()

    ses = Ses(Sns(frozenset({calls.TOPIC}), fetch), PATHS)
    for _ in range(2):
        call = calls.sns("x", **_SUBSCRIBE)
        await ses.verify(call)
        assert await ses.read(call) == []
    assert asked == [calls.CERTIFICATE_URL, _SUBSCRIBE["SubscribeURL"], _SUBSCRIBE["SubscribeURL"]]
    for url in (
        "https://127.0.0.1/?Action=ConfirmSubscription",
        f"{calls.SNS}/?Action=DeleteTopic",
        "",
        f"{calls.SNS}\\@x/",
    ):
        with pytest.raises(ForgedCall):
            await ses.read(calls.sns("x", **_SUBSCRIBE | {"SubscribeURL": url}))
    assert len(asked) == 3


async def test_a_certificate_that_can_not_be_had_is_asked_for_once():
    """The calls that follow come again. Amazon's own is had all the same, so that a stranger keeps no message out."""
    asked: list[str] = []
    none = f"{calls.SNS}/SimpleNotificationService-00000000.pem"

    async def fetch(url: str) -> bytes:
        asked.append(url)
        if url == none:
            raise CannotFetch("Amazon answers 403")
        return calls.sns_certificate()

    sns = Sns(frozenset({calls.TOPIC}), fetch)
    for _ in range(3):
        with pytest.raises(CannotFetch):
            await sns.verify(calls.sns("x", SigningCertURL=none).json())
    assert asked == [none]
    await sns.verify(calls.sns("x").json())
