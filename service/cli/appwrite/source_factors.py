"""Second factors and identities of an Appwrite user, in this service's terms."""

import base64
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from service.crypto import appwrite_hashes
from service.crypto.appwrite_hashes import UnfitHash
from service.crypto.secret import Secret
from service.identity_providers import claims, issuers, profiles
from service.identity_providers.provider import Provider
from service.store.identities import Subject

# Appwrite makes six codes of 40 bits in hexadecimal; its first versions with second factors made 80 bits.
_CODE = re.compile(r"[0-9a-f]{10}|[0-9a-f]{20}")
_MOST_CODES = 10
# Bytes of a TOTP secret. Appwrite makes 64.
_SHORTEST, _LONGEST = 10, 128
# Its id of a user there is not the subject that its ID tokens name to us.
_OTHER_IDS = frozenset({"microsoft"})


@dataclass(frozen=True, slots=True)
class SourceFactors:
    """Second factors: the secret of the verified authenticator app, and the recovery codes."""

    mfa: bool = False
    totp: Secret | None = None
    codes: tuple[Secret, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceIdentities:
    """Identities with the addresses that their providers told; `left_out` counts the others by reason."""

    taken: tuple[tuple[Subject, str], ...] = field(default=(), repr=False)
    left_out: Counter[str] = field(default_factory=Counter)


def read_factors(given: Mapping[str, Any], key: Secret | None) -> SourceFactors:
    """Read second factors. Raises UnfitHash: a user without one of them would have a weaker account."""
    apps = [each for each in _listed(given, "authenticators") if each.get("type") == "totp" and each.get("verified")]
    codes = given.get("mfaRecoveryCodes")
    return SourceFactors(
        mfa=given.get("mfa") in (True, 1),
        totp=_totp(apps[0].get("data"), key) if apps else None,
        codes=tuple(_code(each, key) for each in codes[:_MOST_CODES]) if isinstance(codes, list) else (),
    )


def _totp(data: object, key: Secret | None) -> Secret:
    """Return a secret in whole base32: Appwrite leaves the padding out."""
    try:
        found = orjson.loads(_opened(data, key, "authenticator")) if isinstance(data, str) else data
        text = str(found["secret"] if isinstance(found, dict) else "").rstrip("=").upper()
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError:
        raise UnfitHash("its authenticator is malformed") from None
    if not _SHORTEST <= len(raw) <= _LONGEST:
        raise UnfitHash("its authenticator is malformed")
    return Secret(base64.b32encode(raw).decode())


def _code(text: object, key: Secret | None) -> Secret:
    code = _opened(text, key, "recovery code") if isinstance(text, str) else ""
    if not _CODE.fullmatch(code):
        raise UnfitHash("its recovery codes are of a form that is not known here")
    return Secret(code)


def _opened(text: str, key: Secret | None, what: str) -> str:
    try:
        # What is in it may be JSON as well, but is never a column's form.
        return appwrite_hashes.decrypt(text, key) if '"method"' in text else text
    except UnfitHash as fault:
        raise UnfitHash(f"its {what} {fault}") from None


def read_identities(given: Mapping[str, Any], providers: Mapping[str, Provider]) -> SourceIdentities:
    """Read identities of the providers that the project has set up: the issuer is part of an identity."""
    found: dict[Subject, str] = {}
    left_out: Counter[str] = Counter()
    for each in _listed(given, "identities"):
        name, uid = str(each.get("provider")), each.get("providerUid")
        if reason := _refuse(name, providers):
            left_out[reason] += 1
        elif not isinstance(uid, str) or not claims.is_subject(uid):
            left_out["an identity without its provider's id"] += 1
        else:
            subject = Subject(name, issuers.of_discovery(providers[name]), uid)
            found.setdefault(subject, claims.address(each.get("providerEmail")))
    return SourceIdentities(tuple(found.items()), left_out)


def _refuse(name: str, providers: Mapping[str, Provider]) -> str:
    if not profiles.is_known(name):
        return "an identity of an unknown provider"
    if profiles.find(name) is None:
        return f"{name} is not supported here"
    if name in _OTHER_IDS:
        return f"{name} tells this service another id of the same user"
    return "" if name in providers else f"{name} is not set up in this project"


def _listed(given: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    listed = given.get(name)
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
