"""The client's address behind trusted proxies, its user agent, origin and language."""

import ipaddress
from functools import lru_cache

from aiohttp import web

from service import i18n
from service.http import headers
from service.http.context import Client
from service.http.forwarded import Forwarding, parse_address

_AGENT = 512
# Characters of Accept-Language that are read.
_ACCEPTED = 256
# Characters of a client that is remembered, and how many are.
_SHORT, _REMEMBERED = 1024, 1024


def client_of(request: web.Request, forwarding: Forwarding) -> Client:
    given = request.headers
    locale = request.query.get("locale", "") if "locale" in request.rel_url.raw_query_string else ""
    told = (
        given.get("User-Agent", "UNKNOWN"),
        locale or given.get("X-Appwrite-Locale", ""),
        given.get("Origin", ""),
    )
    make = _make_again if sum(map(len, told)) <= _SHORT else _make
    return make(forwarding.address(request), *told)


def _make(ip: str, agent: str, locale: str, origin: str) -> Client:
    locale = locale if i18n.is_locale(locale) else ""
    return Client(ip=ip, user_agent=agent_of(agent), locale=locale, origin=_origin(origin))


# Most clients come again with the same words.
_make_again = lru_cache(_REMEMBERED)(_make)


def accepted_languages(request: web.Request) -> list[str]:
    """List what the browser asks for, in its order. Browsers write the first choice first, so no `q` is read."""
    accepted = headers.joined(request, "Accept-Language")[:_ACCEPTED].split(",")
    found = (entry.partition(";")[0].strip() for entry in accepted)
    return [locale for locale in found if i18n.is_locale(locale)]


def _origin(text: str) -> str:
    """Normalize an Origin; anything else is "null", as browsers send it. Preflights echo it as a header."""
    return text if text.isascii() and text.isprintable() and text != "*" else "null"


def is_address(text: str) -> bool:
    return parse_address(text) is not None


@lru_cache(_REMEMBERED)
def networks_of(ip: str) -> tuple[str, str]:
    """Return the keys by which limits count an address: IPv4 as it is, IPv6 by the /64 that one customer has.

    The second is the /48 that one site may have of IPv6; empty for IPv4, where addresses are scarce.
    """
    address = parse_address(ip)
    if address is None or address.version == 4:
        return str(address or ip), ""
    own, wide = (ipaddress.ip_network((address, bits), strict=False) for bits in (64, 48))
    return str(own.network_address), str(wide)


def agent_of(text: str) -> str:
    """Return the user agent as it is stored: bytes that are no text would break the log further on."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(character for character in text if character.isprintable())
    return text[:_AGENT]
