"""Identities by which tokens of the kind oauth2 sign in. Each lives and dies with its token."""

from dataclasses import dataclass

from service.db import Executor, Queries

_sql = Queries("identity_tokens")


@dataclass(frozen=True, slots=True)
class IdentityToken:
    """Identity of a token; `two_factors` if the sign-in at the provider counts as two."""

    project_id: str
    token_id: str
    identity_id: str
    two_factors: bool


async def record(conn: Executor, project_id: str, *, token_id: str, identity_id: str, two_factors: bool) -> None:
    facts = {"token_id": token_id, "identity_id": identity_id, "two_factors": two_factors}
    await _sql.run(conn, "record_identity_token", project_id=project_id, **facts)


async def find(conn: Executor, project_id: str, *, token_id: str) -> IdentityToken | None:
    return await _sql.one(conn, "find_identity_token", IdentityToken, project_id=project_id, token_id=token_id)
