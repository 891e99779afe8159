"""Mails as the mailbox reads them: decoded headers, bodies and attachments."""

import json
import re
import time
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage
from typing import Any

# The standard parser raises each of these on some malformed letter.
_MALFORMED = (MessageError, LookupError, ValueError, AttributeError, TypeError)


@dataclass(frozen=True, slots=True)
class Address:
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Attachment:
    name: str
    media_type: str
    content_id: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mail:
    """`n` counts from 1, `at` is in Unix seconds, `sender` and `to` are those of the envelope."""

    n: int
    at: float
    sender: str
    to: tuple[str, ...]
    content: bytes = field(repr=False)
    subject: str = ""
    text: str | None = None
    html: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    addresses: dict[str, tuple[Address, ...]] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()

    @property
    def raw(self) -> str:
        return self.content.decode(errors="replace")

    @property
    def author(self) -> Address:
        """From with its display name; the envelope's sender where the mail has none."""
        return next(iter(self.addresses.get("from", ())), Address("", self.sender))

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


def read(content: bytes, *, n: int, sender: str, to: tuple[str, ...], at: float | None = None) -> Mail:
    """Read a mail; an invalid one is shown as it came."""
    shown: dict[str, Any] = {"text": content.decode(errors="replace")}
    try:
        message = message_from_bytes(content, EmailMessage, policy=policy.default)
        parsed = [_parse(name, value) for name, value in message.raw_items()]
        shown = {
            "subject": next((_clean(value) for value in parsed if value.name.lower() == "subject"), ""),
            "text": _body(message, "plain"),
            "html": _body(message, "html"),
            "headers": tuple((value.name, _clean(value)) for value in parsed),
            "addresses": {value.name.lower(): _addresses(value) for value in parsed if hasattr(value, "addresses")},
            "attachments": tuple(_attachments(message)),
        }
    except _MALFORMED:
        pass
    return Mail(n=n, at=time.time() if at is None else at, sender=sender, to=to, content=content, **shown)


def dump(mail: Mail) -> bytes:
    """Make the content of the mail's file: its envelope as a line of JSON, then the mail as it came."""
    envelope = {"n": mail.n, "at": mail.at, "sender": mail.sender, "to": mail.to}
    return json.dumps(envelope).encode() + b"\n" + mail.content


def load(stored: bytes) -> Mail:
    """Read a mail's file. Raises ValueError, KeyError or TypeError for one that is none."""
    line, _, content = stored.partition(b"\n")
    envelope = json.loads(line)
    return read(content, n=int(envelope["n"]), at=float(envelope["at"]), sender=str(envelope["sender"]),
                to=tuple(map(str, envelope["to"])))  # fmt: skip


def _parse(name: str, raw: str) -> Any:
    """Decode encoded words (RFC 2047), folded lines and bare UTF-8 (RFC 6532)."""
    text = raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return policy.default.header_factory(name, re.sub(r"\r?\n(?=[ \t])|[\r\n]", "", text))


def _clean(value: object) -> str:
    return str(value).encode("utf-8", "replace").decode()


def _addresses(value: Any) -> tuple[Address, ...]:
    return tuple(
        Address(" ".join(_clean(found.display_name).split()), _clean(found.addr_spec)) for found in value.addresses
    )


def _body(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    return None if part is None else str(part.get_content()).replace("\r\n", "\n")


def _attachments(message: EmailMessage) -> list[Attachment]:
    bodies = [message.get_body((kind,)) for kind in ("plain", "html")]
    return [
        Attachment(
            _clean(part.get_filename() or ""),
            part.get_content_type(),
            str(part.get("content-id", "")).strip("<> "),
            _bytes(part.get_payload(decode=True)),
        )
        for part in message.walk()
        if not part.is_multipart() and not any(part is body for body in bodies)
    ]


def _bytes(payload: object) -> bytes:
    return payload if isinstance(payload, bytes) else b""
