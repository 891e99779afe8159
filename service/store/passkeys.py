"""Passkeys of users. A removed one is kept for as long as an undo link works."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from service.crypto.passkey_ceremonies import NewCredential
from service.db import Executor, Queries
from service.store.project_rows import ProjectRows, delete_by_project
from service.store.users import User

_sql = Queries("passkeys")
_HANDLE = 32


@dataclass(frozen=True, slots=True)
class Passkey:
    project_id: str
    id: str
    user_id: str
    name: str
    credential_id: bytes = field(repr=False)
    transports: list[str]
    created_at: datetime
    updated_at: datetime
    accessed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Credential:
    """A passkey as a sign-in is checked with it; its owner's handle came from the authenticator too."""

    project_id: str
    id: str
    user_id: str
    public_key: bytes
    backup_eligible: bool
    webauthn_handle: bytes | None


async def ensure_handle(conn: Executor, user: User) -> bytes:
    """Return what names the user to authenticators; made now if there is none. Lock the user first."""
    facts = {"project_id": user.project_id, "user_id": user.id, "handle": secrets.token_bytes(_HANDLE)}
    return bytes(await _sql.value(conn, "ensure_webauthn_handle", **facts))


async def create(
    conn: Executor, user: User, *, passkey_id: str, name: str, credential: NewCredential
) -> Passkey | None:
    """Create a passkey; None if its id or its credential is taken. Lock the user first."""
    return await _sql.one(
        conn,
        "create_passkey",
        Passkey,
        project_id=user.project_id,
        id=passkey_id,
        user_id=user.id,
        name=name,
        credential_id=credential.id,
        credential_hash=sha256(credential.id).digest(),
        public_key=credential.public_key,
        algorithm=credential.algorithm,
        backup_eligible=credential.backup_eligible,
        backed_up=credential.backed_up,
        sign_count=credential.sign_count,
        transports=credential.transports,
        aaguid=credential.aaguid,
    )


async def list_all(conn: Executor, user: User) -> list[Passkey]:
    """List them, oldest first."""
    return await _sql.all(conn, "list_passkeys", Passkey, project_id=user.project_id, user_id=user.id)


async def find(conn: Executor, user: User, *, passkey_id: str) -> Passkey | None:
    return await _sql.one(conn, "find_passkey", Passkey, project_id=user.project_id, user_id=user.id, id=passkey_id)


async def is_taken(conn: Executor, project_id: str, *, passkey_id: str) -> bool:
    return bool(await _sql.value(conn, "is_passkey_taken", project_id=project_id, id=passkey_id))


async def find_credential(conn: Executor, project_id: str, *, credential_id: bytes) -> Credential | None:
    digest = sha256(credential_id).digest()
    return await _sql.one(conn, "find_credential", Credential, project_id=project_id, credential_hash=digest)


async def use(conn: Executor, found: Credential, *, sign_count: int, backed_up: bool) -> bool:
    """Record a sign-in; False if the passkey is gone or its counter has not grown."""
    facts = {"project_id": found.project_id, "id": found.id, "user_id": found.user_id}
    return await _sql.run(conn, "use_passkey", **facts, sign_count=sign_count, backed_up=backed_up) == 1


async def rename(conn: Executor, user: User, *, passkey_id: str, name: str) -> Passkey | None:
    facts = {"project_id": user.project_id, "user_id": user.id, "id": passkey_id}
    return await _sql.one(conn, "rename_passkey", Passkey, **facts, name=name)


async def remove(conn: Executor, user: User, *, passkey_id: str) -> bool:
    """Remove one; False if the user has no such passkey."""
    facts = {"project_id": user.project_id, "user_id": user.id, "id": passkey_id}
    return await _sql.run(conn, "remove_passkey", **facts) == 1


async def restore(conn: Executor, user: User, *, since: datetime) -> None:
    """Undo what was done since a moment: what was added goes, what was removed comes back."""
    facts = {"project_id": user.project_id, "user_id": user.id, "since": since}
    await _sql.run(conn, "delete_passkeys_since", **facts)
    await _sql.run(conn, "restore_passkeys", **facts)


async def any_of_project(conn: Executor, project_id: str) -> bool:
    """Tell whether a project has passkeys, or some that are being made."""
    return bool(await _sql.value(conn, "has_passkeys", project_id=project_id))


async def delete_removed(conn: Executor, *, most: int) -> int:
    found = await _sql.all(conn, "list_removed_passkeys", ProjectRows, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_removed_passkeys", **rows))
