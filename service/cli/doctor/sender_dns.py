"""Look up what receivers look up about a sender: SPF (RFC 7208), DKIM (RFC 6376) and DMARC (RFC 7489) records.

One finding a record, each with what mends it. Whether the relay is among the senders that SPF allows, and which key
signs, only the relay knows: its provider names the include and the selector.
"""

import asyncio
import base64
import binascii
import re
from collections.abc import Sequence

from service import email_addresses
from service.cli.doctor import dkim_records, dmarc, sender_alignment
from service.cli.doctor.dns_lookups import DnsLookups, DnsUnavailable
from service.cli.doctor.sender_alignment import Sender
from service.cli.findings import Finding

# Selectors that well-known relays use; a guess, and said to be one.
COMMON_SELECTORS = (
    "default", "dkim", "mail", "smtp", "selector1", "selector2", "google", "s1", "s2", "k1", "k2", "k3", "fm1", "fm2",
    "mandrill", "mailjet", "pm", "mta", "mx", "key1", "zoho", "brevo1", "brevo2", "resend", "sig1",
)  # fmt: skip
# RFC 7208 4.6.4: receivers give up after so many lookups.
_MOST_LOOKUPS = 10
_LOOKUPS = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})
_TERM = re.compile(r"[+~?-]?([a-z]+)(?:[:=]([^/]*))?")
# Bytes of a DER-encoded RSA key of 1,024 bits, the least that verifiers accept (RFC 8301).
_SHORTEST_RSA = 160


async def check_sender(sender: Sender, *, selectors: Sequence[str], dns: DnsLookups) -> list[Finding]:
    """Check the records of a sender's domain, and their alignment. Without DNS one warning says so."""
    domain = sender.domain
    if domain.rpartition(".")[2] in email_addresses.SPECIAL_USE or domain.startswith("["):
        return [Finding("dns", "warn", f"{domain} is no name of the public DNS: receivers elsewhere will refuse it")]
    try:
        if not await dns.exists(domain):
            return [
                Finding(
                    "dns",
                    "fail",
                    f"{domain} is not in the DNS; register it, or change the sender",
                )
            ]
    except DnsUnavailable as fault:
        return [Finding("dns", "warn", f"no answer about {domain} ({fault}): SPF, DKIM and DMARC are not known")]
    ours = bool(sender.keys) and not selectors
    checks = (
        ("SPF", _spf(dns, sender.return_path)),
        ("DKIM", sender_alignment.check_keys(sender, dns) if ours else _dkim(dns, domain, selectors)),
        ("DMARC", dmarc.check(dns, domain)),
        ("alignment", sender_alignment.check(sender, dns)),
    )
    found = await asyncio.gather(*(check for _, check in checks), return_exceptions=True)
    return [_finding(about, each) for (about, _), each in zip(checks, found, strict=True)]


def _finding(about: str, found: Finding | BaseException) -> Finding:
    if isinstance(found, DnsUnavailable):
        return Finding(about, "warn", f"can't be looked up: {found}")
    if isinstance(found, BaseException):
        raise found
    return found


async def check_helo(name: str, *, dns: DnsLookups) -> Finding:
    """Check the name for EHLO: many relays look it up, and its address's name."""
    if name.startswith("[") or name == "localhost":
        return Finding("EHLO name", "ok" if name.startswith("[") else "warn", f"{name}, which the DNS does not know")
    try:
        addresses = await dns.addresses(name)
        names = [other for address in addresses for other in await dns.names_of(address)]
    except DnsUnavailable as fault:
        return Finding("EHLO name", "warn", f"{name} can't be looked up: {fault}")
    if not addresses:
        return Finding("EHLO name", "warn", f"{name} has no address; give SMTP_HELO a name that the DNS knows")
    shown = f"{name} is {', '.join(addresses)}"
    if name not in names:
        back = f"whose name is {', '.join(names)}" if names else "which has no name of its own"
        message = f"{shown}, {back}; relays that compare want the name of the address that workers connect from"
        return Finding("EHLO name", "warn", message)
    return Finding("EHLO name", "ok", f"{shown}, and back")


async def _spf(dns: DnsLookups, domain: str) -> Finding:
    records = await _spf_records(dns, domain)
    if not records:
        mend = f'publish a TXT record at {domain}: "v=spf1 include:<what your relay names> ~all"'
        return Finding("SPF", "fail", f"{domain} has no record; {mend}")
    if len(records) > 1:
        return Finding("SPF", "fail", f"{domain} has {len(records)} records, so receivers take none; make them one")
    terms = records[0].split()[1:]
    if broken := await _broken_spf(dns, terms):
        return Finding("SPF", "fail", f"{broken}: {records[0]}")
    last = terms[-1].lower() if terms else ""
    if last in ("all", "+all"):
        return Finding("SPF", "fail", f"allows any sender; end it in ~all: {records[0]}")
    if last not in ("~all", "-all") and not last.startswith("redirect="):
        return Finding("SPF", "warn", f"leaves other senders open; end it in ~all: {records[0]}")
    return Finding("SPF", "ok", records[0])


async def _spf_records(dns: DnsLookups, domain: str) -> list[str]:
    return [text for text in await dns.texts(domain) if text.lower().split(" ")[0] == "v=spf1"]


async def _broken_spf(dns: DnsLookups, terms: Sequence[str]) -> str:
    """Count lookups as a receiver does, through all includes; return what makes it give up, "" if nothing."""
    ahead, lookups = list(terms), 0
    while ahead:
        term = _TERM.match(ahead.pop(0).lower())
        if term is None or term[1] not in _LOOKUPS:
            continue
        lookups += 1
        if lookups > _MOST_LOOKUPS:
            return f"needs more than {_MOST_LOOKUPS} lookups, so receivers take it for an error"
        domain = term[2] or ""
        if term[1] in ("include", "redirect") and "%" not in domain:
            records = await _spf_records(dns, domain)
            if len(records) != 1:
                return f"{domain}, which it includes, has {len(records)} records instead of one"
            ahead += records[0].split()[1:]
    return ""


async def _dkim(dns: DnsLookups, domain: str, selectors: Sequence[str]) -> Finding:
    names = selectors or COMMON_SELECTORS
    answers = await asyncio.gather(*(dns.texts(f"{name}._domainkey.{domain}") for name in names))
    found = {name: text for name, texts in zip(names, answers, strict=True) for text in texts if "p=" in text}
    faults = [f"{name}: {fault}" for name, text in found.items() if (fault := _key_fault(text))]
    if selectors and (missing := [name for name in selectors if name not in found]):
        mend = "publish the key that your relay shows"
        return Finding("DKIM", "fail", f"no key at {missing[0]}._domainkey.{domain}; {mend}")
    if not found:
        hint = "name yours by --dkim-selector: s= in the DKIM-Signature of a mail that arrived"
        return Finding("DKIM", "warn", f"no key under the selectors that relays often use (a guess); {hint}")
    if faults:
        return Finding("DKIM", "fail" if selectors else "warn", "; ".join(faults))
    guess = "" if selectors else " (guessed; name yours by --dkim-selector)"
    return Finding("DKIM", "ok", f"key at {', '.join(found)}{guess}")


def _key_fault(record: str) -> str:
    tags = dkim_records.tags(record)
    if not tags.get("p"):
        return "its key is revoked (p= is empty)"
    try:
        key = base64.b64decode("".join(tags["p"].split()), validate=True)
    except binascii.Error:
        return "its key can't be read; publish it anew, in one piece"
    if tags.get("k", "rsa") == "rsa" and len(key) < _SHORTEST_RSA:
        return "its RSA key is shorter than 1024 bits, which receivers refuse"
    return ""
