"""DKIM signatures of our messages, verified by dkimpy."""

import email
import smtplib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import dkim
import pytest

from service.crypto import dkim_keys
from service.crypto.secret import Secret
from testkit.sink import Sink
from worker.mail import mime
from worker.mail.dkim import SigningKey, signed
from worker.mail.templates import Letter
from worker.relays import RelayPool, SmtpUrl

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
PRIVATE: dict[str, Secret] = {name: dkim_keys.generate(name) for name in ("rsa", "ed25519")}
# Blanks and dots wherever canonicalization and SMTP look at them.
TEXT = "Hello \t Ann,\n\n. a dot\n..two\n\tand  a tab \nünïcödé " + "x" * 300 + "\n\n\n"
LETTER = Letter("Grüße  from a shop whose subject takes more than one line of a header", TEXT, f"<p>{TEXT}</p>\n \n")


def key(algorithm: Literal["rsa", "ed25519"]) -> SigningKey:
    return SigningKey("shop.example", f"s-{algorithm}", algorithm, dkim_keys.signer(PRIVATE[algorithm]))


def built(*, reply_to: str | None = None, letter: Letter = LETTER) -> bytes:
    return mime.build(
        letter, sender_name="Ann's  Shöp", sender_address="hi@shop.example", recipient="ann@example.com",
        message_id="<1@shop.example>", date=AT, reply_to=reply_to,
    )  # fmt: skip


def record(name: bytes, timeout: int = 5) -> bytes:
    """The TXT record that the selector's key has in the DNS."""
    algorithm = name.decode().split(".")[0].removeprefix("s-")
    return f"v=DKIM1; k={algorithm}; p={dkim_keys.public_key(PRIVATE[algorithm])}".encode()


def verified(message: bytes) -> list[bool]:
    """Verdict of dkimpy on each signature."""
    count = len(email.message_from_bytes(message).get_all("DKIM-Signature", []))
    return [_is_valid(message, index) for index in range(count)]


def _is_valid(message: bytes, index: int) -> bool:
    try:
        return dkim.DKIM(message).verify(index, dnsfunc=record)
    except dkim.ValidationError:
        return False


@pytest.mark.parametrize("algorithms", [["rsa"], ["ed25519"], ["rsa", "ed25519"]])
@pytest.mark.parametrize("reply_to", [None, "help@shop.example"])
def test_each_signature_is_valid(algorithms: Sequence[Literal["rsa", "ed25519"]], reply_to: str | None):
    """One signature a key, each of which another implementation takes; no line of its field is longer than 78."""
    message = signed(built(reply_to=reply_to), [key(each) for each in algorithms], at=AT)
    assert verified(message) == [True] * len(algorithms)
    ours = message.removesuffix(built(reply_to=reply_to))
    assert max(map(len, ours.split(b"\r\n"))) <= 78
    assert message == signed(built(reply_to=reply_to), [key(each) for each in algorithms], at=AT)


@pytest.mark.parametrize(
    "letter",
    [Letter("S", "", ""), Letter("S", "\n\n", "\n"), Letter("S", " \n", "<p>\t</p>"), Letter("S", "a\r\nb", "c")],
)
def test_bodies_of_blank_lines_are_signed_too(letter: Letter):
    """Trailing blanks and lines count for nothing, on both sides."""
    assert verified(signed(built(letter=letter), [key("rsa")], at=AT)) == [True]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"From: ", b"From: Mallory <m@evil.example>\r\nFrom: "),
        (b"To: ", b"From: Mallory <m@evil.example>\r\nTo: "),
        (b"To: ", b"Reply-To: m@evil.example\r\nTo: "),
        (b"To: ann@", b"To: bob@"),
        (b"Subject: ", b"Subject: x"),
        (b"Date: Wed", b"Date: Thu"),
        (b"<1@shop", b"<2@shop"),
        (b"multipart/alternative", b"multipart/mixed"),
        (b"auto-generated", b"auto-replied"),
        (b"Ann,", b"Eve,"),
    ],
)
def test_what_is_signed_can_neither_be_changed_nor_added_to(old: bytes, new: bytes):
    """A second From or a Reply-To where there was none breaks it, as does any change of a signed field or the body."""
    message = signed(built(), [key("ed25519")], at=AT)
    head, _, rest = message.partition(b"From: ")
    changed = head + (b"From: " + rest).replace(old, new, 1)
    assert changed != message
    assert verified(changed) == [False]


async def test_a_signature_survives_smtp():
    """Doubled dots are undone on the other side; nothing else changes on the way."""
    message = signed(built(), [key("rsa"), key("ed25519")], at=AT)
    async with Sink() as sink:
        relay = RelayPool(SmtpUrl("127.0.0.1", sink.port, tls="none"), connections=1)
        await relay.send("hi@shop.example", "ann@example.com", message)
        await relay.close()
    assert sink.mails[0].content.rstrip(b"\r\n") == message.rstrip(b"\r\n")
    assert verified(sink.mails[0].content) == [True, True]
    # A relay behind ours that reads a file by lines, and sends it on.
    assert verified(smtplib._fix_eols(message.decode()).encode()) == [True, True]  # type: ignore[attr-defined]
