"""Checks of the way out: relays, the name for EHLO, and the DNS records of senders."""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from service.cli.findings import Finding, State
from service.crypto import key_derivation
from service.crypto.sealing import CannotUnseal
from service.store.dkim_keys import DkimKey
from service.store.project_relays import ProjectRelay

if TYPE_CHECKING:
    from service.cli.doctor.dns_lookups import DnsLookups
    from service.settings import Settings

# Domains of senders, with the keys that sign for each here.
Senders = Mapping[str, Sequence[DkimKey]]

# Of more senders the operator asks one by one: each domain costs thirty lookups.
_MOST_DOMAINS = 10
# Servers of projects' own that are tried at a time.
_MOST_AT_A_TIME = 10


class Step(Protocol):
    """Result of the worker's check, which the entry point passes in: nothing here knows SMTP."""

    @property
    def relay(self) -> str: ...
    @property
    def step(self) -> str: ...
    @property
    def state(self) -> State: ...
    @property
    def message(self) -> str: ...
    @property
    def passed(self) -> bool: ...


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dkim-selector", dest="selectors", action="append", default=[], metavar="NAME",
        help="selector of the relay's DKIM key, s= in DKIM-Signature; common ones are tried if none is given",
    )  # fmt: skip
    parser.add_argument("--dns-server", default="", metavar="ADDRESS", help="ask this DNS server, not the system's")


async def try_relays(
    arguments: argparse.Namespace, settings: "Settings", own: ProjectRelay | None = None
) -> Sequence[Step] | Finding:
    """Try each relay, or a project's own one; a finding instead if its URL can't be used."""
    try:
        steps: Sequence[Step] = await arguments.try_relays(settings, own)
    except (ValueError, OSError, CannotUnseal) as fault:
        return Finding("relay", "fail", f"{f'{own.server}/{own.project_id}' if own else 'SMTP_URL'}: {fault}")
    return steps


async def try_own_relays(
    arguments: argparse.Namespace, settings: "Settings", relays: Sequence[ProjectRelay]
) -> list[Finding]:
    """Try the servers of projects' own; each finding names server and project."""
    limit = asyncio.Semaphore(_MOST_AT_A_TIME)

    async def tried(relay: ProjectRelay) -> list[Finding]:
        async with limit:
            return [*of_steps(await try_relays(arguments, settings, relay)), *_sealed_under(relay, settings)]

    return [finding for findings in await asyncio.gather(*map(tried, relays)) for finding in findings]


def _sealed_under(relay: ProjectRelay, settings: "Settings") -> list[Finding]:
    """Warn of a password that can't be decrypted any more once its key is taken away."""
    if relay.kid not in settings.key_ring or relay.kid == key_derivation.current(settings.key_ring):
        return []
    text = f"its password is encrypted under {relay.kid}; run `secret-keys reseal` before you take that key away"
    return [Finding("relay", "warn", f"{relay.server}/{relay.project_id}: {text}")]


def of_steps(steps: Sequence[Step] | Finding) -> list[Finding]:
    return [steps] if isinstance(steps, Finding) else [of_step(step) for step in steps]


def of_step(step: Step, state: State | None = None) -> Finding:
    return Finding("relay", state or step.state, f"{step.relay} {step.step}: {step.message}")


async def check_names(arguments: argparse.Namespace, settings: "Settings", senders: Senders) -> list[Finding]:
    """Look up the name for EHLO and the domains of senders."""
    from service.cli.doctor import sender_dns  # noqa: PLC0415 - half a second that no other command should wait for
    from service.cli.doctor.dns_lookups import DnsLookups  # noqa: PLC0415 - the same

    dns = DnsLookups(arguments.dns_server)
    found = [await sender_dns.check_helo(settings.helo, dns=dns)]
    domains = list(senders)
    for domain in domains[:_MOST_DOMAINS]:
        found += await _check_domain(arguments, settings, domain, senders[domain], dns)
    if len(domains) > _MOST_DOMAINS:
        rest = ", ".join(domains[_MOST_DOMAINS:][:3])
        found.append(Finding("dns", "warn", f"{rest} and others were not looked up: `doctor --mail DOMAIN` does"))
    return found


async def check_domain(
    arguments: argparse.Namespace, settings: "Settings", domain: str, keys: Sequence[DkimKey]
) -> list[Finding]:
    """Look up one sender's domain alone."""
    from service.cli.doctor.dns_lookups import DnsLookups  # noqa: PLC0415 - as above

    return await _check_domain(arguments, settings, domain, keys, DnsLookups(arguments.dns_server))


async def _check_domain(
    arguments: argparse.Namespace, settings: "Settings", domain: str, keys: Sequence[DkimKey], dns: "DnsLookups"
) -> list[Finding]:
    from service.cli.doctor import sender_dns  # noqa: PLC0415 - as above
    from service.cli.doctor.sender_alignment import Sender  # noqa: PLC0415 - as above

    return_path = settings.bounce_address.rpartition("@")[2] or domain
    active = [key for key in keys if key.state == "active"]
    return await sender_dns.check_sender(Sender(domain, return_path, active), selectors=arguments.selectors, dns=dns)
