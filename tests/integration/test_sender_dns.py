"""SPF, DKIM and DMARC records of a sender's domain, asked of a DNS server of the tests."""

import base64
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from service.cli.doctor import sender_dns
from service.cli.doctor.dns_lookups import DnsLookups
from service.cli.doctor.sender_alignment import Sender
from service.cli.findings import Finding
from service.store.dkim_keys import DkimKey
from testkit.dns_server import DnsServer, Records

DOMAIN = "shop.example"
RSA = base64.b64encode(bytes(294)).decode()
SOUND: Records = {
    (DOMAIN, "TXT"): ["other text", "v=spf1 include:_spf.relay.example ~all"],
    ("_spf.relay.example", "TXT"): ["v=spf1 ip4:192.0.2.0/24 -all"],
    (f"r1._domainkey.{DOMAIN}", "TXT"): [f"v=DKIM1; k=rsa; p={RSA}"],
    (f"_dmarc.{DOMAIN}", "TXT"): ["v=DMARC1; p=quarantine; rua=mailto:d@shop.example"],
}


async def found(
    records: Records, *selectors: str, domain: str = DOMAIN, return_path: str = "", keys: Sequence[DkimKey] = ()
) -> dict[str, Finding]:
    async with DnsServer(records) as server:
        lookups = DnsLookups(server.address)
        sender = Sender(domain, return_path or domain, keys)
        return {each.about: each for each in await sender_dns.check_sender(sender, selectors=selectors, dns=lookups)}


async def test_a_sound_sender_is_ok():
    """Three records, three times ok, with the record or the selector named."""
    result = await found(SOUND, "r1")
    assert {name: each.state for name, each in result.items()} == dict.fromkeys(
        ("SPF", "DKIM", "DMARC", "alignment"), "ok"
    )
    assert result["SPF"].message == "v=spf1 include:_spf.relay.example ~all"
    assert "r1" in result["DKIM"].message
    assert "guess" not in result["DKIM"].message


async def test_a_bare_domain_lacks_all_three():
    """Each finding says what to publish, and where."""
    result = await found({(DOMAIN, "MX"): ["10 mx.shop.example."]})
    assert {name: each.state for name, each in result.items()} == {
        "SPF": "fail", "DKIM": "warn", "DMARC": "fail", "alignment": "ok",
    }  # fmt: skip
    assert "v=spf1 include:" in result["SPF"].message
    assert "--dkim-selector" in result["DKIM"].message
    assert f"TXT record at _dmarc.{DOMAIN}" in result["DMARC"].message


@pytest.mark.parametrize(
    ("texts", "state", "says"),
    [
        (["v=spf1 +all"], "fail", "any sender"),
        (["v=spf1 a mx all"], "fail", "any sender"),
        (["v=spf1 a"], "warn", "leaves other senders open"),
        (["v=spf1 a ?all"], "warn", "leaves other senders open"),
        (["v=spf1 a -all", "v=spf1 mx -all"], "fail", "2 records"),
        (["v=spf10 a -all"], "fail", "no record"),
        (["v=spf1 include:none.example -all"], "fail", "none.example, which it includes, has 0 records"),
        (["v=spf1 include:loop.example -all"], "fail", "more than 10 lookups"),
        (["v=spf1 a mx:a.example a/24 exists:%{i}.example ptr a:b a:c a:d a:e a:f -all"], "ok", "v=spf1"),
        (["v=spf1 a mx:a.example a/24 exists:%{i}.example ptr a:b a:c a:d a:e a:f a:g -all"], "fail", "more than 10"),
        (["v=spf1 ip4:192.0.2.1 ip6:2001:db8::/32 -all"], "ok", "v=spf1"),
        (["V=SPF1 redirect=_spf.relay.example"], "ok", "V=SPF1"),
        (["v=spf1 redirect=none.example"], "fail", "none.example"),
    ],
)
async def test_spf_is_judged_as_receivers_do(texts: list[str], state: str, says: str):
    """Errors that make receivers ignore the record fail; what leaves forgers a door is named."""
    result = await found(
        SOUND | {(DOMAIN, "TXT"): texts, ("loop.example", "TXT"): ["v=spf1 include:loop.example ~all"]}
    )
    assert (result["SPF"].state, says in result["SPF"].message) == (state, True), result["SPF"]


@pytest.mark.parametrize(
    ("key", "state", "says"),
    [
        (f"p={RSA}", "ok", "key at r1"),
        ("v=DKIM1; p=", "fail", "revoked"),
        ("v=DKIM1; p=@@@@", "fail", "can't be read"),
        (f"v=DKIM1; k=rsa; p={base64.b64encode(bytes(94)).decode()}", "fail", "shorter than 1024"),
        (f"v=DKIM1; k=ed25519; p={base64.b64encode(bytes(32)).decode()}", "ok", "key at r1"),
    ],
)
async def test_a_key_must_be_one_that_receivers_take(key: str, state: str, says: str):
    """A revoked, garbled or short key signs nothing that counts."""
    result = await found(SOUND | {(f"r1._domainkey.{DOMAIN}", "TXT"): [key]}, "r1")
    assert (result["DKIM"].state, says in result["DKIM"].message) == (state, True), result["DKIM"]


async def test_a_guessed_selector_is_called_a_guess():
    """Without an option common selectors are tried; a named one that is missing is a failure."""
    result = await found(SOUND | {(f"google._domainkey.{DOMAIN}", "TXT"): [f"v=DKIM1; p={RSA}"]})
    assert (result["DKIM"].state, "google (guessed" in result["DKIM"].message) == ("ok", True)
    missing = await found(SOUND, "r2")
    assert (missing["DKIM"].state, f"no key at r2._domainkey.{DOMAIN}" in missing["DKIM"].message) == ("fail", True)


@pytest.mark.parametrize(
    ("records", "domain", "state", "says"),
    [
        (["v=DMARC1; p=reject"], DOMAIN, "ok", "p=reject"),
        (["v=DMARC1; p=none"], DOMAIN, "warn", "p=none"),
        (["v=DMARC1"], DOMAIN, "fail", "names no policy"),
        (["v=DMARC1; p=reject", "v=DMARC1; p=none"], DOMAIN, "fail", "2 records"),
        (["v=DMARC1; p=reject"], f"mail.{DOMAIN}", "ok", f"_dmarc.{DOMAIN}"),
        (["v=DMARC1; p=reject; sp=none"], f"mail.{DOMAIN}", "warn", "p=none"),
    ],
)
async def test_dmarc_is_looked_up_the_tree(records: list[str], domain: str, state: str, says: str):
    """A subdomain has the policy of the nearest record above it, its `sp` if there is one."""
    result = await found(
        SOUND | {(f"_dmarc.{DOMAIN}", "TXT"): records, (f"mail.{DOMAIN}", "A"): ["192.0.2.1"]}, domain=domain
    )
    assert (result["DMARC"].state, says in result["DMARC"].message) == (state, True), result["DMARC"]


async def test_a_domain_that_is_not_there_is_one_failure():
    """Nothing else can be said about it."""
    assert {name: each.state for name, each in (await found(SOUND, domain="other.example")).items()} == {"dns": "fail"}


@pytest.mark.parametrize("domain", ["localhost", "shop.test", "[192.0.2.1]", "shop.internal"])
async def test_private_names_are_not_looked_up(domain: str):
    """Names that no public DNS has cost no query, and one warning."""
    async with DnsServer(SOUND) as server:
        results = await sender_dns.check_sender(Sender(domain, domain), selectors=(), dns=DnsLookups(server.address))
        assert [each.state for each in results] == ["warn"]
        assert server.asked == []


async def test_without_dns_nothing_is_said_of_the_records():
    """A server that refuses is no proof that a record is missing: one warning, no failure."""
    async with DnsServer(SOUND, mode="refuse") as server:
        results = await sender_dns.check_sender(Sender(DOMAIN, DOMAIN), selectors=(), dns=DnsLookups(server.address))
    (only,) = results
    assert (only.about, only.state, "refuses or fails" in only.message) == ("dns", "warn", True)


@pytest.mark.parametrize(
    ("records", "state", "says"),
    [
        (
            {("mail.example", "A"): ["192.0.2.7"], ("7.2.0.192.in-addr.arpa", "PTR"): ["Mail.example."]},
            "ok",
            "and back",
        ),
        (
            {("mail.example", "A"): ["192.0.2.7"], ("7.2.0.192.in-addr.arpa", "PTR"): ["host7.example."]},
            "warn",
            "host7",
        ),
        ({("mail.example", "A"): ["192.0.2.7"]}, "warn", "no name of its own"),
        ({}, "warn", "SMTP_HELO"),
    ],
)
async def test_the_name_for_ehlo_is_looked_up_both_ways(records: Records, state: str, says: str):
    """Relays compare the name with the address; a difference is a warning, since only workers' addresses count."""
    async with DnsServer(records) as server:
        found = await sender_dns.check_helo("mail.example", dns=DnsLookups(server.address))
    assert (found.state, says in found.message) == (state, True), found


KEY = DkimKey("shop", "m1", DOMAIN, "ed25519", "active", "QUJD", "k", b"", datetime(2026, 1, 1, tzinfo=UTC), None)
PUBLISHED: Records = SOUND | {(f"m1._domainkey.{DOMAIN}", "TXT"): ["v=DKIM1; k=ed25519; p=QUJD"]}
STRICT = {(f"_dmarc.{DOMAIN}", "TXT"): ["v=DMARC1; p=reject; adkim=s; aspf=s"]}


@pytest.mark.parametrize(
    ("records", "return_path", "key_domain", "state", "says"),
    [
        (SOUND, DOMAIN, None, "ok", "needs d=shop.example"),
        (SOUND, "bounces.shop.example", None, "ok", "SPF by the return path's domain bounces.shop.example"),
        (SOUND | STRICT, "bounces.shop.example", None, "fail", "no key signs here"),
        (SOUND, "relay.example", None, "fail", "relay.example is not the sender's"),
        (PUBLISHED, "relay.example", DOMAIN, "ok", "is another's, so SPF doesn't count"),
        (PUBLISHED, DOMAIN, DOMAIN, "ok", "DKIM by m1._domainkey.shop.example; SPF by"),
        (PUBLISHED, "relay.example", "old.example", "fail", "signs for old.example, and DMARC wants shop.example"),
        (PUBLISHED, DOMAIN, "old.example", "warn", "make a key for that"),
        (PUBLISHED, "relay.example", f"mail.{DOMAIN}", "ok", "DKIM by m1._domainkey.mail.shop.example"),
        (PUBLISHED | STRICT, "relay.example", f"mail.{DOMAIN}", "fail", "wants exactly shop.example"),
    ],
)
async def test_alignment_is_what_dmarc_asks(
    records: Records, return_path: str, key_domain: str | None, state: str, says: str
):
    """One of SPF and DKIM has to pass for the sender's organization, or with `s` for the very domain."""
    keys = [replace(KEY, domain=key_domain)] if key_domain else []
    result = await found(records, return_path=return_path, keys=keys)
    assert (result["alignment"].state, says in result["alignment"].message) == (state, True), result["alignment"]


async def test_a_key_that_signs_here_must_be_published_as_it_is():
    """Another key under its name, or none, makes every signature of ours invalid."""
    assert (await found(PUBLISHED, keys=[KEY]))["DKIM"].message.endswith(f"m1._domainkey.{DOMAIN}")
    missing = (await found(SOUND, keys=[KEY]))["DKIM"]
    assert (missing.state, "has no TXT record" in missing.message) == ("fail", True)
    other = (await found(PUBLISHED, keys=[replace(KEY, public_key="QUJE")]))["DKIM"]
    assert (other.state, "another key than ours" in other.message) == ("fail", True)
