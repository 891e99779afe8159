"""Values of `projects set` and `platforms add` that mails and links are made of, in canonical form.

The worker can use every value that is accepted here: with a bad one it could send none of the project's mails.
"""

import argparse
import re
from ipaddress import IPv6Address
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from service import email_addresses, phone_numbers
from service.links import redirect_policy, relying_party

Kind = Literal["web", "app"]
_PROJECT = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,35}")
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_LONGEST_FOOTER = 300
_CODE, _MOST_MOCKS = re.compile(r"[0-9]{6}"), 10
_FACTORS = ("totp", "email", "phone", "custom")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{1,63}")
_MOST_SCHEMES, _MOST_DOMAINS = 20, 100
_NO_APPS = frozenset((
    "about", "android-app", "blob", "chrome", "chrome-extension", "cid", "content", "data", "edge", "exp", "file",
    "filesystem", "ftp", "http", "https", "intent", "javascript", "jar", "mailto", "moz-extension", "resource", "sms",
    "tel", "vbscript", "view-source", "ws", "wss",
))  # fmt: skip
_HOSTNAME = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_LONGEST_HOST, _NUMBERS = 253, re.compile(r"[0-9.]+")
# A bundle id, a package name, or Flutter's name of an app on Windows and Linux.
_APP_ID = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,253}[a-z0-9_])?")
# The whole origin of an app in a web view of its own scheme; http and https are a browser's, and have hosts.
_APP_ORIGIN = re.compile(
    r"(?!https?:|file:|data:|blob:|javascript:)[a-z][a-z0-9+.-]{0,63}://[a-z0-9][a-z0-9._-]{0,252}"
)


def project_id(text: str) -> str:
    if not _PROJECT.fullmatch(text):
        raise argparse.ArgumentTypeError("1 to 36 of a-z A-Z 0-9 . _ -, a letter or digit first")
    return text


def own_address(text: str) -> str:
    """Parse an address of the operator's own; empty takes it back."""
    try:
        return email_addresses.sender(text) if text else ""
    except ValueError:
        raise argparse.ArgumentTypeError("an address such as no-reply@example.com") from None


def page(text: str) -> str:
    """Parse a page; empty takes it back. Plain http is judged with the project's other settings."""
    if text and not redirect_policy.is_page(text):
        raise argparse.ArgumentTypeError("an address such as https://app.example.com/, absolute and in plain ASCII")
    return text


def smtp_url(text: str) -> str:
    """Parse the URL of an SMTP server as far as it may stand in a command: without its password."""
    try:
        parts = urlsplit(text)
    except ValueError:
        # Not the error's text, nor argparse's own: both quote the URL, and a password may be in it.
        raise argparse.ArgumentTypeError("it can't be read as smtp://user@host:587") from None
    if parts.password is not None:
        raise argparse.ArgumentTypeError(
            "leave the password out: here others can read it, so it is read from standard input"
        )
    if {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)} & {"ca", "oauth"} or len(text.split()) != 1:
        raise argparse.ArgumentTypeError("one server, without ca and oauth: a worker has no files of a project")
    return text


def mfa_factors(text: str) -> list[str]:
    """Parse comma-separated second factors, each once; `none` for none. Recovery codes are always allowed."""
    given = list(dict.fromkeys(factor.strip().lower() for factor in text.split(",") if factor.strip()))
    wanted = [factor for factor in given if factor not in ("recoverycode", "none")]
    if not given or set(wanted) - {*_FACTORS} or ("none" in given and wanted):
        raise argparse.ArgumentTypeError(f"some of {', '.join(_FACTORS)}, comma-separated; or none")
    return [factor for factor in _FACTORS if factor in wanted]


def provider_mfa(text: str) -> str:
    if text not in ("ask", "trust"):
        raise argparse.ArgumentTypeError("ask or trust")
    return text


def magic_links(text: str) -> str:
    if text not in ("link", "first-tab"):
        raise argparse.ArgumentTypeError("link or first-tab")
    return text


def sign_up(text: str) -> str:
    if text not in ("open", "closed", "domains", "invitation"):
        raise argparse.ArgumentTypeError("open, closed, domains or invitation")
    return text


def domains(text: str) -> list[str]:
    """Parse comma-separated domains of addresses, each once; empty for none."""
    found = []
    for part in filter(None, (part.strip().removeprefix("@") for part in text.split(","))):
        try:
            found.append(email_addresses.canonical(f"x@{part}", special_use=True).partition("@")[2])
        except ValueError:
            raise argparse.ArgumentTypeError("domains of addresses such as example.com, comma-separated") from None
    if len(found) > _MOST_DOMAINS:
        raise argparse.ArgumentTypeError(f"at most {_MOST_DOMAINS} domains")
    return list(dict.fromkeys(found))


def rp_id(text: str) -> str:
    """Parse the host of passkeys; empty takes it back.

    Not a public suffix: passkeys of it would be open to whoever has a domain below it.
    """
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 - no other command reads its list

    host = email_addresses.to_ascii(text) or ""
    if not text or host == relying_party.LOCALHOST:
        return text.lower()
    fits = len(host) <= _LONGEST_HOST and _HOSTNAME.fullmatch(host) and not host.startswith("*")
    if not fits or _NUMBERS.fullmatch(host) or PublicSuffixList().is_public(host):
        raise argparse.ArgumentTypeError(
            "a host such as example.com, without scheme or port, no public suffix such as co.uk and no IP address"
        )
    return host


def redirect_schemes(text: str) -> list[str]:
    """Parse comma-separated schemes of apps, each once; empty for none. Those that a browser runs or opens are none."""
    given = list(dict.fromkeys(scheme.strip().lower() for scheme in text.split(",") if scheme.strip()))
    if len(given) > _MOST_SCHEMES or any(not _SCHEME.fullmatch(scheme) or scheme in _NO_APPS for scheme in given):
        raise argparse.ArgumentTypeError("schemes of apps such as com.example.shop, comma-separated, without ://")
    return given


def sms_countries(text: str) -> list[str]:
    """Parse comma-separated beginnings of numbers, each once; `none` or nothing for none."""
    wanted = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if wanted in ([], ["none"]):
        return []
    if not all(map(phone_numbers.is_prefix, wanted)):
        raise argparse.ArgumentTypeError("codes of countries such as +49,+43; or none")
    return wanted


def mock_phones(text: str) -> dict[str, str]:
    """Parse numbers for tests with their codes; `none` or nothing for none."""
    if text.strip() in ("", "none"):
        return {}
    found = dict(part.strip().partition("=")[::2] for part in text.split(","))
    fits = all(phone_numbers.is_number(number) and _CODE.fullmatch(code) for number, code in found.items())
    if not fits or len(found) > _MOST_MOCKS:
        raise argparse.ArgumentTypeError(
            f"at most {_MOST_MOCKS} such as +4915100000001=123456, comma-separated; or none"
        )
    return found


def accent_color(text: str) -> str:
    """Parse a colour; empty takes it back."""
    if text and not _COLOR.fullmatch(text):
        raise argparse.ArgumentTypeError("a colour such as #0b57d0")
    return text.lower()


def footer_text(text: str) -> str:
    """Parse the footer, which is one line; empty takes it back."""
    text = text.strip()
    if len(text) > _LONGEST_FOOTER or not text.isprintable():
        raise argparse.ArgumentTypeError(f"one line of at most {_LONGEST_FOOTER} characters")
    return text


def platform(text: str, kind: Kind) -> str:
    """Return a platform in canonical form. Raises ValueError with a message for the operator."""
    return _hostname(text) if kind == "web" else _app(text)


def _hostname(text: str) -> str:
    """Return a host name; an international one is kept as browsers send it."""
    wild, rest = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    found = _ip(rest) if rest.startswith("[") else wild + (email_addresses.to_ascii(rest) or "")
    if not found or (not found.startswith("[") and not _HOSTNAME.fullmatch(found)):
        raise ValueError(
            "a hostname such as app.example.com or *.example.com, without scheme or port; an app's id needs --kind app"
        )
    return found


def _ip(text: str) -> str:
    try:
        return f"[{IPv6Address(text[1:-1]).compressed}]" if text.endswith("]") else ""
    except ValueError:
        return ""


def _app(text: str) -> str:
    if relying_party.ANDROID.fullmatch(text):
        return text
    text = text.lower()
    if not (_APP_ID.fullmatch(text) or _APP_ORIGIN.fullmatch(text)):
        raise ValueError(
            "an app's id such as com.example.my_app, or its origin such as capacitor://localhost or, for passkeys on "
            "Android, android:apk-key-hash:HASH"
        )
    return text
