"""Addresses that requests to URLs of others may go to."""

import socket
from ipaddress import ip_address, ip_network

import pytest

from service import webhook_urls
from service.outbound_addresses import OutboundSockets, is_public

INSIDE = (
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.0.8", "192.0.2.1", "198.18.0.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.88.99.1",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "fe80::1", "fec0::1", "fc00::1", "fd12::1",
    "ff02::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1", "2001:0:7f00:1::", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "100::1",
)  # fmt: skip


def dialled(address: str) -> tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, 443))


@pytest.mark.parametrize("address", INSIDE)
def test_an_inside_address_is_not_dialled(address: str):
    """Loopback, private, link-local, shared, reserved, multicast, and what carries such an address of IPv4."""
    assert not is_public(ip_address(address))
    with pytest.raises(PermissionError):
        OutboundSockets(())(dialled(address))
    literal = f"[{address}]" if ":" in address else address
    assert webhook_urls.fault(f"https://{literal}/", ()) == "its address is not public"


def test_a_scope_is_no_way_around():
    """An address with the name of an interface is the same address."""
    with pytest.raises(PermissionError):
        OutboundSockets(())(dialled("fe80::1%lo"))


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_an_address_of_the_internet_is_dialled(address: str):
    """Over https; without it only what the operator has named."""
    with OutboundSockets(())(dialled(address)):
        pass
    with pytest.raises(PermissionError):
        OutboundSockets((), public=False)(dialled(address))


def test_an_operator_names_networks_inside():
    """Also where the address comes as one of IPv6."""
    sockets = OutboundSockets((ip_network("10.1.0.0/16"),), public=False)
    for address in ("10.1.2.3", "::ffff:10.1.2.3"):
        with sockets(dialled(address)):
            pass
    with pytest.raises(PermissionError):
        sockets(dialled("10.2.0.1"))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "ftp://example.com/", "https://", "https://user:secret@example.com/", "https://a b/",
        "https://example.com/#x", "https://example.com:99999/", "https://" + "a" * 70 + ".example/", "https://x:0/",
        "https://example.com/" + "x" * 2048, "//example.com/", "",
    ],
)  # fmt: skip
def test_a_url_of_another_form_is_refused(url: str):
    """https, a host, no user, no fragment, no more than 2048 characters."""
    assert webhook_urls.fault(url, ()) != ""
    assert webhook_urls.fault("https://example.com:8443/events?a=b", ()) == ""
    assert webhook_urls.fault("http://inside.example/", (ip_network("10.0.0.0/8"),)) == ""
