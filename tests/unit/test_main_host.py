"""The host that a mailed code is bound to, and to which pages lead back."""

import pytest

from service.links import main_host


@pytest.mark.parametrize(
    ("hostnames", "host"),
    [
        (["shop.example"], "shop.example"),
        (["www.shop.example", "shop.example", "*.shop.example"], "shop.example"),
        (["shop.example", "other.example"], None),
        (["shop.example", "myshop.example"], None),
        (["localhost"], None),
        (["localhost", "127.0.0.1", "[::1]", "app.localhost", "shop.example"], "shop.example"),
        (["*.shop.example"], None),
        ([], None),
    ],
)
def test_a_project_has_one_main_site(hostnames: list[str], host: str | None) -> None:
    """The host of which all others are subdomains; none for several sites, since only one can be named."""
    assert main_host.find(hostnames) == host
