"""ID tokens that have opened a session: each does so once, and is remembered until nobody would take it any more."""

from service.db import Executor, Queries
from service.store.project_rows import ProjectRows, delete_by_project

_sql = Queries("used_id_tokens")


async def record(conn: Executor, project_id: str, *, digest: bytes, expires_at: int) -> bool:
    """Use a token up; False if it was used. `expires_at` is in seconds since 1970."""
    facts = {"project_id": project_id, "digest": digest, "expires_at": expires_at}
    return await _sql.run(conn, "record_used_id_token", **facts) == 1


async def delete_expired(conn: Executor, *, most: int) -> int:
    found = await _sql.all(conn, "list_expired_used_id_tokens", ProjectRows, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_expired_used_id_tokens", **rows))
