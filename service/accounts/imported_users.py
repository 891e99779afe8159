"""Facts of a user that another system knew, added in the transaction that creates the user here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from service.accounts import targets as target_rules
from service.crypto.key_derivation import KeyRing
from service.crypto.secret import Secret
from service.errors import UserExists
from service.store import authenticators, identities, recovery_codes, targets, user_mfa, user_phones, users
from service.store.identities import Subject
from service.store.targets import NewTarget
from service.store.unit_of_work import UnitOfWork
from service.store.users import User


@dataclass(frozen=True, slots=True)
class ImportedFactors:
    """Second factors: `mfa`, the secret of an authenticator app, and hashes of recovery codes."""

    ring: KeyRing = field(repr=False)
    mfa: bool
    totp: Secret | None
    code_hashes: Sequence[str] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Imported:
    """Facts of a user that another system knew; `prefs` is JSON text, without times they are now.

    `identities` have the addresses that their providers told.
    """

    phone_verified: bool = False
    labels: Sequence[str] = ()
    prefs: str = "{}"
    blocked: bool = False
    created_at: datetime | None = None
    password_updated_at: datetime | None = None
    targets: Sequence[NewTarget] = field(default=(), repr=False)
    identities: Sequence[tuple[Subject, str]] = field(default=(), repr=False)
    factors: ImportedFactors | None = None


async def claim(tx: UnitOfWork, project_id: str, known: Imported) -> None:
    """Claim the identities, always in the same order. Before any other lock."""
    for subject, _ in sorted(known.identities, key=lambda each: (each[0].provider, each[0].issuer, each[0].subject)):
        await identities.claim(tx, project_id, subject)


async def complete(tx: UnitOfWork, user: User, known: Imported) -> User:
    """Give a new user what another system knew of it. Raises UserExists for a number that was proved meanwhile.

    An identifier can be claimed after the user's row here: nobody else knows the user yet. An identity that is another
    user's is left out.
    """
    if known.phone_verified and user.phone is not None:
        user = await user_phones.claim(tx, user.project_id, user_id=user.id, phone=user.phone) or user
        if await user_phones.find_holder(tx, user) is not None:
            raise UserExists
        user = await user_phones.verify(tx, user, by_holder=True)
    if known.labels:
        user = await users.change_labels(tx, user, labels=list(dict.fromkeys(known.labels)))
    if known.prefs != "{}":
        user = await users.change_prefs(tx, user, prefs=known.prefs)
    for new in known.targets:
        await targets.claim(tx, user.project_id, provider_type=new.provider_type, identifier=new.identifier)
        await target_rules.register(tx, user, new)
    for subject, email in known.identities:
        await add_identity(tx, user, subject, email=email)
    if known.factors is not None:
        user = await add_factors(tx, user, known.factors)
    if known.created_at is not None:
        user = await users.change_times(
            tx, user, created_at=known.created_at, password_updated_at=known.password_updated_at
        )
    return await users.change_status(tx, user, status="blocked") if known.blocked else user


async def add_identity(tx: UnitOfWork, user: User, subject: Subject, *, email: str) -> bool:
    """Add an identity, claimed before; False if it is somebody's. Its address is proved once the provider says so."""
    return await identities.create(tx, user, subject, email=email, email_verified=False) is not None


async def add_factors(tx: UnitOfWork, user: User, known: ImportedFactors) -> User:
    """Add second factors to a user who has none."""
    if known.totp is not None:
        await authenticators.create(tx, known.ring, user, secret=known.totp)
        made = await authenticators.find(tx, user)
        assert made is not None  # noqa: S101 - it was made in this transaction
        # No step has been used: the code that the app shows now is good.
        await authenticators.verify(tx, made, step=0)
    if known.code_hashes:
        await recovery_codes.replace(tx, user, hashes=known.code_hashes, imported=True)
    return await user_mfa.change(tx, user, mfa=True) if known.mfa else user
