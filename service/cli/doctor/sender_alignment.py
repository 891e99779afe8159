"""Alignment of a sender: whether what SPF and our DKIM signatures pass for is its domain, which is what DMARC asks."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.cli.doctor import dkim_records, dmarc
from service.cli.doctor.dns_lookups import DnsLookups
from service.cli.findings import Finding
from service.store.dkim_keys import DkimKey


@dataclass(frozen=True, slots=True)
class Sender:
    """Domain of `From`, the one that SPF is asked of, and the keys that sign here."""

    domain: str
    return_path: str
    keys: Sequence[DkimKey] = ()


async def check_keys(sender: Sender, dns: DnsLookups) -> Finding:
    """Check the records of the keys that sign here. Raises DnsUnavailable."""
    faults = [fault for key in sender.keys if (fault := await dkim_records.find_fault(dns, key))]
    if faults:
        return Finding("DKIM", "fail", f"{'; '.join(faults)}: `dkim show` prints the record")
    return Finding("DKIM", "ok", f"published as it signs here: {_names(sender.keys)}")


async def check(sender: Sender, dns: DnsLookups) -> Finding:
    """Check alignment; what the relay signs with by itself is not known here. Raises DnsUnavailable."""
    policy = await dmarc.find(dns, sender.domain)
    strict = policy.is_strict("adkim")
    own = [key for key in sender.keys if dmarc.is_aligned(key.domain, sender.domain, strict=strict)]
    foreign = [key for key in sender.keys if key not in own]
    spf = dmarc.is_aligned(sender.return_path, sender.domain, strict=policy.is_strict("aspf"))
    path = f"the return path's domain {sender.return_path}"
    if foreign:
        want = f"{'exactly ' if strict else ''}{sender.domain}"
        message = f"{_names(foreign)} signs for {foreign[0].domain}, and DMARC wants {want}: make a key for that"
        return Finding("alignment", "warn" if own or spf else "fail", message)
    if own:
        also = f"SPF by {path} too" if spf else f"{path} is another's, so SPF doesn't count"
        return Finding("alignment", "ok", f"DKIM by {_names(own)}; {also}")
    if spf:
        mend = f"for mail that is forwarded your relay's signature needs d={sender.domain}, or run `dkim create`"
        return Finding("alignment", "ok", f"SPF by {path}; {mend}")
    mend = "set BOUNCE_ADDRESS to one below the sender's domain, or run `dkim create`"
    return Finding("alignment", "fail", f"{path} is not the sender's, and no key signs here; {mend}")


def _names(keys: Sequence[DkimKey]) -> str:
    return ", ".join(key.record_name for key in keys)
