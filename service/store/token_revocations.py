"""Revocations of tokens that are still live."""

from datetime import datetime

from service.db import Executor, Queries
from service.store.tokens import CUSTOM_AT_ONCE
from service.store.users import User

_sql = Queries("token_revocations")


async def revoke_all(conn: Executor, owner: User, *, by_address: bool) -> None:
    """Revoke earlier links and codes after a use, a new password, a new address, a block. Lock the user first.

    `by_address` also ends those that were asked for by the address alone. That is for operators and for members who
    have proved it: who signed up with another person's address must not end what was mailed to its owner.
    Links of notices stay: a thief of the account must not be able to kill its owner's way back.
    """
    asked = [owner.email, owner.phone if owner.phone_verified else None] if by_address else []
    addresses = [address for address in asked if address]
    await _sql.value(conn, "revoke_tokens", project_id=owner.project_id, user_id=owner.id, addresses=addresses)


async def revoke_of_phone(conn: Executor, owner: User) -> None:
    """Revoke the codes for a user's number, as it was before, and all that sign in by it. Lock the user first."""
    facts = {"project_id": owner.project_id, "user_id": owner.id, "phone": owner.phone}
    await _sql.run(conn, "revoke_phone_tokens", **facts)


async def revoke_oldest_custom(conn: Executor, owner: User) -> None:
    """Revoke a user's oldest custom tokens, so that one more may be made. Lock the user first."""
    await _sql.run(
        conn, "revoke_oldest_custom_tokens", project_id=owner.project_id, user_id=owner.id, kept=CUSTOM_AT_ONCE - 1
    )


async def revoke_of_passkeys(conn: Executor, owner: User) -> None:
    """Revoke what passkeys have signed for and no session was opened with yet. Lock the user first."""
    await _sql.run(conn, "revoke_passkey_tokens", project_id=owner.project_id, user_id=owner.id)


async def revoke_undo_links(conn: Executor, owner: User, *, since: datetime | None = None) -> None:
    """Revoke notices' links after an operator has stepped in, or one of them was used. Lock the user first.

    `since` keeps earlier ones: a thief of the account must not end its owner's by using a later one.
    """
    await _sql.run(conn, "revoke_undo_links", project_id=owner.project_id, user_id=owner.id, since=since)
