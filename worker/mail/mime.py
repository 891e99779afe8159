"""Encode a letter as MIME: RFC 5322 headers, two quoted-printable parts, and an image that the HTML part shows.

Built by hand because EmailMessage costs thirty times as much and still lets NUL and bidi overrides into a
header; tests compare the result with Python's own parser. The same arguments always give the same bytes, so
that a retried mail is a true duplicate.
"""

import re
from base64 import b64encode, encodebytes
from binascii import b2a_qp
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from hashlib import blake2b

from service import email_addresses
from worker.mail.branding import InlineImage
from worker.mail.templates import Letter

LONGEST_LINE = 76
# 39 bytes make 52 base64 characters, so that even after "Subject: " a word with its frame stays within 76.
BYTES_A_WORD = 39
MESSAGE_ID = re.compile(r"<[A-Za-z0-9._+-]{1,128}@[A-Za-z0-9.-]{1,253}>")
_SUFFIXES = {"image/png": "png", "image/svg+xml": "svg"}


def build(
    letter: Letter,
    *,
    sender_name: str,
    sender_address: str,
    recipient: str,
    message_id: str,
    date: datetime,
    reply_to: str | None = None,
    image: InlineImage | None = None,
) -> bytes:
    """Build a message ready to send: CRLF only, ASCII only, no line of a part over 76 characters.

    `message_id` is the one fixed when the mail was accepted, `date` is aware and the same for every attempt. Raises
    ValueError for a control character in a header value, for an invalid address, for a body that is not Unicode.
    """
    if not email_addresses.is_plain(recipient) or MESSAGE_ID.fullmatch(message_id) is None or date.tzinfo is None:
        raise ValueError("a message needs one plain recipient, a Message-ID and an aware date")
    mark = blake2b(message_id.encode(), digest_size=15).hexdigest()
    # Neither boundary begins with the other (RFC 2046 5.1.2).
    boundary, inner = f"=_{mark}", f"=_r{mark}"
    head = (
        f"{_sender_lines(sender_name, sender_address, reply_to)}"
        f"To: {recipient}\r\n"
        f"Subject: {_words(letter.subject, len('Subject: '))}\r\n"
        f"Date: {format_datetime(date.astimezone(UTC))}\r\n"
        f"Message-ID: {message_id}\r\n"
        "MIME-Version: 1.0\r\n"
        "Auto-Submitted: auto-generated\r\n"
        "X-Auto-Response-Suppress: All\r\n"
        f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
    )
    html = _part("html", letter.html)
    # "=_" can't occur in quoted-printable or base64 text, so the boundary never does.
    return b"".join((
        f"{head}--{boundary}\r\n".encode("ascii"),
        *_part("plain", letter.text),
        f"\r\n--{boundary}\r\n".encode("ascii"),
        *(_related(html, image, inner) if image else html),
        f"\r\n--{boundary}--\r\n".encode("ascii"),
    ))  # fmt: skip


def _part(kind: str, text: str) -> tuple[bytes, bytes]:
    head = f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    return head.encode("ascii"), _quoted_printable(text)


def _related(html: tuple[bytes, bytes], image: InlineImage, boundary: str) -> tuple[bytes, ...]:
    """Put the HTML part and its image together (RFC 2387)."""
    edge = f"--{boundary}\r\n".encode("ascii")
    head = f'Content-Type: multipart/related; type="text/html";\r\n boundary="{boundary}"\r\n\r\n'
    return (
        head.encode("ascii"),
        edge,
        *html,
        b"\r\n" + edge,
        _encoded_image(image),
        f"\r\n--{boundary}--\r\n".encode("ascii"),
    )


@lru_cache(maxsize=32)
def _encoded_image(image: InlineImage) -> bytes:
    """Encode an image once for all of its letters."""
    head = (
        f"Content-Type: {image.media_type}\r\n"
        "Content-Transfer-Encoding: base64\r\n"
        f"Content-ID: <{image.cid}>\r\n"
        f'Content-Disposition: inline; filename="logo.{_SUFFIXES[image.media_type]}"\r\n\r\n'
    )
    return head.encode("ascii") + encodebytes(image.data).replace(b"\n", b"\r\n")


@lru_cache(maxsize=512)
def _sender_lines(name: str, address: str, reply_to: str | None) -> str:
    """Build From and Reply-To, which are the same for all mails of a project."""
    for given in (address, reply_to):
        if given is not None and not email_addresses.is_plain(given):
            raise ValueError("a sender needs one plain address")
    phrase = _phrase(name.strip(" "), len("From: "))
    room = LONGEST_LINE - len("From: ") - len(address) - len(" <>")
    gap = " " if "\r\n" not in phrase and len(phrase) <= room else "\r\n "
    line = f"From: {phrase}{gap}<{address}>\r\n" if phrase else f"From: {address}\r\n"
    return line if reply_to is None else f"{line}Reply-To: {reply_to}\r\n"


def _phrase(name: str, used: int) -> str:
    """Write a display name: quoted if that is enough, else as encoded words."""
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if _plain(name) and used + len(quoted) <= LONGEST_LINE:
        return quoted if name else ""
    return _encoded_words(name)


@lru_cache(maxsize=1024)
def _words(text: str, used: int) -> str:
    """Write header text after a field name `used` characters long."""
    text = text.strip(" ")
    if _plain(text) and used + len(text) <= LONGEST_LINE:
        return text
    return _encoded_words(text)


def _plain(text: str) -> bool:
    """Return whether a header may hold this text as it is. Raises ValueError for control characters."""
    if not email_addresses.is_header_text(text):
        raise ValueError("a header value holds a control character")
    return text.isascii() and "=?" not in text and "  " not in text


def _encoded_words(text: str) -> str:
    """Encode RFC 2047 words, one a line, never splitting a character."""
    chunks, chunk = [], b""
    for character in text:
        encoded = character.encode()
        if len(chunk) + len(encoded) > BYTES_A_WORD:
            chunks.append(chunk)
            chunk = b""
        chunk += encoded
    chunks.append(chunk)
    return "\r\n ".join(f"=?utf-8?b?{b64encode(part).decode()}?=" for part in chunks)


def _quoted_printable(text: str) -> bytes:
    """Encode a body that ends in CRLF: b2a_qp breaks long lines with the kind of newline it finds first."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    if not lines.endswith("\r\n"):
        lines += "\r\n"
    return b2a_qp(lines.encode())
