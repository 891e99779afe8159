"""SMTP_URL: one server or several, TLS or nothing, and faults without a piece of it."""

import traceback

import pytest

from tests.integration.worker.relays import PASSWORD, QUOTED
from worker.relays import SmtpUrl, parse_urls

HIDDEN = "Hid" + "den8"  # in two pieces, since a traceback shows the lines of this file


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.com", SmtpUrl("mail.example.com", 587, tls="starttls")),
        ("smtp://u:p@MAIL.example.com:2525/", SmtpUrl("mail.example.com", 2525, "u", "p")),
        (f"smtp://u%40example.com:{QUOTED}@h?tls=required", SmtpUrl("h", 587, "u@example.com", PASSWORD)),
        (f"smtps://u:{QUOTED}@h", SmtpUrl("h", 465, "u", PASSWORD, "implicit")),
        ("smtp://localhost?tls=none", SmtpUrl("localhost", 25, tls="none")),
        ("smtp://u:p@127.0.0.1:1025?tls=none", SmtpUrl("127.0.0.1", 1025, "u", "p", "none")),
        (
            "smtp://[::1]:1025?tls=none&helo=web.example.com",
            SmtpUrl("::1", 1025, tls="none", helo="web.example.com"),
        ),
        ("smtp://h?tls=none&helo=[192.0.2.1]", SmtpUrl("h", 25, tls="none", helo="[192.0.2.1]")),
        (f"smtps://h?ca={__file__}", SmtpUrl("h", 465, tls="implicit", ca=__file__)),
    ],
)
def test_url_is_read(url: str, server: SmtpUrl) -> None:
    """TLS is required unless the URL says otherwise; credentials are percent-decoded."""
    assert parse_urls(url) == (server,)


@pytest.mark.parametrize(
    "url",
    [
        "", "mail.example.com", "http://u:{}@h", "smtp://u:{}@", "smtp://u:{}@h:0", "smtp://u:{}@h:99999",
        "smtp://u:{}@h:port",
        "smtp://u:{}@h:", "smtp://u:{}@h/path", "smtp://u:{}@h#x", "smtp://u:{}/x@h:587", "smtp://u:#{}@h",
        "smtp://u:?{}@h",
        "smtp://u:{}%ff@h", "smtp://u:{}%00@h", "smtp://u:{}%0a@h", "smtp://u@h", "smtp://:{}@h",
        "smtp://u:{}@h?tls=maybe",
        "smtp://u:{}@h?tls=none", "smtps://u:{}@127.0.0.1?tls=none", "smtp://u:{}@h?tls=required&tls=none",
        "smtp://u:{}@h?starttls=no",
        "smtp://u:{}@h?tls", "smtp://u:{}@h?ca=/nowhere.pem", "smtp://u:{}@h_h", "smtp://u:{}@h h",
        "smtp://u:{}@h?helo=a%20b", "smtp://u:{}@h?helo=web_1", "smtp://u:{}@h?helo=[::1]", "smtp://u:{}@h?helo=",
        "smtp://u:{}@[::1", "smtp://u:[{}@h",
    ],
)  # fmt: skip
def test_bad_urls_say_why_without_the_password(url: str) -> None:
    """A wrong URL is refused with a sentence; neither it nor its traceback repeats a piece of the URL."""
    with pytest.raises(ValueError, match="SMTP URL") as caught:
        parse_urls(url.format(HIDDEN))
    told = "".join(traceback.format_exception(caught.value))
    assert HIDDEN not in told
    assert caught.value.__context__ is None


def test_a_name_of_its_own_goes_before_the_settings() -> None:
    """A URL's ?helo= is for its server alone; the others say what the settings have."""
    one, two = parse_urls("smtp://one?helo=special.test smtp://two", helo="accounts.test")
    assert (one.helo, two.helo) == ("special.test", "accounts.test")


def test_the_password_is_not_shown() -> None:
    """Printing a server never prints its password."""
    assert PASSWORD not in repr(parse_urls(f"smtp://u:{QUOTED}@h"))


def test_several_servers_are_parted_by_space() -> None:
    """The first is preferred; a comma is no separator, because a password may hold one."""
    one, two = parse_urls(" smtp://u:a,b@one.test\n\tsmtps://[::1]:4650 ")
    assert (one.password, one.name) == ("a,b", "one.test:587")
    assert (two.tls, two.name) == ("implicit", "[::1]:4650")
    assert parse_urls("smtp://one.test") == (SmtpUrl("one.test", 587, tls="starttls"),)


@pytest.mark.parametrize(
    ("urls", "says"),
    [
        ("", "the scheme"),
        ("smtp://u:{}@h,smtp://u:{}@h", "a space parts"),
        ("smtp://u:{} x@h", "server 1 of 2"),
        ("smtp://one smtp://u:{}@two?tls=none", "server 2 of 2: .* this machine"),
        ("smtp://one smtp://u:{}@ONE:587", "two have the same host and port"),
    ],
)
def test_a_bad_one_among_several_is_named(urls: str, says: str) -> None:
    """Each URL is checked as if it stood alone, and the fault says which one it is and nothing of it."""
    with pytest.raises(ValueError, match=says) as caught:
        parse_urls(urls.format(HIDDEN, HIDDEN))
    assert HIDDEN not in "".join(traceback.format_exception(caught.value))
