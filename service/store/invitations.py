"""Invitations to sign up (docs/accounts.md#sign-up-by-invitation): a code for whoever has it, or an address.

A code is kept as a digest: it is random, and no guess at it is better than another. What an address may do follows
from its proof, so nothing secret belongs to it here.
"""

from dataclasses import dataclass
from datetime import datetime

from service import ids
from service.crypto import invitation_codes
from service.crypto.secret import Secret
from service.db import Executor, Queries
from service.store.project_rows import ProjectRows, delete_by_project

_sql = Queries("invitations")


@dataclass(frozen=True, slots=True)
class Invitation:
    """`email` is None for a code."""

    id: str
    email: str | None
    note: str
    most_uses: int
    uses: int
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    expired: bool


@dataclass(frozen=True, slots=True)
class InvitationId:
    id: str


@dataclass(frozen=True, slots=True)
class CodeFound:
    """Invitation whose code this is; not `usable` once it has expired or is used up."""

    id: str
    usable: bool


async def create(
    conn: Executor, project_id: str, *, email: str | None = None, code: Secret | None = None, note: str,
    most_uses: int = 1, seconds: int,
) -> Invitation:  # fmt: skip
    """Create an invitation, of an address or of a code."""
    facts = {"project_id": project_id, "id": ids.new(), "note": note, "most_uses": most_uses, "seconds": seconds}
    code_hash = invitation_codes.digest(code) if code else None
    made = await _sql.one(conn, "create_invitation", Invitation, **facts, email=email, code_hash=code_hash)
    assert made is not None  # noqa: S101 - an insert that returns always has a row
    return made


async def list_page(conn: Executor, project_id: str, *, after: str | None, most: int) -> list[Invitation]:
    """List invitations, newest first, from behind one."""
    return await _sql.all(conn, "list_invitations", Invitation, project_id=project_id, after=after, most=most)


async def delete(conn: Executor, project_id: str, *, invitation_id: str) -> bool:
    """Delete an invitation, and the token of its letter; in a transaction, the invitation first as everywhere."""
    if await _sql.run(conn, "delete_invitation", project_id=project_id, id=invitation_id) == 0:
        return False
    await _sql.run(conn, "delete_token_of_invitation", project_id=project_id, id=invitation_id)
    return True


async def delete_of_address(conn: Executor, project_id: str, *, email: str) -> None:
    """Delete the invitation of an address, if there is one, as `delete` does."""
    former = await _sql.one(conn, "find_invitation_of_address", InvitationId, project_id=project_id, email=email)
    if former:
        await delete(conn, project_id, invitation_id=former.id)


async def find_by_code(conn: Executor, project_id: str, code: Secret) -> CodeFound | None:
    code_hash = invitation_codes.digest(code)
    return await _sql.one(conn, "find_invitation_of_code", CodeFound, project_id=project_id, code_hash=code_hash)


async def remember(conn: Executor, project_id: str, *, token_id: str, invitation_id: str) -> None:
    """Have a token remember the invitation that its request came with."""
    await _sql.run(conn, "remember_invitation", project_id=project_id, token_id=token_id, invitation_id=invitation_id)


async def use(
    conn: Executor, project_id: str, *, invitation_id: str | None = None, token_id: str | None = None,
    email: str | None = None,
) -> bool:  # fmt: skip
    """Use up one place of the invitation of a proved address, of one that was shown, or of a token's; False for none.

    Call it late in the transaction that makes the account: others wait for the row.
    """
    facts = {"invitation_id": invitation_id, "token_id": token_id, "email": email}
    return await _sql.run(conn, "use_invitation", project_id=project_id, **facts) == 1


async def delete_expired(conn: Executor, *, most: int) -> int:
    found = await _sql.all(conn, "list_expired_invitations", ProjectRows, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_expired_invitations", **rows))
