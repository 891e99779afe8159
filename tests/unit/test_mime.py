import re
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from typing import cast
from uuid import UUID

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from service import email_addresses
from tests.unit.test_email_addresses import PATIENT, WRITTEN
from worker.mail import mime, templates
from worker.mail.branding import Branding, InlineImage
from worker.mail.templates import Letter

MAIL = UUID("01939a4e-8a3e-7c3c-9a51-5f0f7a3f9f01")
MESSAGE_ID = "<01939a4e-8a3e-7c3c-9a51-5f0f7a3f9f01@mail.example.com>"
DATE = datetime(2026, 11, 23, 17, 5, 9, tzinfo=UTC)
HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "Content-Type",
]  # fmt: skip
# Everything Unicode has but what a header may not hold (and no lone surrogate, which is no text).
HEADER_TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cf"]), max_size=200)
# A form feed and its kin are line breaks to Python's parser but not to mail; letters never hold them.
BODY = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], include_characters="\n\t"), max_size=600)
FORBIDDEN = [chr(c) for c in [*range(0x20), 0x7F, 0x85, 0x2028, 0x2029, 0x202E, 0x2066, 0x200F, 0xFEFF, 0xD800]]


def build(
    *,
    subject: str = "Hello",
    text: str = "text\n",
    html: str = "<p>html</p>\n",
    sender_name: str = "Example Team",
    sender_address: str = "no-reply@example.com",
    recipient: str = "ann@example.org",
    reply_to: str | None = None,
    image: InlineImage | None = None,
) -> bytes:
    return mime.build(
        Letter(subject, text, html),
        sender_name=sender_name,
        sender_address=sender_address,
        recipient=recipient,
        message_id=MESSAGE_ID,
        date=DATE,
        reply_to=reply_to,
        image=image,
    )


def parsed(raw: bytes) -> EmailMessage:
    """The message as Python's own parser reads it, which must find nothing to complain about."""
    message = message_from_bytes(raw, policy=policy.default)
    assert message.defects == []
    for part in message.walk():
        assert part.defects == []
        assert [value.defects for value in part.values()] == [()] * len(part.values())
    return message


def display_name(raw: bytes) -> str:
    """The sender's name by the older parser: the newer one puts a space between two encoded words."""
    name, _ = parseaddr(message_from_bytes(raw, policy=policy.compat32)["From"])
    return str(make_header(decode_header(name)))


def contents(message: EmailMessage) -> tuple[str, str]:
    text, html = (cast("EmailMessage", part) for part in message.iter_parts())
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    return text.get_content().replace("\r\n", "\n"), html.get_content().replace("\r\n", "\n")


def test_headers_are_a_fixed_set() -> None:
    """A mail carries exactly these headers, each once: no Bcc, no Reply-To unless asked for."""
    assert parsed(build()).keys() == HEADERS
    assert sorted(parsed(build(reply_to="help@example.com")).keys()) == sorted([*HEADERS, "Reply-To"])


def test_headers_say_what_was_given() -> None:
    """Sender, recipient, date and Message-ID come out as they went in, and nobody auto-replies."""
    message = parsed(build(sender_name='Ann "A" O\\Neil, Ltd.', reply_to="help@example.com"))
    assert message["From"].addresses[0].display_name == 'Ann "A" O\\Neil, Ltd.'
    assert message["From"].addresses[0].addr_spec == "no-reply@example.com"
    assert str(message["To"]) == "ann@example.org"
    assert str(message["Reply-To"]) == "help@example.com"
    assert message["Date"].datetime == DATE
    assert str(message["Message-ID"]) == MESSAGE_ID == f"<{MAIL}@mail.example.com>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"


def test_the_same_mail_is_the_same_bytes() -> None:
    """A retry sends what the first attempt sent, byte for byte; another mail has another boundary."""
    again = mime.build(
        Letter("Hello", "text\n", "<p>html</p>\n"),
        sender_name="Example Team",
        sender_address="no-reply@example.com",
        recipient="ann@example.org",
        message_id=MESSAGE_ID,
        date=DATE.astimezone(timezone(timedelta(hours=5))),
    )
    assert build() == again
    other = "<00000000000000000000000000000007@mail.example.com>"
    assert build().replace(MESSAGE_ID.encode(), b"") != again.replace(MESSAGE_ID.encode(), other.encode())


@given(subject=HEADER_TEXT, name=HEADER_TEXT)
def test_any_header_text_survives(subject: str, name: str) -> None:
    """Whatever a project is called, a reader's program shows it unchanged, and no header line is too long."""
    raw = build(subject=subject, sender_name=name)
    message = parsed(raw)
    assert str(message["Subject"]) == subject.strip(" ")
    assert display_name(raw) == name.strip(" ")
    assert message["From"].addresses[0].addr_spec == "no-reply@example.com"
    head = raw.partition(b"\r\n\r\n")[0]
    folded = head[: head.index(b"\r\nDate")]
    assert max(map(len, folded.split(b"\r\n"))) <= 76


@given(text=BODY, html=BODY)
def test_any_body_survives(text: str, html: str) -> None:
    """Any text comes out as it went in, plus a final newline; the wire sees ASCII, CRLF and short lines."""
    raw = build(text=text, html=html)
    ended = tuple(body if body.endswith("\n") else body + "\n" for body in (text, html))
    assert contents(parsed(raw)) == ended
    assert raw.isascii()
    assert raw.count(b"\r") == raw.count(b"\n") == raw.count(b"\r\n")
    body = raw.partition(b"\r\n\r\n")[2]
    assert max(map(len, body.split(b"\r\n"))) <= 76


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_newline_becomes_crlf(newline: str) -> None:
    """However a body ends its lines, a mail ends them with CRLF."""
    raw = build(text=newline.join(["one", ".", "..two", "three "]) + newline)
    assert contents(parsed(raw))[0] == "one\n.\n..two\nthree \n"
    assert re.search(rb"\r(?!\n)|(?<!\r)\n", raw) is None


@pytest.mark.parametrize("forbidden", FORBIDDEN, ids=lambda c: f"U+{ord(c):04X}")
def test_no_control_character_in_a_header(forbidden: str) -> None:
    """Controls, NUL, line separators and bidi overrides in a header value stop the mail unbuilt."""
    for bad in (f"{forbidden}Hello", f"Hel{forbidden}lo", f"Hello{forbidden}"):
        with pytest.raises(ValueError, match="control"):
            build(subject=bad)
        with pytest.raises(ValueError, match="control"):
            build(sender_name=bad)
    for address in (f"ann{forbidden}@example.org", f"ann@example.org{forbidden}"):
        with pytest.raises(ValueError, match="plain"):
            build(recipient=address)
        with pytest.raises(ValueError, match="plain"):
            build(sender_address=address)
        with pytest.raises(ValueError, match="plain"):
            build(reply_to=address)


@pytest.mark.parametrize(
    "address",
    [
        "", "ann", "@example.org", "ann@", "ann@@example.org", "ann@example.org,bob@example.org",
        "ann @example.org",
        "<ann@example.org>", "Ann <ann@example.org>", "ann@example.org> SIZE=1", "ann@exa mple.org",
        "ann..b@example.org",
        ".ann@example.org", "ann.@example.org", "ann@.example.org", "ann@example..org", "ann@-example.org",
        "ann@example.org.", '"ann"@example.org', "änn@example.org", "ann@exämple.org", "ann＠example.org",
        "ann@example.org\r\nRCPT TO:<bob@example.org>", "a" * 65 + "@example.org",
        "ann@" + "a." * 125 + "org",
        "ann@[127.0.0.1", "ann(comment)@example.org", "ann:bob@example.org;",
    ],
)  # fmt: skip
def test_only_one_plain_address(address: str) -> None:
    """Anything but one plain addr-spec is no recipient, whatever else it may smuggle."""
    assert not email_addresses.is_plain(address)
    with pytest.raises(ValueError, match="plain"):
        build(recipient=address)


@pytest.mark.parametrize(
    "address",
    [
        "a@b.test", "user@localhost", "O'Neil+tag@example.org", "a@[127.0.0.1]", "a@[IPv6:2001:db8::1]",
        "a@xn--exmple-cua.org",
    ],
)  # fmt: skip
def test_plain_addresses_pass(address: str) -> None:
    """Everyday addresses, tags, address literals and encoded international domains are recipients."""
    assert str(parsed(build(recipient=address))["To"]) == address


@PATIENT
@given(WRITTEN, WRITTEN, st.booleans())
def test_whatever_the_door_takes_can_be_written(recipient: str, sender: str, special: bool) -> None:
    """An address of a user's, and one of an operator's, stand in the message as they are kept."""
    try:
        to, own = email_addresses.canonical(recipient, special_use=special), email_addresses.sender(sender)
    except ValueError:
        reject()
    raw = build(recipient=to, sender_address=own)
    assert f"To: {to}\r\n".encode() in raw
    assert f"<{own}>\r\n".encode() in raw
    parsed(raw)


def test_a_lone_surrogate_is_no_body() -> None:
    """Text that can't be encoded stops before anything is built, as a ValueError."""
    with pytest.raises(ValueError, match="surrogates"):
        build(text="\ud800")


def test_a_naive_date_is_refused() -> None:
    """A date without a time zone would shift with the worker's clock settings."""
    with pytest.raises(ValueError, match="aware"):
        mime.build(
            Letter("s", "t", "h"),
            sender_name="",
            sender_address="a@b.test",
            recipient="c@d.test",
            message_id=MESSAGE_ID,
            date=DATE.replace(tzinfo=None),
        )


def test_a_real_letter_survives() -> None:
    """A rendered letter reaches the reader whole, its link unbroken in both parts."""
    link = "https://app.example.com/reset?userId=u&secret=" + "f0" * 128 + "&expire=1592981250"
    letter = templates.render(
        "recovery",
        locale="fr",
        era="modern",
        branding=Branding("Café & Söhne"),
        recipient="ann@example.com",
        link=link,
        expires=DATE,
        lifetime_seconds=3600,
    )
    raw = build(subject=letter.subject, text=letter.text, html=letter.html)
    assert contents(parsed(raw)) == (letter.text, letter.html)
    assert f"\n{link}\n" in contents(parsed(raw))[0]


@pytest.mark.parametrize(("media_type", "name"), [("image/png", "logo.png"), ("image/svg+xml", "logo.svg")])
def test_an_image_travels_with_the_part_that_shows_it(media_type: str, name: str) -> None:
    """Text first, then HTML and image together; the image's id is the one in the HTML; lines stay short."""
    data = bytes(range(256)) * 20
    html = '<img src="cid:logo.1@letters.invalid">\n'
    raw = build(html=html, image=InlineImage("logo.1@letters.invalid", media_type, data))
    message = parsed(raw)
    text, both = (cast("EmailMessage", part) for part in message.iter_parts())
    assert (message.get_content_type(), text.get_content_type()) == ("multipart/alternative", "text/plain")
    assert (both.get_content_type(), both.get_param("type")) == ("multipart/related", "text/html")
    page, image = (cast("EmailMessage", part) for part in both.iter_parts())
    assert page.get_content().replace("\r\n", "\n") == html
    assert (image["Content-ID"], image.get_content_type()) == ("<logo.1@letters.invalid>", media_type)
    assert (image.get_content_disposition(), image.get_filename()) == ("inline", name)
    assert image.get_payload(decode=True) == data
    assert not str(both.get_boundary()).startswith(str(message.get_boundary()))
    assert max(map(len, raw.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 76
    assert raw.count(b"\n") == raw.count(b"\r\n")
