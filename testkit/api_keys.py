"""A server of ours that holds an API key: what it sends with its calls."""

from service import ids
from service.db import Pool
from service.store import projects


async def key(pool: Pool, *scopes: str, project: str = "shop", days: int | None = None) -> dict[str, str]:
    """Make the headers of a server's calls; with all scopes of the Users API if none is named."""
    secret = await projects.create_api_key(
        pool,
        project,
        key_id=ids.new(),
        name="server",
        scopes=list(scopes or ("users.read", "users.write")),
        days=days,
    )
    return {"X-Appwrite-Key": secret, "X-Appwrite-Project": project}
