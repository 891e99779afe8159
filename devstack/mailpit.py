"""Mailpit's v1 API on our mailbox, so that the test helpers people have work (https://mailpit.axllent.org/docs/api-v1/).

List, search, message, headers, source, attachments and delete. Nothing is ever marked as read here, and no mail has a
tag.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from devstack.mails import Address, Attachment, Mail

_TERM = re.compile(r'([-!]?)(?:([a-z-]+):)?(?:"([^"]*)"|(\S+))', re.IGNORECASE)


def page(found: Sequence[Mail], *, total: int, start: int, limit: int) -> dict[str, Any]:
    """Summarize mails, newest first."""
    return {
        "total": total,
        "unread": total,
        "count": len(found[start : start + limit]),
        "messages_count": len(found),
        "messages_unread": len(found),
        "start": start,
        "tags": [],
        "messages": [_summary(mail) for mail in found[start : start + limit]],
    }


def message(mail: Mail) -> dict[str, Any]:
    inline = [each for each in mail.attachments if each.content_id]
    return {
        **_common(mail),
        "ReturnPath": mail.header("return-path").strip("<> ") or mail.sender,
        "ListUnsubscribe": {"Header": mail.header("list-unsubscribe"), "Links": [], "Errors": "", "HeaderPost": ""},
        "Date": _date(mail),
        "Text": mail.text or "",
        "HTML": mail.html or "",
        "Inline": [_attachment(mail, each) for each in inline],
        "Attachments": [_attachment(mail, each) for each in mail.attachments if not each.content_id],
    }


def headers(mail: Mail) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in mail.headers:
        found.setdefault(name, []).append(value)
    return found


def search(query: str, mails: Iterable[Mail]) -> list[Mail]:
    """Find mails with every term: to:, from:, cc:, subject:, message-id: or a word anywhere; - or ! negates one."""
    terms = [
        (bool(match[1]), (match[2] or "").lower(), (match[3] if match[3] is not None else match[4]).lower())
        for match in _TERM.finditer(query)
    ]
    return [mail for mail in mails if all(_has(mail, field, word) != negated for negated, field, word in terms)]


def _has(mail: Mail, field: str, word: str) -> bool:
    places = {
        "to": [*mail.to, *_shown(mail, "to")],
        "from": [mail.sender, *_shown(mail, "from")],
        "cc": _shown(mail, "cc"),
        "bcc": [each.address for each in _hidden(mail)],
        "subject": [mail.subject],
        "message-id": [mail.header("message-id")],
    }
    if field not in places:  # a word with a colon in it is a word, such as a link's
        word = f"{field}:{word}" if field else word
        everywhere = [text for name in ("to", "from", "cc", "subject") for text in places[name]]
        return any(word in text.lower() for text in (*everywhere, mail.text or "", mail.html or ""))
    return any(word in text.lower() for text in places[field])


def _shown(mail: Mail, name: str) -> list[str]:
    return [f"{each.name} <{each.address}>" for each in mail.addresses.get(name, ())]


def _hidden(mail: Mail) -> list[Address]:
    named = {each.address.lower() for name in ("to", "cc") for each in mail.addresses.get(name, ())}
    return [Address("", address) for address in mail.to if address.lower() not in named]


def _common(mail: Mail) -> dict[str, Any]:
    return {
        "ID": str(mail.n),
        "MessageID": mail.header("message-id").strip("<> "),
        "From": _address(mail.author),
        "To": [_address(each) for each in mail.addresses.get("to", ())],
        "Cc": [_address(each) for each in mail.addresses.get("cc", ())],
        "Bcc": [_address(each) for each in _hidden(mail)],
        "ReplyTo": [_address(each) for each in mail.addresses.get("reply-to", ())],
        "Subject": mail.subject,
        "Tags": [],
        "Username": "",
        "Size": len(mail.content),
    }


def _summary(mail: Mail) -> dict[str, Any]:
    body = mail.text or re.sub(r"<[^>]*>", " ", mail.html or "")
    return {
        **_common(mail),
        "Read": False,
        "Created": _iso(datetime.fromtimestamp(mail.at, UTC)),
        "Attachments": len(mail.attachments),
        "Snippet": " ".join(body.split())[:250],
    }


def _address(found: Address) -> dict[str, str]:
    return {"Name": found.name, "Address": found.address}


def _attachment(mail: Mail, found: Attachment) -> dict[str, Any]:
    return {
        "PartID": str(mail.attachments.index(found) + 1),
        "FileName": found.name,
        "ContentType": found.media_type,
        "ContentID": found.content_id,
        "Size": len(found.content),
    }


def _date(mail: Mail) -> str:
    try:
        return _iso(parsedate_to_datetime(mail.header("date")).astimezone(UTC))
    except (ValueError, TypeError, OverflowError):
        return _iso(datetime.fromtimestamp(mail.at, UTC))


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
