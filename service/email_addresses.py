"""Mail addresses in the one canonical form in which they are stored, looked up and mailed.

Canonical is `local@domain`, all of it ASCII and in small letters: a dot-atom of at most 64 characters, and a domain
whose international labels are written as A-labels (RFC 5891), 254 characters together. See docs/accounts.md#addresses.
"""

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from email_validator import ValidatedEmail

LONGEST = 254  # RFC 5321 4.5.3.1.3, without its angle brackets
LONGEST_LOCAL_PART, LONGEST_DOMAIN = 64, 253
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PLAIN = re.compile(
    rf"(?P<local>{_ATOM}(?:\.{_ATOM})*)"
    rf"@(?P<domain>{_DOMAIN.pattern}|\[(?:[0-9.]{{7,15}}|IPv6:[0-9A-Fa-f:.]{{2,45}})\])"
)
# Controls, line and paragraph separators, bidi marks and overrides, the byte order mark, lone surrogates.
_NO_HEADER = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
# Small letters, a dot, a last label of letters, no hyphens where the library looks for A-labels: nearly all domains.
_ORDINARY_DOMAIN = re.compile(rf"(?:(?!..--){_LABEL}\.)+[a-z]{{2,63}}")
# Names that no public mail server has: IANA's registry of special-use domains (RFC 6761), and `internal`, which ICANN
# keeps for private networks. The registry's `example` and `example.com` stay: documentation and tests live on them.
SPECIAL_USE = frozenset({"alt", "arpa", "internal", "invalid", "local", "localhost", "onion", "test"})


class Address(str):
    """Address known to be canonical, so that it is not checked again wherever a request counts or compares it."""

    __slots__ = ()


class SpecialUse(ValueError):
    """The domain is one that public mail never reaches."""


def is_plain(text: str) -> bool:
    """Tell if this is one ASCII addr-spec that is safe on an SMTP command line and in a header.

    Narrower than RFC 5321: no quoted local part. Wider than what a project's users may have: `root@localhost` and
    address literals are fine for a sender.
    """
    match = _PLAIN.fullmatch(text) if len(text) <= LONGEST else None
    return match is not None and len(match["local"]) <= LONGEST_LOCAL_PART and len(match["domain"]) <= LONGEST_DOMAIN


def canonical(text: str, *, special_use: bool = False) -> Address:
    """Return the address in its canonical form.

    Raises SpecialUse for a domain of a private network, unless `special_use` says that the project has one; ValueError
    for all else that isn't one address, can't be mailed, or would have to be guessed at: a local part that isn't
    ASCII (SMTPUTF8 isn't to be had everywhere), a quoted one, an address literal, look-alikes of ASCII characters.
    """
    local, _, domain = text.rpartition("@")
    # The rest may be long or hostile, and takes the library time.
    ascii_domain = to_ascii(domain) if len(text) <= LONGEST and local.isascii() else None
    address = f"{local}@{ascii_domain}".lower()
    if ascii_domain is None or not is_plain(address):
        raise ValueError("not one mail address")
    special = ascii_domain.rpartition(".")[2] in SPECIAL_USE
    # The library takes such an address as it is, which a test holds; to ask it costs as much as a statement does.
    if not _ORDINARY_DOMAIN.fullmatch(ascii_domain):
        checked = _checked(address, public=not (special or special_use))
        if checked.ascii_email != address or ascii_domain.rpartition(".")[2].isdigit():
            raise ValueError("not one mail address")
    if special and not special_use:
        raise SpecialUse(ascii_domain)
    return Address(address)


def sender(text: str) -> str:
    """Return an operator's own address: canonical but for the local part's capitals, which some relays compare.

    Raises ValueError.
    """
    canonical(text, special_use=True)
    local, _, domain = text.rpartition("@")
    return f"{local}@{to_ascii(domain)}"


def is_header_text(text: str) -> bool:
    """Tell if this can stand in a mail's header: a display name, a part of a subject."""
    return not _NO_HEADER.search(text)


def lookup_form(text: str) -> str:
    """Return the form to look an address up by: canonical, or small letters for no address. Raises nothing."""
    if isinstance(text, Address):
        return text
    text = text.strip()
    try:
        return canonical(text, special_use=True)
    except ValueError:
        return text.lower()


def part_form(text: str) -> str:
    """Convert a piece of an address to its spelling in canonical ones: whole international labels become ASCII."""
    if text.isascii():
        return text.lower()
    local, at, domain = text.rpartition("@")
    return f"{local}{at}{to_ascii(domain) or domain}".lower()


def to_ascii(domain: str) -> str | None:
    """Return a host name in small letters with A-labels; None for anything else, or a look-alike of another name.

    Characters that IDNA would map rather than encode (full-width letters and stops, ligatures) are no part of a
    registered name, so only capital letters are mapped.
    """
    if len(domain) > LONGEST_DOMAIN:
        return None
    if domain.isascii():
        domain = domain.lower()
    else:
        # A letter at a time, or a capital sigma would depend on its neighbours.
        domain = unicodedata.normalize("NFC", "".join(letter.lower() for letter in domain))
    if not domain.isascii():
        try:
            checked = _checked(f"x@{domain}", public=False)
        except ValueError:
            return None
        if checked.domain != domain:
            return None
        domain = checked.ascii_domain
    return domain if _DOMAIN.fullmatch(domain) and len(domain) <= LONGEST_DOMAIN else None


def _checked(address: str, *, public: bool) -> "ValidatedEmail":
    """Validate an address. Raises ValueError; `public` domains have a dot and end in letters."""
    return _validator()(address, check_deliverability=False, strict=True, globally_deliverable=public)


@cache
def _validator() -> "Callable[..., ValidatedEmail]":
    """Load the library: 40 ms, which a service spends on its own MAIL_FROM at the start, and most commands never."""
    import email_validator  # noqa: PLC0415 - see above

    # The rule is ours then, because a project may switch it off.
    email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()
    return email_validator.validate_email
