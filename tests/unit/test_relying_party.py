"""The relying party of passkeys: which host a ceremony is for, and which origins may take part in it."""

import pytest

from service.cli.projects import values
from service.links import relying_party

ANDROID = "android:apk-key-hash:" + "Aa_-" * 10 + "xyz"
HOSTS = ("example.com", "app.example.com", "*.shops.example.com", "other.example", "localhost")


def party(origin: str = "", *, rp_id: str = "example.com", hostnames=HOSTS):
    return relying_party.find(rp_id, hostnames, [ANDROID, "com.example.app"], origin=origin)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://example.com", True),
        ("https://app.example.com", True),
        ("https://a.shops.example.com", True),
        ("https://a.b.shops.example.com", True),
        (ANDROID, True),
        ("https://shops.example.com", False),
        ("https://blog.example.com", False),
        ("https://other.example", False),
        ("https://notexample.com", False),
        ("https://example.com.evil.example", False),
        ("https://example.com:443", False),
        ("https://example.com/", False),
        ("https://example.com.", False),
        ("https://user@example.com", False),
        ("https://EXAMPLE.com", False),
        (" https://example.com", False),
        ("https://example.com\n", False),
        ("http://example.com", False),
        ("http://localhost", False),
        ("android:apk-key-hash:" + "A" * 43, False),
        ("com.example.app", False),
        ("null", False),
        ("", False),
    ],
)
def test_origins(origin: str, allowed: bool):
    """Listed hosts at or below the relying party by https, and apps that are listed by their certificate; no others."""
    found = party()
    assert found
    assert found.allows(origin) is allowed


def test_the_host_itself_needs_no_listing():
    """Apps on Apple's systems are at it."""
    found = party(hostnames=())
    assert found
    assert found.allows("https://example.com")
    assert not found.allows("https://app.example.com")


def test_localhost():
    """A page on it makes passkeys for it if it is listed, with any port and without https."""
    for origin in ("http://localhost", "http://localhost:3000", "https://localhost:1"):
        found = party(origin)
        assert found
        assert found.id == "localhost"
        assert found.allows(origin)
        assert not found.allows("https://example.com")
    for origin in ("http://localhost.evil.example", "http://localhost:0", "http://localhost/x", "http://127.0.0.1"):
        found = party(origin)
        assert found
        assert found.id == "example.com"
    unlisted = party("http://localhost:3000", hostnames=("example.com",))
    assert unlisted
    assert unlisted.id == "example.com"
    assert party(rp_id="localhost", hostnames=("example.com",)) is None
    assert party(rp_id="") is None


def test_a_digest_tells_of_each_origin():
    """Hosts of others make no difference, a host below and an app do."""
    digests = {
        found.digest
        for hostnames in (HOSTS, HOSTS[:-2], HOSTS[:2], ("www.example.com",), ())
        if (found := party(hostnames=hostnames))
    }
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("example.com", "example.com"), ("App.Example.com", "app.example.com"), ("localhost", "localhost"), ("", ""),
        ("bücher.example", "xn--bcher-kva.example"), ("my.github.io", "my.github.io"),
    ],
)  # fmt: skip
def test_hosts_of_passkeys(text: str, host: str):
    """In small letters and ASCII, as a browser compares them."""
    assert values.rp_id(text) == host


@pytest.mark.parametrize(
    "text",
    ["com", "co.uk", "github.io", "intranet", "https://example.com", "example.com:443", "*.example.com", "192.0.2.1",
     "[::1]", "example.com/", "exa mple.com", "-example.com", "a" * 64 + ".example", "x." * 130 + "example"],
)  # fmt: skip
def test_hosts_that_are_none(text: str):
    """No public suffix, no IP address, no origin: passkeys of it would be anybody's, or nobody's."""
    with pytest.raises(Exception, match="a host such as example"):
        values.rp_id(text)
