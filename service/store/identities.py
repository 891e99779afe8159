"""Identities: accounts at other providers that sign users in. A removed one is kept for as long as an undo link works.

The provider's access and refresh token are sealed together in the identity's row; its sessions show them from there.
"""

from dataclasses import dataclass, field
from datetime import datetime

import orjson

from service import ids
from service.crypto import sealing
from service.crypto.key_derivation import KeyRing
from service.crypto.sealing import Place
from service.crypto.secret import Secret
from service.db import Executor, Queries
from service.store.project_rows import UserRows, delete_by_project
from service.store.users import User

_sql = Queries("identities")
# Named in sql/queries/sealed_rows.sql too.
_PURPOSE = "provider tokens"
# Seconds in which a provider must have answered the exchange of a refresh token.
_REFRESH = 15


@dataclass(frozen=True, slots=True)
class Subject:
    """An account at a provider. It is known by all three parts: a subject is unique only with its issuer."""

    provider: str
    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class Identity:
    """An identity of a user; `email` is "" if the provider told none, `access_until` None if it told no expiry."""

    project_id: str
    user_id: str
    id: str
    provider: str
    issuer: str
    subject: str
    email: str
    email_verified: bool
    kid: str | None
    sealed: bytes | None = field(repr=False)
    access_until: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SessionIdentity:
    """Identity by which a session was opened, with what is needed to show its tokens."""

    session_id: str
    project_id: str
    user_id: str
    id: str
    provider: str
    kid: str | None
    sealed: bytes | None = field(repr=False)
    access_until: datetime | None


@dataclass(frozen=True, slots=True)
class Tokens:
    """A provider's tokens for one identity."""

    access: Secret
    refresh: Secret | None


async def claim(conn: Executor, project_id: str, subject: Subject) -> Identity | None:
    """Find an identity, and keep other sign-ins by it waiting until the transaction ends. Before any other lock."""
    facts = {"provider": subject.provider, "issuer": subject.issuer, "subject": subject.subject}
    await _sql.value(conn, "claim_subject", project_id=project_id, **facts)
    return await _sql.one(conn, "find_identity_of_subject", Identity, project_id=project_id, **facts)


async def has_address(conn: Executor, project_id: str, *, email: str) -> bool:
    """Tell whether an identity of any user has this address, proved by its provider."""
    return bool(await _sql.value(conn, "has_identity_of_address", project_id=project_id, email=email))


async def create(conn: Executor, user: User, subject: Subject, *, email: str, email_verified: bool) -> Identity | None:
    """Create an identity; None if the subject is another user's by now. Claim it and lock the user first."""
    return await _sql.one(
        conn,
        "create_identity",
        Identity,
        project_id=user.project_id,
        user_id=user.id,
        id=ids.new(),
        provider=subject.provider,
        issuer=subject.issuer,
        subject=subject.subject,
        email=email,
        email_verified=email_verified,
    )


async def update(conn: Executor, found: Identity, *, email: str, email_verified: bool) -> Identity | None:
    """Note the address that the provider tells now; None if the identity was removed meanwhile."""
    facts = {"email": email, "email_verified": email_verified}
    return await _sql.one(conn, "update_identity", Identity, **_key(found), **facts)


async def save_tokens(
    conn: Executor, ring: KeyRing, found: Identity, tokens: Tokens, *, seconds: int | None
) -> Identity | None:
    """Keep the tokens; the access token works for so many seconds, None if its provider did not tell."""
    refresh = tokens.refresh.reveal() if tokens.refresh else ""
    text = orjson.dumps([tokens.access.reveal(), refresh]).decode()
    kid, sealed = sealing.seal(ring, Secret(text), _place(found))
    facts = {"kid": kid, "sealed": sealed, "seconds": seconds}
    return await _sql.one(conn, "save_provider_tokens", Identity, **_key(found), **facts)


async def void_tokens(conn: Executor, found: Identity) -> None:
    """Forget the tokens, which the provider takes no more."""
    await _sql.one(conn, "save_provider_tokens", Identity, **_key(found), kid=None, sealed=None, seconds=None)


def tokens_of(ring: KeyRing, found: Identity | SessionIdentity) -> Tokens | None:
    """Return the tokens, None without any. Raises CannotUnseal."""
    if found.kid is None or found.sealed is None:
        return None
    access, refresh = orjson.loads(sealing.unseal(ring, found.kid, found.sealed, _place(found)).reveal())
    return Tokens(Secret(access), Secret(refresh) if refresh else None)


async def claim_refresh(conn: Executor, found: SessionIdentity) -> Identity | None:
    """Get the right to exchange the refresh token, for some seconds; None while another request has it."""
    return await _sql.one(conn, "claim_refresh", Identity, **_key(found), seconds=_REFRESH)


async def release_refresh(conn: Executor, found: Identity) -> None:
    await _sql.run(conn, "release_refresh", **_key(found))


async def find(conn: Executor, user: User, *, identity_id: str) -> Identity | None:
    return await _sql.one(conn, "find_identity", Identity, project_id=user.project_id, user_id=user.id, id=identity_id)


async def find_of_project(conn: Executor, project_id: str, *, identity_id: str) -> Identity | None:
    return await _sql.one(conn, "find_identity_of_project", Identity, project_id=project_id, id=identity_id)


async def of_sessions(conn: Executor, user: User) -> dict[str, SessionIdentity]:
    """Map the ids of a user's sessions to the identities that they were opened by, as far as those have tokens."""
    facts = {"project_id": user.project_id, "user_id": user.id}
    found = await _sql.all(conn, "list_identities_of_sessions", SessionIdentity, **facts)
    return {each.session_id: each for each in found}


async def count(conn: Executor, user: User) -> int:
    return int(await _sql.value(conn, "count_identities", project_id=user.project_id, user_id=user.id))


async def remove(conn: Executor, found: Identity) -> bool:
    """Remove an identity; False if it has been. Lock the user first."""
    return await _sql.run(conn, "remove_identity", **_key(found)) == 1


async def restore(conn: Executor, user: User, *, since: datetime) -> None:
    """Undo what was done since a moment: what was added goes, what was removed comes back."""
    facts = {"project_id": user.project_id, "user_id": user.id, "since": since}
    await _sql.run(conn, "delete_identities_since", **facts)
    await _sql.run(conn, "restore_identities", **facts)


async def delete_old(conn: Executor, *, most: int) -> int:
    found = await _sql.all(conn, "list_old_identities", UserRows, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_old_identities", **rows))


async def forget_unshown_tokens(conn: Executor, *, most: int) -> int:
    """Delete the tokens of projects that show none any more."""
    return await _sql.run(conn, "forget_unshown_tokens", most=most)


def _key(found: Identity | SessionIdentity) -> dict[str, str]:
    return {"project_id": found.project_id, "user_id": found.user_id, "id": found.id}


def _place(found: Identity | SessionIdentity) -> Place:
    return Place(_PURPOSE, found.project_id, found.user_id, found.id)
