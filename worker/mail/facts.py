"""Facts of one letter, checked and written for its reader.

They come in two kinds. A shape decides what the letter says (is there a device, how long does a link live) and is
the same for many letters. A value is filled in and is different in each. No text that a user chose is either: any
client can have a letter sent to any address.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from service import email_addresses
from worker.mail import dates

LINK = re.compile(r"(?!(?:javascript|data|vbscript|file|blob):)[a-z][a-z0-9+.-]*://[!-~]+", re.IGNORECASE)
# A label of our own such as "Chrome 126.0, Windows 10": a dot only before a digit, so no host name fits.
DEVICE = re.compile(r"(?:[A-Za-z0-9 ,()+/-]|\.(?=[0-9])){1,64}")
CODE = re.compile(r"[0-9]{6}")
PHRASE = re.compile(r"[A-Za-z]{1,20} [A-Za-z]{1,20}")  # two words of our own list
HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_NUMBER, _WORD = re.compile(r"[0-9]{1,4}"), re.compile(r"[a-z_]{1,32}")
# What a notice about the account's security can tell of; each is a sentence of templates/base/change.txt.
CHANGES = (
    "mfa_on", "mfa_off", "authenticator_added", "authenticator_removed", "recovery_codes_made", "recovery_code_used",
    "wrong_codes", "passkey_added", "passkey_removed", "identity_added", "identity_removed", "phone_changed",
)  # fmt: skip
UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))
# Present or not, they change what a letter says; the others are always needed where a template names them.
OPTIONAL = ("host", "code_host", "requested_at", "ip", "device", "phrase", "left", "passkeys")


@dataclass(frozen=True, slots=True)
class Shape:
    """All of the facts that a template can decide by, so that letters of one shape differ in their values only."""

    era: str
    unit: str
    amount: int
    present: frozenset[str]
    # What a notice about the account's security tells of.
    change: str = ""


def prepare(facts: Mapping[str, object], *, language: str) -> tuple[Shape, dict[str, str]]:
    """Check the facts and write them as text. Raises as worker.mail.templates.render does."""
    zone = str(facts.get("zone") or dates.FALLBACK)
    values = {"account": _masked(str(facts["recipient"]))} | _link(facts) | _code(facts)
    for name in ("expires", "requested_at"):
        if facts.get(name) is not None:
            values[name] = dates.format_moment(_moment(facts[name]), language=language, zone=zone)
    values["ip"] = _known_ip(facts.get("ip"))
    values["device"] = _matching(DEVICE, facts.get("device"))
    values["phrase"] = _matching(PHRASE, facts.get("phrase"))
    values["left"] = _matching(_NUMBER, facts.get("left"))
    values["passkeys"] = _matching(_NUMBER, facts.get("passkeys"))
    values = {name: value for name, value in values.items() if value}
    amount, unit = _span(int(float(str(facts.get("lifetime_seconds", 0)))))
    return Shape(str(facts["era"]), unit, amount, frozenset(values), _matching(_WORD, facts.get("change"))), values


def _masked(address: str) -> str:
    """Mask an address so that its owner knows which of several it is: the local part's first character, the domain."""
    if not email_addresses.is_plain(address):
        raise ValueError("a letter goes to one plain address")
    return f"{address[0]}•••@{address.rpartition('@')[2]}"


def _link(facts: Mapping[str, object]) -> dict[str, str]:
    if "link" not in facts:
        return {}
    link = str(facts["link"])
    if LINK.fullmatch(link) is None:
        raise ValueError("a letter's link must be a plain URL")
    where = urlsplit(link)
    # An app's own scheme leads to no host.
    return {"link": link, "host": where.netloc if where.scheme in ("http", "https") else ""}


def _code(facts: Mapping[str, object]) -> dict[str, str]:
    if "code" not in facts:
        return {}
    code = str(facts["code"])
    if CODE.fullmatch(code) is None:
        raise ValueError("a letter's code must be six digits")
    bound = _matching(HOST, facts.get("code_host"))
    return {"code": code, "code_start": code[:3], "code_end": code[3:], "code_host": bound}


def _moment(given: object) -> datetime:
    """Return a time given as datetime or ISO text."""
    return given if isinstance(given, datetime) else datetime.fromisoformat(str(given))


def _known_ip(given: object) -> str:
    """Return an IP address if it is one; it came from a client."""
    try:
        return "" if given is None else str(ip_address(str(given)))
    except ValueError:
        return ""


def _matching(form: re.Pattern[str], given: object) -> str:
    text = "" if given is None else str(given)
    return text if form.fullmatch(text) else ""


def _span(seconds: int) -> tuple[int, str]:
    """Convert a lifetime to the largest unit that divides it: 604800 is 7 days, 5400 is 90 minutes."""
    for unit, size in UNITS:
        if seconds >= size and seconds % size == 0:
            return seconds // size, unit
    return max(1, seconds // 60), "minute"
