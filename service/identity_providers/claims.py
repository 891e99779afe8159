"""Identities from the claims of an ID token, or of userinfo."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from service import email_addresses
from service.identity_providers.provider import Provider, ProviderIdentity

_LONGEST_SUBJECT, _LONGEST_NAME, _LONGEST_USER, _MOST_METHODS = 255, 128, 4096, 16
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")


def identity(
    provider: Provider, token: Mapping[str, Any], contact: Mapping[str, Any], user_json: str
) -> ProviderIdentity:
    """Make the identity of a verified token; `contact` are the claims with address and name, the same or userinfo's.

    `user_json` is what Apple's callback tells of the name, once.
    """
    email = address(contact.get("email"))
    verified = bool(email) and _is_proved(provider, contact)
    return ProviderIdentity(
        provider=provider.name,
        issuer=token["iss"],
        subject=token["sub"],
        email=email,
        email_verified=verified,
        authoritative=verified and _is_authoritative(provider, contact, email),
        name=name(contact.get("name")) or _apple_name(user_json),
        amr=_methods(token.get("amr")),
    )


def address(found: object) -> str:
    """Return an address in its canonical form; "" for what can't be one of our users'."""
    try:
        return email_addresses.canonical(found, special_use=True) if isinstance(found, str) else ""
    except ValueError:
        return ""


def is_subject(text: str) -> bool:
    """Tell whether a user's id at a provider may be kept as it is."""
    return 0 < len(text) <= _LONGEST_SUBJECT and text.isprintable()


def name(found: object) -> str:
    """Return a name that may be kept: one line without control characters, cut."""
    if not isinstance(found, str):
        return ""
    shown = _BLANK.sub(" ", found[: 4 * _LONGEST_NAME]).strip()
    try:
        shown.encode()
    except UnicodeEncodeError:
        return ""
    return shown[:_LONGEST_NAME].strip()


def _is_proved(provider: Provider, contact: Mapping[str, Any]) -> bool:
    """Tell whether the provider has proved the address, by the rule of its profile."""
    said = contact.get("email_verified") in (True, "true")
    match provider.profile.email_proof:
        case "claim":
            return said
        case "trusted":
            return said and provider.trust_email
        case "edov":
            return contact.get("xms_edov") in (True, "true", "1")
        case _:
            return False


def _is_authoritative(provider: Provider, contact: Mapping[str, Any], email: str) -> bool:
    """Tell whether the address may lead to an account that is there already.

    Google proves other domains' addresses only when its account is made: the mailbox may be somebody else's by now.
    """
    if provider.name != "google":
        return True
    return email.endswith("@gmail.com") or bool(contact.get("hd"))


def _methods(found: object) -> tuple[str, ...]:
    listed = found if isinstance(found, list) else []
    return tuple(method for method in listed[:_MOST_METHODS] if isinstance(method, str))


def _apple_name(user_json: str) -> str:
    try:
        user = orjson.loads(user_json) if 0 < len(user_json) <= _LONGEST_USER else None
    except ValueError:
        return ""
    parts = user.get("name") if isinstance(user, dict) else None
    if not isinstance(parts, dict):
        return ""
    return name(" ".join(part for part in (parts.get("firstName"), parts.get("lastName")) if isinstance(part, str)))
