"""Mailpit's search (https://mailpit.axllent.org/docs/usage/search-filters/).

Fields: to:, from:, cc:, bcc:, reply-to:, addressed:, subject:, message-id:, tag:, is:, has:. A word without a field may
stand anywhere. `-` or `!` negates. Other fields are taken as words.
"""

import re
from collections.abc import Callable, Iterable, Mapping

from devstack.mail_marks import MailMarks
from devstack.mails import Address, Mail

_TERM = re.compile(r'([-!]?)(?:([a-z-]+):)?(?:"([^"]*)"|(\S+))', re.IGNORECASE)
_ADDRESSED = ("to", "from", "cc", "bcc", "reply-to")
# Terms that are whole words.
_STATES: Mapping[str, Callable[[Mail, MailMarks], bool]] = {
    "is:read": lambda mail, marks: marks.is_read(mail.n),
    "is:unread": lambda mail, marks: not marks.is_read(mail.n),
    "is:tagged": lambda mail, marks: bool(marks.tags(mail.n)),
    "has:attachment": lambda mail, _marks: any(not each.content_id for each in mail.attachments),
    "has:attachments": lambda mail, _marks: any(not each.content_id for each in mail.attachments),
    "has:inline": lambda mail, _marks: any(each.content_id for each in mail.attachments),
}


def search(query: str, mails: Iterable[Mail], marks: MailMarks) -> list[Mail]:
    """Find the mails that have every term, in the order of `mails`."""
    terms = [
        (bool(match[1]), (match[2] or "").lower(), (match[3] if match[3] is not None else match[4]).lower())
        for match in _TERM.finditer(query)
    ]
    return [mail for mail in mails if all(_has(mail, marks, field, word) != not_ for not_, field, word in terms)]


def hidden(mail: Mail) -> list[Address]:
    """Recipients of the envelope whom no header names."""
    named = {each.address.lower() for name in ("to", "cc") for each in mail.addresses.get(name, ())}
    return [Address("", address) for address in mail.to if address.lower() not in named]


def _has(mail: Mail, marks: MailMarks, field: str, word: str) -> bool:
    if state := _STATES.get(f"{field}:{word}"):
        return state(mail, marks)
    if field == "tag":
        return word in (tag.lower() for tag in marks.tags(mail.n))
    places = _places(mail)
    if field in places:
        return any(word in text.lower() for text in places[field])
    word = f"{field}:{word}" if field else word  # a word with a colon in it is a word, such as a link's
    everywhere = [text for name in ("to", "from", "cc", "subject") for text in places[name]]
    return any(word in text.lower() for text in (*everywhere, mail.text or "", mail.html or ""))


def _places(mail: Mail) -> dict[str, list[str]]:
    """Return the texts in which the word of a field may stand."""
    places = {
        "to": [*mail.to, *_shown(mail, "to")],
        "from": [mail.sender, *_shown(mail, "from")],
        "cc": _shown(mail, "cc"),
        "bcc": [each.address for each in hidden(mail)],
        "reply-to": _shown(mail, "reply-to"),
        "subject": [mail.subject],
        "message-id": [mail.header("message-id")],
    }
    return {**places, "addressed": [text for name in _ADDRESSED for text in places[name]]}


def _shown(mail: Mail, name: str) -> list[str]:
    return [f"{each.name} <{each.address}>" for each in mail.addresses.get(name, ())]
