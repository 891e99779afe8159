"""Requests for a private sign-up. No account is made before the address is proved."""

from dataclasses import dataclass, field

from service.db import Executor, Queries

_sql = Queries("signups")


@dataclass(frozen=True, slots=True)
class Signup:
    project_id: str
    token_id: str
    name: str
    password_hash: str = field(repr=False)


async def record(conn: Executor, project_id: str, *, token_id: str, name: str, password_hash: str) -> None:
    """Record a request; it lives and dies with the token whose secret is mailed to the address."""
    await _sql.run(
        conn, "record_sign_up", project_id=project_id, token_id=token_id, name=name, password_hash=password_hash
    )


async def find(conn: Executor, project_id: str, *, token_id: str) -> Signup | None:
    return await _sql.one(conn, "find_sign_up", Signup, project_id=project_id, token_id=token_id)
