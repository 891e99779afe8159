"""Records of our own DKIM keys, as receivers find them in the DNS."""

from service.cli.doctor.dns_lookups import DnsLookups
from service.store.dkim_keys import DkimKey


async def find_fault(dns: DnsLookups, key: DkimKey) -> str:
    """Describe what keeps receivers from finding a key; "" if nothing does. Raises DnsUnavailable."""
    texts = await dns.texts(key.record_name)
    records = [record for record in map(tags, texts) if "p" in record]
    if not records:
        return f"{key.record_name} has no TXT record with a key"
    if len(records) > 1:
        return f"{key.record_name} has {len(records)} records, of which receivers take any; make them one"
    if not records[0]["p"]:
        return f"{key.record_name} revokes its key (p= is empty)"
    if "".join(records[0]["p"].split()) != key.public_key or records[0].get("k", "rsa") != key.algorithm:
        return f"{key.record_name} has another key than ours"
    return ""


def tags(record: str) -> dict[str, str]:
    """Parse `a=b; c=d`."""
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}
