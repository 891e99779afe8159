"""A user of Appwrite, checked and in this service's terms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from service.accounts import targets as rules
from service.accounts.imported_users import Imported
from service.cli.appwrite import source_factors
from service.cli.appwrite.source_factors import SourceFactors, SourceIdentities
from service.cli.users import fields
from service.cli.users.fields import Line
from service.crypto import appwrite_hashes
from service.crypto.appwrite_hashes import UnfitHash
from service.crypto.secret import Secret
from service.crypto.weak_hashes import WeakHash
from service.errors import ArgumentInvalid
from service.http.fields import Name
from service.http.request_body import Body, validate
from service.http.target_fields import Identifier, NewTargetId, ProviderId
from service.identity_providers.provider import Provider
from service.store.projects import Project
from service.store.targets import NewTarget

_NAMES = {"id": "$id", "identifier": "identifier", "provider_id": "providerId", "name": "name"}


class Unfit(Exception):
    """The user can't be taken over; the message says why, without any value."""


@dataclass(frozen=True, slots=True)
class SourceUser:
    """A user of the source; `hash` is the line to store, or a weak hash that must be wrapped first.

    `left_out` is how many devices can't be taken over.
    """

    id: str
    line: Line = field(repr=False)
    facts: Imported = field(repr=False)
    hash: str | WeakHash | None = field(repr=False)
    factors: SourceFactors
    identities: SourceIdentities
    left_out: int


@dataclass(frozen=True, slots=True)
class Reading:
    """Way to read users: the dump's key, the providers of the project, and what is wanted of them."""

    project: Project
    providers: Mapping[str, Provider] = field(repr=False)
    key: Secret | None
    with_passwords: bool = True
    with_factors: bool = True


class _Target(Body):
    id: NewTargetId
    identifier: Identifier
    provider_id: ProviderId | None = None
    name: Name | None = None


def read(how: Reading, given: Mapping[str, Any]) -> SourceUser:
    """Read a user as the API or a dump describes it. Raises Unfit."""
    try:
        line = validate(fields.Command(how.project), Line, _fields(given))
        if line.id in (None, "unique()"):
            raise Unfit("it has no id of its own")
        targets = _targets(given, how.project)
        known = source_factors.read_identities(given, how.providers)
        facts = Imported(
            phone_verified=line.phone_verified,
            labels=line.labels or (),
            prefs=fields.prefs_text(line),
            blocked=line.blocked,
            created_at=_time(given.get("registration")) or _time(given.get("$createdAt")),
            password_updated_at=_time(given.get("passwordUpdate")),
            targets=tuple(targets),
            identities=known.taken,
        )
        found = _hash(given, how.key) if how.with_passwords else None
        factors = source_factors.read_factors(given, how.key) if how.with_factors else SourceFactors()
    except ArgumentInvalid as fault:
        raise Unfit(fault.render(legacy=False)[1]) from None
    except UnfitHash as fault:
        raise Unfit(str(fault)) from None
    left_out = len(_pushed(given)) - len(targets)
    return SourceUser(str(line.id), line, facts, found, factors, known, left_out)


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Name a user's facts as a line of `users import` does; the API has "" and the database NULL for nothing."""
    phone = given.get("phone") or None
    return {
        "id": given.get("$id"),
        "email": given.get("email") or None,
        "name": given.get("name") or None,
        "verified": bool(given.get("emailVerification")),
        "phone": phone,
        "phone_verified": phone is not None and bool(given.get("phoneVerification")),
        "labels": given.get("labels") or None,
        "prefs": given.get("prefs") or None,  # PHP writes an empty object as []
        "blocked": given.get("status") in (False, 0) and given.get("status") is not None,
    }


def _hash(given: Mapping[str, Any], key: Secret | None) -> str | WeakHash | None:
    text, method, options = (given.get(name) for name in ("password", "hash", "hashOptions"))
    if not text:
        return None
    if not isinstance(text, str) or not isinstance(method, str):
        raise UnfitHash("its hash comes without its kind")
    try:
        opened = appwrite_hashes.decrypt(text, key)
    except UnfitHash as fault:
        raise UnfitHash(f"its hash {fault}") from None
    return appwrite_hashes.read(method, opened, options if isinstance(options, dict) else {})


def _targets(given: Mapping[str, Any], project: Project, most: int = rules.MOST) -> list[NewTarget]:
    """List what devices have registered, each identifier once, as many as a user may have; others are left out."""
    found: dict[str, NewTarget] = {}
    for each in _pushed(given):
        try:
            target = validate(fields.Command(project), _Target, {name: each.get(key) for name, key in _NAMES.items()})
        except ArgumentInvalid:
            continue
        new = NewTarget(target.id, "push", target.identifier, target.provider_id or None, target.name or "")
        found.setdefault(new.identifier, new)
    return list({each.id: each for each in found.values()}.values())[:most]


def _pushed(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the targets that are not the account's own address or number."""
    listed = given.get("targets")
    return [
        each
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict) and each.get("providerType") == "push"
    ]


def _time(text: object) -> datetime | None:
    """Read a time: of the API with its zone, of the database in UTC without one."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)
