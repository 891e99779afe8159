"""Lookups in the DNS, by the system's servers or one that is named."""

from typing import Any
from urllib.parse import urlsplit

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver
import dns.reversename

# Seconds for one lookup, with all of its attempts.
_PATIENCE = 3.0
_NOTHING = (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer)


class DnsUnavailable(Exception):
    """No server answered; the message says why."""


class DnsLookups:
    """Lookups that tell an answer of nothing from no answer. All raise DnsUnavailable for the latter."""

    def __init__(self, server: str = "") -> None:
        """Ask `server`, an address perhaps with a port, instead of those that the system has."""
        self._resolver: dns.asyncresolver.Resolver | None
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not server)
        except dns.resolver.NoResolverConfiguration:
            self._resolver = None
            return
        self._resolver.lifetime = _PATIENCE
        if server:
            parts = urlsplit(f"//{server}")
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(parts.hostname or "", parts.port or 53)]

    async def texts(self, name: str) -> list[str]:
        """Look up TXT records, each with its pieces joined."""
        found = await self._ask(name, "TXT")
        return [b"".join(record.strings).decode("utf-8", "replace") for record in found]

    async def addresses(self, name: str) -> list[str]:
        return [str(record) for kind in ("A", "AAAA") for record in await self._ask(name, kind)]

    async def names_of(self, address: str) -> list[str]:
        """Look up the names of an address, without their final dot."""
        reverse = dns.reversename.from_address(address).to_text()
        return [str(record).rstrip(".").lower() for record in await self._ask(reverse, "PTR")]

    async def exists(self, name: str) -> bool:
        """Tell whether there is such a name, whatever it holds."""
        try:
            await self._answer(name, "TXT")
        except dns.resolver.NXDOMAIN:
            return False
        except dns.resolver.NoAnswer:
            pass
        return True

    async def _ask(self, name: str, kind: str) -> list[Any]:
        try:
            return list(await self._answer(name, kind))
        except _NOTHING:
            return []

    async def _answer(self, name: str, kind: str) -> dns.resolver.Answer:
        if self._resolver is None:
            raise DnsUnavailable("this machine has no DNS server")
        try:
            return await self._resolver.resolve(name, kind, search=False)
        except _NOTHING:
            raise
        except dns.exception.Timeout:
            raise DnsUnavailable("no answer in time") from None
        except dns.resolver.NoNameservers:
            raise DnsUnavailable("the DNS server refuses or fails") from None
        except (dns.exception.DNSException, OSError) as fault:
            raise DnsUnavailable(type(fault).__name__) from None
