"""Mail addresses: one canonical form, and nothing that can't be mailed."""

import pytest
from email_validator import validate_email
from hypothesis import HealthCheck, example, given, reject, settings
from hypothesis import strategies as st

from service import email_addresses
from service.email_addresses import SpecialUse

SAME = [
    ("ann@example.com", "ann@example.com"),
    ("Ann.O'Neil+tag@Example.COM", "ann.o'neil+tag@example.com"),
    ("u@münchen.de", "u@xn--mnchen-3ya.de"),
    ("U@MÜNCHEN.DE", "u@xn--mnchen-3ya.de"),
    ("u@mu\u0308nchen.de", "u@xn--mnchen-3ya.de"),
    ("u@xn--mnchen-3ya.de", "u@xn--mnchen-3ya.de"),
    ("U@XN--MNCHEN-3YA.DE", "u@xn--mnchen-3ya.de"),
    ("u@straße.de", "u@xn--strae-oqa.de"),
    ("u@ΑΣ.gr", "u@xn--mxa0b.gr"),
    ("u@例え.jp", "u@xn--r8jz45g.jp"),
    ("u@ex\u0430mple.com", "u@xn--exmple-4nf.com"),
    ("a" * 64 + "@" + "b" * 63 + ".de", "a" * 64 + "@" + "b" * 63 + ".de"),
    ("u@" + "ü" * 57 + ".de", "u@xn--tda" + "a" * 56 + ".de"),
    ("a" * 64 + "@" + ("b" * 61 + ".") * 3 + "de", "a" * 64 + "@" + ("b" * 61 + ".") * 3 + "de"),
]
REFUSED = [
    "", "@", "u@", "@b.cd", "u", "u@b", "u@b.cd.", "u@.b.cd", "u@b..cd", ".u@b.cd", "u.@b.cd", "u..v@b.cd", " u@b.cd",
    "u@b.cd ", '"u"@b.cd', '"u v"@b.cd', "u@[127.0.0.1]", "u@[IPv6:::1]", "u@127.0.0.1", "u@b.123", "u@b_c.de",
    "u@-b.cd", "u@b-.cd", "u@ab--cd.de", "é@b.cd", "\u0430@b.cd", "u\uff20b.cd", "u@b\u3002cd", "u@b\uff0ecd",
    "u@\uff42.cd", "u@\ufb01.de", "u@b\u00ad.cd", "u@b.cd\u200b", "u@xn--.cd", "u@xn--a.com", "u@1.xn--4dbc.com",
    "a" * 65 + "@b.cd", "u@" + "b" * 64 + ".cd", "u@" + "ü" * 58 + ".de",
    "a" * 64 + "@" + ("b" * 63 + ".") * 2 + "b" * 59 + ".de", "u@" + "münchen." * 24 + "de",
    "u@b.cd\r\nRCPT TO:<e@f.gh>", "u@b.cd,v@b.cd",
]  # fmt: skip
SPECIAL = [
    "u@nas.local", "u@local", "u@localhost", "u@git.corp.internal", "u@shop.test", "u@münchen.local", "u@x.onion",
    "u@x.invalid", "u@x.alt", "u@1.168.192.in-addr.arpa", "u@home.arpa",
]  # fmt: skip
# A busy machine is no fault of an address.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
# What people, forms and attackers write, and all else.
WRITTEN = st.one_of(
    st.emails(),
    st.builds(
        lambda local, labels, tld: f"{local}@{'.'.join([*labels, tld])}",
        st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=66),
        st.lists(st.text(st.characters(categories=["L", "Nd", "Mn"]), min_size=1, max_size=20), min_size=1, max_size=3),
        st.sampled_from(["de", "com", "рф", "local", "test", "xn--p1ai"]),
    ),
    st.text(max_size=300),
)


@pytest.mark.parametrize(("written", "kept"), SAME)
def test_every_spelling_has_one_canonical_form(written: str, kept: str):
    """Small letters, A-labels, lengths counted as they travel; the canonical form is its own."""
    assert email_addresses.canonical(written) == kept
    assert email_addresses.canonical(kept) == email_addresses.lookup_form(written) == kept


@pytest.mark.parametrize("written", REFUSED)
def test_what_cannot_be_mailed_or_must_be_guessed_is_refused(written: str):
    """Refused, never repaired; and where something is looked up by it, it is nobody's."""
    with pytest.raises(ValueError, match=r".") as refusal:
        email_addresses.canonical(written)
    assert not isinstance(refusal.value, SpecialUse)
    assert email_addresses.lookup_form(written) == written.strip().lower() or written == "u@b"


@pytest.mark.parametrize("written", SPECIAL)
def test_special_use_domains_are_for_those_who_say_so(written: str):
    """Refused by a name of its own unless it is asked for, and then as canonical as any other."""
    with pytest.raises(SpecialUse):
        email_addresses.canonical(written)
    kept = email_addresses.canonical(written, special_use=True)
    assert kept.isascii()
    assert email_addresses.is_plain(kept)


@pytest.mark.parametrize("written", ["u@example.com", "u@example.org", "u@a.example", "u@testing.de", "u@mylocal.de"])
def test_other_domains_are_nobodys_special_use(written: str):
    """Documentation's names, and names that only look like one."""
    assert email_addresses.canonical(written) == written


@PATIENT
@given(written=WRITTEN, special=st.booleans())
@example(written="U@MÜNCHEN.DE", special=False)
def test_whatever_is_taken_is_plain_and_canonical(written: str, special: bool):
    """ASCII, within the lengths of RFC 5321, its own canonical form, and fit for an SMTP command line."""
    try:
        kept = email_addresses.canonical(written, special_use=special)
    except ValueError:
        reject()
    local, _, domain = kept.rpartition("@")
    assert kept.isascii()
    assert kept == kept.lower() == email_addresses.canonical(kept, special_use=special)
    assert (len(local) <= 64, len(domain) <= 253, len(kept) <= 254) == (True, True, True)
    assert all(0 < len(label) <= 63 for label in domain.split("."))
    assert email_addresses.is_plain(kept)


@PATIENT
@given(
    local=st.text("aA.+-_'", min_size=1, max_size=8),
    domain=st.lists(st.text("axnD19-", min_size=1, max_size=6), min_size=1, max_size=4).map(".".join),
)
@example(local="a", domain="ab--c.de")
@example(local="a", domain="xn--mnchen-3ya.de")
@example(local="a", domain="b.d1")
def test_ordinary_addresses_are_taken_as_the_library_takes_them(local: str, domain: str):
    """The library isn't asked about an ordinary domain: its verdict is the same."""
    address = f"{local}@{domain}".lower()
    try:
        checked = validate_email(address, check_deliverability=False, strict=True).ascii_email
    except ValueError:
        checked = None
    try:
        kept = email_addresses.canonical(address)
    except ValueError:
        kept = None
    assert kept == checked


def test_a_senders_own_capitals_stay():
    """Some relays compare the local part of a sender by its letters; its domain is canonical."""
    assert email_addresses.sender("No-Reply@MÜNCHEN.de") == "No-Reply@xn--mnchen-3ya.de"
    assert email_addresses.sender("no-reply@localhost") == "no-reply@localhost"
    for wrong in ("notanaddress", "a..b@x.de", "a@-x.de", "(a)@b.cd", "a@b_c.de"):
        with pytest.raises(ValueError, match="address"):
            email_addresses.sender(wrong)
