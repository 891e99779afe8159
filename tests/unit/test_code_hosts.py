"""The host that a mailed code is bound to."""

import pytest

from worker.mail import compose


@pytest.mark.parametrize(
    ("hostnames", "host"),
    [
        (["shop.example"], "shop.example"),
        (["www.shop.example", "shop.example", "*.shop.example"], "shop.example"),
        (["shop.example", "other.example"], None),
        (["shop.example", "myshop.example"], None),
        (["localhost"], None),
        (["localhost", "127.0.0.1", "[::1]", "app.localhost", "shop.example"], "shop.example"),
        ([], None),
    ],
)
def test_a_code_belongs_to_one_site(hostnames: list[str], host: str | None) -> None:
    """The host of which all others are subdomains; none for several sites, since only one can be named."""
    assert compose._code_host(hostnames) == host
