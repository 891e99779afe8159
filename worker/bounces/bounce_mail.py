"""Read a mail that came to a return path: a DSN (RFC 3464), an abuse report (ARF, RFC 5965), or an older form.

Size and nesting are bounded before anything is parsed: the parsers of the standard library and of flufl.bounce end in
RecursionError, and take seconds, on multiparts nested 2,000 deep.
"""

import logging
import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from uuid import UUID

from service.store.delivery_reports import NO_COMPLAINTS, PERMANENT, DeliveryReport, Outcome
from worker.relays.outcomes import one_line

MOST_BYTES = 256 * 1024
# Parts of a real report: notice, status, original and what that has. Each needs a header to nest in another.
_MOST_PARTS, _MOST_BORDERS, _LONGEST_TYPE = 50, 500, 2000
_TYPE = re.compile(rb"^content-type[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*", re.IGNORECASE | re.MULTILINE)
_WORD = re.compile(r"[a-z]+")
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
# The beginning of an older form, where what failed stands: flufl.bounce takes time by the square of a line's length.
_BEGINNING, _LONG_LINE = 10_000, re.compile(rb"([^\r\n]{998})[^\r\n]+")
_ACTIONS: dict[str, Outcome] = {
    "failed": "bounced", "delayed": "deferred", "delivered": "delivered", "relayed": "delivered",
    "expanded": "delivered",
}  # fmt: skip


class UnreadableBounce(ValueError):
    """It is not parsed; the message says why."""


def read(raw: bytes, mail_id: UUID) -> DeliveryReport | None:
    """Read a report on this mail; None if it is none, as an automatic reply is. Raises UnreadableBounce."""
    _check_bounds(raw)
    try:
        message = message_from_bytes(raw)
        return _read_arf(message, mail_id) or _read_dsn(message, mail_id) or _read_older(raw, mail_id)
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        raise UnreadableBounce(f"it can't be parsed: {type(error).__name__}") from None


def _check_bounds(raw: bytes) -> None:
    if len(raw) > MOST_BYTES:
        raise UnreadableBounce(f"it has more than {MOST_BYTES} bytes")
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if lines.count(b"\n--") > _MOST_BORDERS:
        raise UnreadableBounce("it has too many borders of parts")
    for parts, found in enumerate(_TYPE.finditer(lines), start=1):
        if parts > _MOST_PARTS or len(found[0]) > _LONGEST_TYPE:
            raise UnreadableBounce("it has too many parts")


def _blocks(message: Message, kind: str) -> Iterator[Message]:
    """Yield the groups of fields of a report's status part."""
    for part in message.walk():
        if part.get_content_type() != kind:
            continue
        payload = part.get_payload()
        if isinstance(payload, list):
            yield from (each for each in payload if isinstance(each, Message))
        else:  # of a type that the library does not split into fields
            yield message_from_bytes(str(payload).strip().encode("utf-8", "replace"))


def _read_arf(message: Message, mail_id: UUID) -> DeliveryReport | None:
    """Read a complaint: whoever has the mailbox has called the mail spam."""
    for fields in _blocks(message, "message/feedback-report"):
        kind = str(fields.get("Feedback-Type", "")).strip().lower()
        if kind in NO_COMPLAINTS:
            continue
        named = frozenset(_address(str(each)) for each in fields.get_all("Original-Rcpt-To", []))
        return DeliveryReport(mail_id, "complained", "arf", named - {""}, gone=True, detail=one_line(kind))
    return None


def _read_dsn(message: Message, mail_id: UUID) -> DeliveryReport | None:
    """Read the groups of each recipient; the worst one counts, since a mail of ours has one recipient."""
    found: list[DeliveryReport] = []
    for fields in _blocks(message, "message/delivery-status"):
        action = _WORD.match(str(fields.get("Action", "")).strip().lower())
        outcome = _ACTIONS.get(action[0]) if action else None
        if outcome is None:
            continue
        status = _STATUS.search(str(fields.get("Status", "")))
        told = status[1] if status else ""
        named = frozenset(
            _address(str(fields.get(name, ""))) for name in ("Original-Recipient", "Final-Recipient")
        )  # fmt: skip
        detail = one_line(f"{told} {_without_type(str(fields.get('Diagnostic-Code', '')))}".strip())
        gone = outcome == "bounced" and told in PERMANENT
        found.append(DeliveryReport(mail_id, outcome, "dsn", named - {""}, gone=gone, detail=detail))
    order = ("bounced", "deferred", "delivered")
    return min(found, key=lambda each: (order.index(each.outcome), not each.gone), default=None)


def _read_older(raw: bytes, mail_id: UUID) -> DeliveryReport | None:
    """Read what no standard describes: qmail, Exim, Exchange and others, which name addresses and little else."""
    message = message_from_bytes(_LONG_LINE.sub(rb"\1", raw[:_BEGINNING]))
    from flufl.bounce import all_failures  # noqa: PLC0415 - workers that get no bounces need not load it

    # It writes what it can't read into its log, addresses too.
    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)
    temporary, permanent = all_failures(message)
    if not (temporary or permanent):
        return None
    outcome: Outcome = "bounced" if permanent else "deferred"
    named = frozenset(each.decode("ascii", "replace") for each in permanent or temporary)
    status = _STATUS.search(_text(message))
    told = status[1] if status else ""
    gone = outcome == "bounced" and (not told or told in PERMANENT)
    return DeliveryReport(mail_id, outcome, "bounce", named, gone=gone, detail=told)


def _text(message: Message) -> str:
    for part in message.walk():
        if part.get_content_maintype() == "text" and isinstance(content := part.get_payload(decode=True), bytes):
            return content.decode("ascii", "replace")
    return ""


def _without_type(field: str) -> str:
    """Cut the type in front: `smtp; 550 5.1.1 unknown`, `rfc822; ann@example.com`."""
    return field.partition(";")[2].strip() or field.strip()


def _address(field: str) -> str:
    return _without_type(field).strip("<> \t\r\n")
