"""Calls of the providers' APIs that take one mail: raw MIME at SES and Mailgun, its parts at Postmark and Resend.

Each names the mail by its id, which the provider's webhooks give back (worker/bounces/webhooks/).
"""

import email
import email.policy
import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import orjson

from worker.relays.envelope import Envelope
from worker.relays.http import sigv4
from worker.relays.smtp_url import SmtpUrl

# Our Message-IDs have the id of the mail before the @.
_MAIL = re.compile(rb"^message-id:[ \t]*<([0-9a-f]{32})@", re.IGNORECASE | re.MULTILINE)
# Fields of a letter that Postmark and Resend take as they are, beside those that have a name of their own.
_KEPT = ("Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress")


@dataclass(frozen=True, slots=True)
class Call:
    """One POST; headers hold credentials."""

    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def _ses(server: SmtpUrl, mail: Envelope) -> Call:
    path = f"{server.path}/v2/email/outbound-emails"
    facts: dict[str, Any] = {
        "Destination": {"ToAddresses": [mail.recipient.decode()]},
        "Content": {"Raw": {"Data": b64encode(mail.message).decode()}},
        "EmailTags": [{"Name": name, "Value": value} for name, value in _tags(mail).items()],
    }
    if mail.sender:
        # SES sends from a return path of its own, and forwards to this one what comes back.
        facts["FeedbackForwardingEmailAddress"] = mail.sender.decode()
    body = orjson.dumps(facts)
    signed = sigv4.headers(
        host=server.authority, path=path, body=body, key_id=server.username, secret=server.password,
        region=region_of(server.host),
    )  # fmt: skip
    return Call(path, signed, body)


def region_of(host: str) -> str:
    """Read the region in email.REGION.amazonaws.com; us-east-1 for another host, such as a proxy's."""
    parts = host.split(".")
    return parts[1] if len(parts) > 3 and parts[-2] == "amazonaws" else "us-east-1"


def _mailgun(server: SmtpUrl, mail: Envelope) -> Call:
    edge = secrets.token_hex(16)
    to = f'--{edge}\r\nContent-Disposition: form-data; name="to"\r\n\r\n{mail.recipient.decode()}\r\n'
    file = (
        f'--{edge}\r\nContent-Disposition: form-data; name="message"; filename="message.eml"\r\n'
        "Content-Type: message/rfc822\r\n\r\n"
    )
    body = b"".join((to.encode(), file.encode(), mail.message, f"\r\n--{edge}--\r\n".encode()))
    credentials = b64encode(f"{server.username}:{server.password}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Content-Type": f"multipart/form-data; boundary={edge}"}
    return Call(f"/v3{server.path}/messages.mime", headers, body)


def _postmark(server: SmtpUrl, mail: Envelope) -> Call:
    message = _parsed(mail)
    # The last one has it keep our Message-ID.
    kept = _kept(message) | {"X-PM-KeepID": "true"}
    facts: dict[str, Any] = {
        "From": str(message["From"]), "To": mail.recipient.decode(), "Subject": str(message["Subject"]),
        "TextBody": _text(message, "plain"), "HtmlBody": _text(message, "html"), "MessageStream": "outbound",
        "Headers": [{"Name": name, "Value": value} for name, value in kept.items()],
        "Attachments": [
            {"Name": name, "Content": data, "ContentType": kind, "ContentID": f"cid:{cid}"}
            for name, data, kind, cid in _images(message)
        ],
        "Metadata": _tags(mail),
    }  # fmt: skip
    if message["Reply-To"]:
        facts["ReplyTo"] = str(message["Reply-To"])
    headers = {
        "X-Postmark-Server-Token": server.password, "Content-Type": "application/json", "Accept": "application/json",
    }  # fmt: skip
    return Call(f"{server.path}/email", headers, orjson.dumps(facts))


def _resend(server: SmtpUrl, mail: Envelope) -> Call:
    message = _parsed(mail)
    facts: dict[str, Any] = {
        "from": str(message["From"]), "to": [mail.recipient.decode()], "subject": str(message["Subject"]),
        "text": _text(message, "plain"), "html": _text(message, "html"), "headers": _kept(message),
        "attachments": [
            {"filename": name, "content": data, "content_type": kind, "content_id": cid}
            for name, data, kind, cid in _images(message)
        ],
        "tags": [{"name": name, "value": value} for name, value in _tags(mail).items()],
    }  # fmt: skip
    if message["Reply-To"]:
        facts["reply_to"] = str(message["Reply-To"])
    headers = {
        "Authorization": f"Bearer {server.password}", "Content-Type": "application/json",
        # The same for each attempt at a mail: within a day Resend sends it once.
        "Idempotency-Key": str(message["Message-ID"]).strip("<>"),
    }  # fmt: skip
    return Call(f"{server.path}/emails", headers, orjson.dumps(facts))


CALLS: Mapping[str, Callable[[SmtpUrl, Envelope], Call]] = {
    "ses": _ses, "mailgun": _mailgun, "postmark": _postmark, "resend": _resend,
}  # fmt: skip


def _tags(mail: Envelope) -> dict[str, str]:
    """Return the id by which a webhook is to name the mail; nothing for a message that is none of the outbox."""
    found = _MAIL.search(mail.message.partition(b"\r\n\r\n")[0])
    return {"mail": found[1].decode()} if found else {}


def _parsed(mail: Envelope) -> EmailMessage:
    return email.message_from_bytes(mail.message, policy=email.policy.default)


def _text(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part else ""


def _kept(message: EmailMessage) -> dict[str, str]:
    return {name: str(message[name]) for name in _KEPT if message[name]}


def _images(message: EmailMessage) -> list[tuple[str, str, str, str]]:
    """Return name, base64, type and content id of each image that the HTML part shows."""
    return [
        (
            part.get_filename("logo"),
            b64encode(bytes(part.get_payload(decode=True))).decode(),
            part.get_content_type(),
            str(part["Content-ID"]).strip("<>"),
        )
        for part in message.walk()
        if part.get_content_maintype() == "image"
    ]
