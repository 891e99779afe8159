"""Calls of mail providers as their documentation has them, signed by keys of the tests."""

import base64
import hashlib
import hmac
import io
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from worker.bounces.webhooks.notification import Notification

MAILGUN_KEY, POSTMARK_AUTH = "key-3ax6xnjp29jd6fds4gc373sgvjxteol0", "accounts:a long enough password"
RESEND_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the documentation of Standard Webhooks
TOPIC = "arn:aws:sns:eu-west-1:123456789012:bounces"
SNS = "https://sns.eu-west-1.amazonaws.com"
CERTIFICATE_URL = f"{SNS}/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem"
Call = Callable[..., Notification]


@cache
def sendgrid_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def sendgrid_setting() -> str:
    key = sendgrid_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(key).decode()


@cache
def sns_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def sns_certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(
        name,
        name,
        sns_key().public_key(),
        x509.random_serial_number(),
        now - timedelta(days=1),
        now + timedelta(days=9),
    )
    return made.sign(sns_key(), SHA256()).public_bytes(Encoding.PEM)


def _seconds(at: float | None) -> str:
    return str(int(time.time() if at is None else at))


def mailgun(event: Mapping[str, Any], *, at: float | None = None, key: str = MAILGUN_KEY) -> Notification:
    timestamp, token = _seconds(at), "a" * 50
    signature = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    body = {"signature": {"timestamp": timestamp, "token": token, "signature": signature}, "event-data": event}
    return Notification({"content-type": "application/json"}, json.dumps(body).encode())


def postmark(event: Mapping[str, Any], *, auth: str = POSTMARK_AUTH) -> Notification:
    header = "Basic " + base64.b64encode(auth.encode()).decode()
    return Notification({"authorization": header}, json.dumps(event).encode())


def sendgrid(*events: Mapping[str, Any], at: float | None = None) -> Notification:
    timestamp, body = _seconds(at), json.dumps(events).encode() + b"\r\n"
    signature = sendgrid_key().sign(timestamp.encode() + body, ec.ECDSA(SHA256()))
    prefix = "x-twilio-email-event-webhook-"
    return Notification(
        {f"{prefix}timestamp": timestamp, f"{prefix}signature": base64.b64encode(signature).decode()}, body
    )


def resend(event: Mapping[str, Any], *, at: float | None = None, secret: str = RESEND_SECRET) -> Notification:
    timestamp, body = _seconds(at), json.dumps(event).encode()
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, f"msg_1.{timestamp}.".encode() + body, "sha256")).decode()
    return Notification(
        {"svix-id": "msg_1", "svix-timestamp": timestamp, "svix-signature": f"v1,{signature}"}, body
    )  # fmt: skip


def sns(message: str, *, at: float | None = None, **changes: str) -> Notification:
    """Sign what SNS sends; `changes` are made before that."""
    moment = datetime.fromtimestamp(float(_seconds(at)), UTC)
    fields = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": message,
        "Timestamp": f"{moment:%Y-%m-%dT%H:%M:%S.000Z}",
        "SignatureVersion": "2",
        "SigningCertURL": CERTIFICATE_URL,
    } | changes
    names = sorted(fields.keys() - {"SignatureVersion", "SigningCertURL", "UnsubscribeURL"})
    said = "".join(f"{name}\n{fields[name]}\n" for name in names)
    fields["Signature"] = base64.b64encode(sns_key().sign(said.encode(), PKCS1v15(), SHA256())).decode()
    return Notification({"content-type": "text/plain; charset=UTF-8"}, json.dumps(fields).encode())


async def post(port: int, provider: str, call: Notification) -> int:
    """Send a call to a worker's port; return the status of the answer."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"http://127.0.0.1:{port}/{provider}", data=io.BytesIO(call.body), headers=dict(call.headers)
        ) as answer,
    ):
        return answer.status


def changed(call: Notification, *path: str, to: Any) -> Notification:
    """Put another value into the signed body of a call."""
    body = json.loads(call.body)
    place = body
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return Notification(call.headers, json.dumps(body).encode())


def with_headers(call: Notification, **headers: str) -> Notification:
    """Put other headers into a call; `_` stands for `-`."""
    return Notification(
        {**call.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}, call.body
    )


def ses_bounce(recipient: str, source: str, message_id: str, **changes: Any) -> str:
    """Write a notification of SES of a bounce, as its documentation does."""
    bounce = {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [
            {
                "emailAddress": recipient,
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": f"smtp; 550 5.1.1 <{recipient}>... User unknown",
            }
        ],
        "timestamp": "2026-11-30T08:00:00.000Z",
        "feedbackId": "00000138111222aa-33322211-cccc-cccc-cccc-ddddaaaa0680-000000",
        "reportingMTA": "dns; email.example.com",
    } | changes
    mail = {
        "timestamp": "2026-11-30T07:59:00.000Z",
        "source": source,
        "messageId": "00000138111222aa-33322211-cccc-cccc-cccc-ddddaaaa068a-000000",
        "destination": [recipient],
        "headersTruncated": False,
        "headers": [{"name": "Message-ID", "value": message_id}],
        "commonHeaders": {"messageId": message_id},
    }
    return json.dumps({"notificationType": "Bounce", "bounce": bounce, "mail": mail})


def mailgun_event(recipient: str, message_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "event": "failed",
        "severity": "permanent",
        "reason": "bounce",
        "id": "G9Bn5sl1TC6nu79C8C0bwg",
        "timestamp": 1521233195.375624,
        "recipient": recipient,
        "message": {"headers": {"message-id": message_id.strip("<>"), "to": recipient}, "size": 111},
        "delivery-status": {"code": 550, "message": "550 5.1.1 no such user", "description": ""},
        "envelope": {"sender": "no-reply@accounts.test", "transport": "smtp", "targets": recipient},
    } | changes


def postmark_event(recipient: str, mail: str, **changes: Any) -> dict[str, Any]:
    return {
        "RecordType": "Bounce",
        "ID": 4323372036854775807,
        "Type": "HardBounce",
        "TypeCode": 1,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Metadata": {"mail": mail},
        "Description": "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
        "Details": "smtp;550 5.1.1 The email account that you tried to reach does not exist.",
        "Email": recipient,
        "BouncedAt": "2026-11-30T08:00:00Z",
    } | changes


def sendgrid_event(recipient: str, message_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "email": recipient,
        "timestamp": 1513299569,
        "smtp-id": message_id,
        "event": "bounce",
        "type": "bounce",
        "sg_event_id": "6g4ZI7SA-xmRDv57GoPIPw==",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        "reason": "550 5.1.1 The email account that you tried to reach does not exist.",
        "status": "5.1.1",
    } | changes


def resend_event(recipient: str, message_id: str, **changes: Any) -> dict[str, Any]:
    data = {
        "created_at": "2026-11-30T08:00:00.000Z",
        "email_id": "56761188-7520-42d8-8898-ff6fc54ce618",
        "from": "Shop <no-reply@accounts.test>",
        "to": [recipient],
        "subject": "Reset your password",
        "headers": [{"name": "Message-ID", "value": message_id}],
        "bounce": {"message": "The recipient's mailbox does not exist.", "type": "Permanent", "subType": "General"},
    }
    return {"type": "email.bounced", "created_at": "2026-11-30T08:00:01.000Z", "data": data} | changes
