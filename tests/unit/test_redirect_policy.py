"""Redirect targets: refused unless every browser reads an allowed host in them."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.links import redirect_policy

APP = frozenset({"app.example.com"})
FORM = "URL must be absolute, in plain ASCII, without user name and with special characters encoded"
HTTPS = "URL scheme must be https"
PORT = "URL port must be between 1 and 65535"
HOST = "URL host must be one of: app.example.com"
LONG = "URL must not be longer than 2048 characters"
ANSWERS = {"form": FORM, "scheme": HTTPS, "port": PORT, "host": HOST, "fine": None}

_LINES = (Path(__file__).parent / "data" / "redirect_vectors.txt").read_text("ascii").splitlines()
VECTORS = [(ANSWERS[line[:6].strip()], json.loads(line[7:])) for line in _LINES if not line.startswith("#")]


def answer(url: str, *hostnames: str, plain_http: bool = False) -> str | None:
    """The message that the client gets, or None if the very same address came back."""
    try:
        assert redirect_policy.check(url, set(hostnames) or APP, plain_http=plain_http) is url
    except ValueError as error:
        return str(error)
    return None


def test_vectors() -> None:
    """Every known trick to smuggle in a foreign host gets exactly the answer noted beside it."""
    assert {url: answer(url) for _, url in VECTORS} == {url: expected for expected, url in VECTORS}


@pytest.mark.parametrize(
    ("expected", "url"),
    [
        (None, "https://app.example.com"),
        (None, "HTTPS://app.example.com/"),
        (None, "https://app.example.com:1/"),
        (None, "https://app.example.com:65535/"),
        (None, "https://app.example.com/p?a=1&a=2&c[]=7&c[]=8"),
        (None, "https://app.example.com/#/reset?c[]=1"),
        (None, "https://app.example.com/a%20b?x=%C3%A9%7E"),
        (None, "https://app.example.com/?u=https://evil.test/@x:y"),
        (None, "https://app.example.com/it's;(fine)!*$,=+~._-:@"),
        (PORT, "https://app.example.com:65536/"),
        (FORM, "https://app.example.com:0/"),
        (FORM, "https://app.example.com:080/"),
        (FORM, "https://app.example.com:123456/"),
        (FORM, "https://app.example.com:8 0/"),
        (FORM, "https://app.example.com:+80/"),
        (FORM, "https://app.example.com:80:80/"),
        (FORM, "https://@app.example.com/"),
        (FORM, "https://:@app.example.com/"),
        (FORM, "https://app.example.com\n"),
        (FORM, "https://app.example.com/\n"),
        (FORM, "https://app.example.com/\r\nSet-Cookie:x"),
        (FORM, "https://app.example.com/\x00"),
        (FORM, "https://app.example.com/\x7f"),
        (FORM, "https://app.example.com/a b"),
        (FORM, "https://app.example.com/é"),
        (FORM, "https://app.example.com/\ud800"),
        (FORM, "https://app.example.com/a\\b"),
        (FORM, "https://app.example.com/?a\\b"),
        (FORM, "https://app.example.com/#a\\b"),
        (FORM, "https://app.example.com/#a#b"),
        (FORM, "https://app.example.com/c[]"),
        (FORM, "https://[app.example.com]/"),
        (FORM, "https://[::1%25eth0]/"),
        (FORM, "https://[::1/"),
        (FORM, ""),
        (FORM, "app.example.com"),
        (FORM, "https://app.example.com,evil.test/"),
        (FORM, "https://(app.example.com)/"),
        (HOST, "https://app.example.com../"),
        (HOST, "https://.app.example.com/"),
        (HOST, "https://app..example.com/"),
        (HOST, "https://app.example.com-/"),
        (HOST, "https://./"),
        (HOST, "https://example.com/"),
        (HOST, "http://evil.test/"),
        (HTTPS, "ws://app.example.com/"),
        (HTTPS, "httpss://app.example.com/"),
        (HTTPS, "data://app.example.com/x"),
        (HTTPS, "https+x://app.example.com/"),
    ],
)
def test_more_tricks(expected: str | None, url: str) -> None:
    """An address of the narrow form passes unchanged, and a near miss is refused for the right reason."""
    assert answer(url) == expected


@pytest.mark.parametrize(
    "start", ["https://app.example.com/", "https://app.example.com/?a=", "https://app.example.com/#"]
)
def test_dangerous_character(start: str) -> None:
    """No address holds what could end an attribute, nor a control character even in its escaped form."""
    for bad in ('"', "<", ">", "`", "{", "}", "|", "^", " ", "\\", "%", "%4", "%zz", "%0d", "%00", "%7F", "%1f"):
        assert answer(start + bad) == FORM, bad


@pytest.mark.parametrize(
    ("expected", "url"),
    [
        (None, "http://localhost/verification"),
        (None, "http://LocalHost:3000/p"),
        (None, "http://app.localhost:3000/p"),
        (None, "http://127.0.0.1:8080/"),
        (None, "http://[::1]:8080/"),
        (None, "https://localhost/"),
        (HTTPS, "http://app.example.com/"),
        (HTTPS, "http://192.168.0.1/"),
        (HTTPS, "http://[::ffff:127.0.0.1]/"),
        (HTTPS, "http://127.0.0.2/"),
    ],
)
def test_plain_http_is_for_loopback(expected: str | None, url: str) -> None:
    """Without encryption only an address of the reader's own machine passes, and that must be listed too."""
    listed = (
        "localhost",
        "*.localhost",
        "127.0.0.1",
        "[::1]",
        "app.example.com",
        "192.168.0.1",
        "[::ffff:127.0.0.1]",
    )
    assert answer(url, *listed, "127.0.0.2") == expected


def test_plain_http_switch() -> None:
    """A project may allow plain http for all its hosts, which opens no other host and no other scheme.

    Who doesn't say so allows none.
    """
    with pytest.raises(ValueError, match=HTTPS):
        redirect_policy.check("http://app.example.com/", APP)
    assert answer("http://app.example.com/", plain_http=True) is None
    assert answer("http://evil.test/", plain_http=True) == HOST
    assert answer("ftp://app.example.com/", plain_http=True) == HTTPS


def test_loopback_is_not_allowed_by_itself() -> None:
    """Even localhost is refused where the project doesn't list it."""
    assert answer("http://localhost/") == HOST
    assert answer("https://127.0.0.1/") == HOST


def test_hosts_are_listed_in_order() -> None:
    """The answer to a foreign host names all allowed ones, sorted."""
    assert (
        answer("https://x.test/", "b.test", "*.c.test", "a.test") == "URL host must be one of: *.c.test, a.test, b.test"
    )
    assert answer("http://x.test/", "localhost") == "URL host must be one of: localhost"


def test_length() -> None:
    """2048 characters are the most, and longer ones aren't even looked at."""
    start = "https://app.example.com/"
    assert answer(start + "a" * (2048 - len(start))) is None
    assert answer(start + "a" * (2049 - len(start))) == LONG
    assert answer("\x00" * 5_000_000) == LONG


@pytest.mark.parametrize(
    ("expected", "host", "name"),
    [
        (True, "app.example.com", "app.example.com"),
        (True, "APP.example.com", "app.EXAMPLE.com"),
        (True, "a.example.com", "*.example.com"),
        (True, "a.b.example.com", "*.example.com"),
        (True, "r3---sn.example.com", "*.example.com"),
        (True, "xn--pp-7cd.example.com", "xn--pp-7cd.example.com"),
        (True, "my_host", "my_host"),
        (True, "[::1]", "[::1]"),
        (True, f"{'a' * 63}.example.com", "*.example.com"),
        (False, f"{'a' * 64}.example.com", "*.example.com"),
        (False, f"{'a.' * 130}example.com", "*.example.com"),
        (False, "example.com", "*.example.com"),
        (False, ".example.com", "*.example.com"),
        (False, "a..example.com", "*.example.com"),
        (False, "-a.example.com", "*.example.com"),
        (False, "a-.example.com", "*.example.com"),
        (False, "a_b.example.com", "*.example.com"),
        (False, "xn--pp-7cd.example.com", "*.example.com"),
        (False, "b.xn--pp-7cd.example.com", "*.example.com"),
        (False, "evil.test/.example.com", "*.example.com"),
        (False, "evil.test\n.example.com", "*.example.com"),
        (False, "*.example.com", "*.example.com"),
        (False, "aexample.com", "*.example.com"),
        (False, "a.example.net", "*.example.com"),
        (False, "a.example.com.", "*.example.com"),
        (False, "a.example.com", "*"),
        (False, "a.example.com", "*."),
        (False, "a.", "*."),
        (False, "a.example.com", "a.*.com"),
        (False, "a.example.com", "*example.com"),
        (False, "a.example.com", ".example.com"),
        (False, "", ""),
        (False, "app.example.com", "app.example.co"),
        (False, "::1", "[::1]"),
        (False, "[0:0:0:0:0:0:0:1]", "[::1]"),
        (False, "127.1", "127.0.0.1"),
    ],
)
def test_host(expected: bool, host: str, name: str) -> None:
    """A host is allowed by its exact name, or by a wildcard for whole, ordinary labels before a suffix."""
    assert redirect_policy.host_allowed(host, [name]) is expected


@pytest.mark.parametrize(
    ("expected", "url"),
    [
        (True, "https://any.example.com"),
        (True, "HTTP://any.example.com:65535/p?a=1"),
        (True, "https://any.example.com/" + "a" * (2048 - 24)),
        (False, "https://any.example.com/" + "a" * (2049 - 24)),
        (False, "https://any.example.com:65536/"),
        (False, "ftp://any.example.com/"),
        (False, "any.example.com"),
        (False, ""),
    ],
)
def test_an_operators_page(expected: bool, url: str) -> None:
    """An operator's page may be on any host, in the form that may be mailed."""
    assert redirect_policy.is_page(url) is expected


@pytest.mark.parametrize(
    ("expected", "url"),
    [
        (True, "http://any.example.com/"),
        (True, "HTTP://any.example.com/"),
        (False, "https://any.example.com/"),
        (False, "http://localhost:3000/"),
        (False, "http://[::1]/"),
        (False, "no address"),
    ],
)
def test_a_page_that_eavesdroppers_read(expected: bool, url: str) -> None:
    """Plain http is open unless it stays on this machine."""
    assert redirect_policy.is_open(url) is expected


def test_localhost_stands_for_loopback() -> None:
    """A listed localhost covers each loopback address; no other name stands for them, nor it for another host."""
    assert redirect_policy.host_allowed("127.0.0.1", ["localhost"])
    assert redirect_policy.host_allowed("[::1]", ["LocalHost"])
    assert redirect_policy.host_allowed("shop.localhost", ["localhost"])
    assert not redirect_policy.host_allowed("shop.localhost.example.com", ["localhost"])
    assert not redirect_policy.host_allowed("shop.localhost", ["app.example.com"])
    assert not redirect_policy.host_allowed("127.0.0.1", ["app.example.com"])
    assert not redirect_policy.host_allowed("app.example.com", ["localhost"])


def test_a_long_host() -> None:
    """A wildcard covers names of 253 characters, the most that DNS knows, and no longer ones."""
    long = "a." * 120 + "b.example.com"
    assert len(long) == 253
    assert redirect_policy.host_allowed(long, ["*.example.com"])
    assert not redirect_policy.host_allowed(long.replace("b.", "bb."), ["*.example.com"])


def test_no_hosts() -> None:
    """A project without hosts gets no mail anywhere."""
    assert redirect_policy.host_allowed("localhost", ()) is False


@given(
    st.text(max_size=80)
    | st.from_regex(r"https?://[a-z.:@\\/\[\]%#?\t]{0,40}app\.example\.com[!-~]{0,20}", fullmatch=True)
)
@example("https://app.example.com/")
def test_nothing_but_the_host(url: str) -> None:
    """Whatever passes begins with an allowed host in its plainest spelling, ended by what ends a host."""
    if answer(url) is None:
        assert re.match(r"(?i:https://app\.example\.com)(:[0-9]+)?([/?#]|\Z)", url)
        assert url.isascii()
        assert url.isprintable()
        assert not re.search(r'[\\"<> ]', url)
