"""DMARC (RFC 7489): the policy of a sender's domain, and whether a domain that passed is the sender's own."""

from dataclasses import dataclass

from publicsuffixlist import PublicSuffixList

from service.cli.doctor.dkim_records import tags
from service.cli.doctor.dns_lookups import DnsLookups
from service.cli.findings import Finding


@dataclass(frozen=True, slots=True)
class DmarcRecords:
    """Records of the domain, or of the nearest one above that has any."""

    holder: str
    texts: list[str]
    inherited: bool

    def is_strict(self, tag: str) -> bool:
        """Tell whether `adkim` or `aspf` wants the sender's very domain."""
        return len(self.texts) == 1 and tags(self.texts[0]).get(tag, "r").lower() == "s"


async def find(dns: DnsLookups, domain: str) -> DmarcRecords:
    """Find the records. Raises DnsUnavailable."""
    labels = domain.split(".")
    for depth in range(max(1, len(labels) - 1)):
        holder = ".".join(labels[depth:])
        texts = await dns.texts(f"_dmarc.{holder}")
        if records := [text for text in texts if text.replace(" ", "").lower().startswith("v=dmarc1")]:
            return DmarcRecords(holder, records, inherited=depth > 0)
    return DmarcRecords(domain, [], inherited=False)


async def check(dns: DnsLookups, domain: str) -> Finding:
    """Check the policy. Raises DnsUnavailable."""
    found = await find(dns, domain)
    if len(found.texts) > 1:
        return Finding("DMARC", "fail", f"_dmarc.{found.holder} has {len(found.texts)} records; make them one")
    if found.texts:
        return _policy(found.texts[0], found.holder, inherited=found.inherited)
    mend = f'publish a TXT record at _dmarc.{domain}: "v=DMARC1; p=none; rua=mailto:<your address>" to begin with'
    return Finding("DMARC", "fail", f"{domain} has no record, and some receivers refuse such mail; {mend}")


def _policy(record: str, holder: str, *, inherited: bool) -> Finding:
    found = tags(record)
    policy = (found.get("sp") if inherited else None) or found.get("p", "")
    if policy not in ("none", "quarantine", "reject"):
        return Finding("DMARC", "fail", f"_dmarc.{holder} names no policy (p=none, quarantine or reject): {record}")
    if policy == "none":
        message = f"_dmarc.{holder} has p=none, which stops no forged mail; raise it once reports show yours pass"
        return Finding("DMARC", "warn", message)
    return Finding("DMARC", "ok", f"_dmarc.{holder}: {record}")


def is_aligned(passed: str, sender: str, *, strict: bool) -> bool:
    """Tell whether a domain that SPF or DKIM passed for counts as the sender's (RFC 7489 3.1)."""
    if strict or passed == sender:
        return passed == sender
    suffixes = PublicSuffixList()
    organization = suffixes.privatesuffix(sender)
    return organization is not None and organization == suffixes.privatesuffix(passed)
