"""Mails that came back: their outcome, and junk that is refused before it is parsed."""

import contextlib
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testkit import bounces
from worker.bounces import bounce_mail
from worker.bounces.bounce_mail import UnreadableBounce
from worker.bounces.return_path import ReturnPath

MAIL, ANN = UUID(int=7), "ann@example.com"
PATHS = ReturnPath("bounces@bounces.example.com", {"new": b"n" * 32, "old": b"o" * 32})
TO = PATHS.of(MAIL)


def test_a_return_path_names_its_mail_and_no_other():
    """Any case, any key of the ring; a changed tag, another mail's tag and a longer address are nobody's."""
    local, _, domain = TO.partition("@")
    assert (len(local) <= 64, local.startswith(f"bounces+{MAIL.hex}."), domain) == (True, True, "bounces.example.com")
    assert PATHS.mail_of(TO.upper()) == MAIL
    assert PATHS.mail_of(ReturnPath(PATHS.address, {"old": b"o" * 32}).of(MAIL)) == MAIL
    forged = [
        ReturnPath(PATHS.address, {"x": b"x" * 32}).of(MAIL),
        TO.replace(MAIL.hex, UUID(int=8).hex),
        f"x{TO}",
        f"{TO}.example.net",
        PATHS.address,
        "",
    ]
    assert [PATHS.mail_of(each) for each in forged] == [None] * len(forged)


@pytest.mark.parametrize(
    ("status", "action", "outcome", "gone"),
    [
        ("5.1.1", "failed", "bounced", True),
        ("5.1.2", "failed", "bounced", True),
        ("5.2.1", "failed", "bounced", True),
        ("5.1.10", "failed", "bounced", True),
        ("5.2.2", "failed", "bounced", False),
        ("5.7.1", "failed", "bounced", False),
        ("4.4.1", "failed", "bounced", False),
        ("4.2.2", "delayed", "deferred", False),
        ("2.0.0", "delivered", "delivered", False),
        ("5.1.1", "Failed (permanently)", "bounced", True),
    ],
)
def test_a_dsn_tells_by_action_and_status(status: str, action: str, outcome: str, gone: bool):
    """A mailbox is gone by some statuses alone: a full one, a policy and a delay are no reason to give it up."""
    report = bounce_mail.read(bounces.dsn(TO, ANN, action=action, status=status), MAIL)
    assert report
    assert (report.outcome, report.gone, report.mail_id, report.recipients) == (outcome, gone, MAIL, {ANN})
    assert report.detail.startswith(status)


def test_complaints_and_older_forms():
    """An abuse report is a complaint, with its recipient or without; qmail's bounce names the address and a status."""
    complaint = bounce_mail.read(bounces.arf(PATHS.address, TO, ANN), MAIL)
    assert complaint
    assert (complaint.outcome, complaint.recipients) == ("complained", {ANN})
    redacted = bounce_mail.read(bounces.arf(PATHS.address, TO), MAIL)
    assert redacted
    assert redacted.recipients == frozenset()
    for kind in (b"not-spam", b"auth-failure", b"Virus"):  # nobody complains
        assert bounce_mail.read(bounces.arf(PATHS.address, TO, ANN).replace(b"abuse\n", kind + b"\n"), MAIL) is None
    older = bounce_mail.read(bounces.qmail(TO, ANN), MAIL)
    assert older
    assert (older.outcome, older.gone, older.recipients, older.detail) == ("bounced", True, {ANN}, "5.1.1")
    assert bounce_mail.read(bounces.automatic_reply(TO), MAIL) is None


@pytest.mark.parametrize(
    "raw",
    [
        bounces.nested(2000),
        b"From: a\n" + b"Content-Type: message/rfc822\n\n" * 2000,
        b"From: a\nContent-Type: multipart/mixed" + b";a=b" * 20_000 + b"\n\n",
        b"From: a\nContent-Type: multipart/mixed" + b";\r\n a=b" * 20_000 + b"\n\n",
        b"From: a\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n" * 2000,
        b"x" * (bounce_mail.MOST_BYTES + 1),
    ],
    ids=["multiparts", "messages", "parameters", "folded parameters", "borders", "large"],
)
def test_junk_is_refused_before_it_is_parsed(raw: bytes):
    """Nested 2,000 deep, one header of 80 kB, or too large: the parsers would take seconds and end in an error."""
    with pytest.raises(UnreadableBounce):
        bounce_mail.read(raw, MAIL)


@pytest.mark.parametrize(
    "line",
    [
        ",",
        "did not reach the following recipient\nSMTP=",
        "did not reach the following recipient\na",
        "failed addresses follow:\na",
        "Unable to deliver message to\n*",
        "Sorry, unable to deliver your message to\na@",
    ],
)
def test_a_long_line_takes_no_time_by_its_square(line: str):
    """256 kB in one line, which whoever has got a mail can send to its return path: minutes in which no mail goes."""
    head, _, piece = line.rpartition("\n")
    raw = f"From: a@example.net\n\n{head}\n".encode()
    raw += piece.encode() * ((bounce_mail.MOST_BYTES - len(raw)) // len(piece))
    assert bounce_mail.read(raw, MAIL) is None


def test_an_older_form_is_found_in_front_of_a_long_original():
    """The notice comes first; what follows it may be long, and have long lines."""
    older = bounce_mail.read(bounces.qmail(TO, ANN) + b"x" * 100_000 + b"\n" * 50_000, MAIL)
    assert older
    assert older.recipients == {ANN}


@given(st.binary(max_size=2000), st.integers(0, 2000))
def test_no_bytes_raise_anything_else(noise: bytes, place: int):
    """A report with anything in the middle of it is read or refused."""
    raw = bounces.dsn(TO, ANN)
    with contextlib.suppress(UnreadableBounce):
        bounce_mail.read(raw[:place] + noise + raw[place:], MAIL)
