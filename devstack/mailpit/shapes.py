"""Mails in the shapes of Mailpit's v1 API."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from devstack.mail_marks import MailMarks
from devstack.mailpit.box import Box
from devstack.mailpit.search import hidden
from devstack.mails import Address, Attachment, Mail


def page(box: Box, found: Sequence[Mail], *, start: int, limit: int) -> dict[str, Any]:
    """Summarize a page of the mails that were found."""
    kept, shown = box.find(), found[start : start + limit]
    return {
        "total": len(kept),
        "unread": unread(box, kept),
        "count": len(shown),
        "messages_count": len(found),
        "messages_unread": unread(box, found),
        "start": start,
        "tags": list(box.marks.counts()),
        "messages": [_summary(mail, box.marks) for mail in shown],
    }


def unread(box: Box, mails: Sequence[Mail]) -> int:
    return sum(not box.marks.is_read(mail.n) for mail in mails)


def message(mail: Mail, marks: MailMarks) -> dict[str, Any]:
    inline = [each for each in mail.attachments if each.content_id]
    return {
        **_common(mail, marks),
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


def _common(mail: Mail, marks: MailMarks) -> dict[str, Any]:
    return {
        "ID": str(mail.n),
        "MessageID": mail.header("message-id").strip("<> "),
        "From": _address(mail.author),
        "To": [_address(each) for each in mail.addresses.get("to", ())],
        "Cc": [_address(each) for each in mail.addresses.get("cc", ())],
        "Bcc": [_address(each) for each in hidden(mail)],
        "ReplyTo": [_address(each) for each in mail.addresses.get("reply-to", ())],
        "Subject": mail.subject,
        "Tags": list(marks.tags(mail.n)),
        "Username": "",
        "Size": len(mail.content),
    }


def _summary(mail: Mail, marks: MailMarks) -> dict[str, Any]:
    body = mail.text or re.sub(r"<[^>]*>", " ", mail.html or "")
    return {
        **_common(mail, marks),
        "Read": marks.is_read(mail.n),
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
