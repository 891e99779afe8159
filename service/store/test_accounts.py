"""Test accounts: addresses whose mailed codes may also be one fixed code, until it expires (docs/accounts.md).

A code is kept as a hash under a key of the service, bound to its address. After a rotation it is good as long as the
key is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from service.crypto import key_derivation
from service.crypto.key_derivation import KeyRing
from service.crypto.secret import Secret
from service.db import Executor, Queries
from service.store.project_rows import ProjectRows, delete_by_project
from service.store.projects import Project
from service.store.tokens import Kind

_sql = Queries("test_accounts")
# A fixed code is no second factor: whoever reads it has both.
KINDS = (Kind.OTP, Kind.VERIFICATION_OTP, Kind.RECOVERY_OTP)


@dataclass(frozen=True, slots=True)
class TestAccount:
    email: str
    created_at: datetime
    expires_at: datetime
    expired: bool
    uses: int
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class CodeOwner:
    email: str


def may_have_one(project: Project, email: str) -> bool:
    """Tell whether an address is at one of the project's domains for tests."""
    return email.rpartition("@")[2] in project.test_domains


def _hash(key: bytes, project_id: str, email: str, code: Secret) -> bytes:
    return key_derivation.derive(key, "test account", project_id, email, code.reveal())


async def save(conn: Executor, ring: KeyRing, project_id: str, *, email: str, code: Secret, days: int) -> TestAccount:
    """Give an address a fixed code for so many days; it replaces a former one."""
    code_hash = _hash(ring[key_derivation.current(ring)], project_id, email, code)
    facts = {"project_id": project_id, "email": email, "code_hash": code_hash, "days": days}
    saved = await _sql.one(conn, "save_test_account", TestAccount, **facts)
    assert saved is not None  # noqa: S101 - an insert that returns always has a row
    return saved


async def find_all(conn: Executor, project_id: str, *, most: int) -> list[TestAccount]:
    return await _sql.all(conn, "list_test_accounts", TestAccount, project_id=project_id, most=most)


async def delete(conn: Executor, project_id: str, *, email: str) -> bool:
    return await _sql.run(conn, "delete_test_account", project_id=project_id, email=email) == 1


async def use_code(conn: Executor, ring: KeyRing, project_id: str, *, emails: Sequence[str], code: Secret) -> set[str]:
    """Return those of the addresses whose fixed code this is, and count the use."""
    hashes = [_hash(key, project_id, email, code) for key in ring.values() for email in emails]
    found = await _sql.all(conn, "use_fixed_code", CodeOwner, project_id=project_id, hashes=hashes)
    return {each.email for each in found}


async def has_code(conn: Executor, project_id: str, *, email: str) -> bool:
    return await _sql.one(conn, "find_test_account", CodeOwner, project_id=project_id, email=email) is not None


async def delete_expired(conn: Executor, *, most: int) -> int:
    found = await _sql.all(conn, "list_expired_test_accounts", ProjectRows, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_expired_test_accounts", **rows))
