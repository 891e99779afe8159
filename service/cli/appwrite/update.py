"""Update of a user that is here to what the source says now."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

import orjson

from service.accounts import factor_admin, identity_admin, user_admin
from service.accounts.imported_users import Imported
from service.accounts.user_admin import AdminContext
from service.cli.appwrite.source_users import SourceUser
from service.store import identities
from service.store.users import User

Act = Callable[[AdminContext], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Makers:
    """Makers of what is needed of few users: the hash to store, and the facts with second factors."""

    line: Callable[[SourceUser], Awaitable[str | None]]
    facts: Callable[[SourceUser], Awaitable[Imported]]


async def update(
    operator: AdminContext, before: User, wanted: SourceUser, makers: Makers, *, kept: int, dry_run: bool
) -> bool:
    """Change what differs, each in a transaction of its own; return whether anything does.

    So many passwords (`kept`) are remembered. Raises EmailExists and PhoneExists.
    """
    acts = [*_contacts(before, wanted), *_attributes(before, wanted)]
    acts += [each async for each in _ways_in(operator, before, wanted, makers)]
    newer = _has_newer_password(before, wanted)
    if dry_run:
        return newer or bool(acts)
    for act in acts:
        await act(operator)
    password_hash = await makers.line(wanted) if newer else None
    if password_hash is not None:
        await user_admin.change_password(operator, before.id, password_hash=password_hash, kept=kept)
    return newer or bool(acts)


def _contacts(before: User, wanted: SourceUser) -> Iterator[Act]:
    """Address and number: a new one is unproved until the source's word for it is taken."""
    user_id, line = before.id, wanted.line
    email, verified, phone_verified = line.email, line.verified, line.phone_verified
    if email is not None and email != before.email:
        yield lambda by: user_admin.change_email(by, user_id, email=email)
    if verified != (before.email_verified and email in (None, before.email)):
        yield lambda by: user_admin.change_verification(by, user_id, email_verified=verified)
    if line.phone is not None and line.phone != before.phone:
        yield lambda by: user_admin.change_phone(by, user_id, phone=line.phone)
    if line.phone is not None and phone_verified != (before.phone_verified and line.phone == before.phone):
        yield lambda by: user_admin.change_phone_verification(by, user_id, phone_verified=phone_verified)


def _attributes(before: User, wanted: SourceUser) -> Iterator[Act]:
    user_id, line, facts = before.id, wanted.line, wanted.facts
    if (line.name or "") != before.name:
        yield lambda by: user_admin.change_name(by, user_id, name=line.name or "")
    if list(facts.labels) != before.labels:
        yield lambda by: user_admin.change_labels(by, user_id, labels=list(facts.labels))
    if orjson.loads(facts.prefs) != orjson.loads(before.prefs):
        yield lambda by: user_admin.change_prefs(by, user_id, rewrite=lambda _: facts.prefs)
    if facts.blocked != (before.status == "blocked"):
        yield lambda by: user_admin.change_status(by, user_id, status="blocked" if facts.blocked else "active")


async def _ways_in(operator: AdminContext, before: User, wanted: SourceUser, makers: Makers) -> AsyncIterator[Act]:
    """Identities that are nobody's here, and second factors for a user who has none here."""
    user_id = before.id
    for subject, email in wanted.identities.taken:
        if await identities.claim(operator.pool, operator.project_id, subject) is None:
            yield partial(identity_admin.add, user_id=user_id, subject=subject, email=email)
    known = wanted.factors
    if not (known.mfa or known.totp or known.codes) or await factor_admin.has_any(operator.pool, before):
        return

    async def add(by: AdminContext) -> None:
        factors = (await makers.facts(wanted)).factors
        if factors is not None:
            await factor_admin.add_imported(by, user_id, factors)

    yield add


def _has_newer_password(before: User, wanted: SourceUser) -> bool:
    """Compare by time: a sign-in here has hashed the same password anew, and a change here must not be undone."""
    if wanted.hash is None:
        return False
    chosen, known = wanted.facts.password_updated_at, before.password_updated_at
    return before.password_hash is None or (chosen is not None and known is not None and chosen > known)
