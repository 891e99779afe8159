"""SMTP servers of projects that have their own; their URLs are sealed, for they hold passwords."""

from dataclasses import dataclass, field

from service.crypto import sealing
from service.crypto.key_derivation import KeyRing
from service.crypto.sealing import Place
from service.crypto.secret import Secret
from service.db import Executor, Queries

_sql = Queries("project_relays")
# Named in sql/queries/sealed_rows.sql too.
_PURPOSE = "project relay"


@dataclass(frozen=True, slots=True)
class ProjectRelay:
    """A project's server by host:port, with its URL as it is sealed."""

    project_id: str
    server: str
    kid: str
    sealed: bytes = field(repr=False)


async def list_all(conn: Executor) -> list[ProjectRelay]:
    return await _sql.all(conn, "list_project_relays", ProjectRelay)


async def find(conn: Executor, project_id: str) -> ProjectRelay | None:
    return await _sql.one(conn, "find_project_relay", ProjectRelay, project_id=project_id)


async def save(conn: Executor, ring: KeyRing, project_id: str, *, server: str, url: Secret) -> None:
    """Set a project's server; the project must be there."""
    kid, sealed = sealing.seal(ring, url, _place(project_id))
    await _sql.run(conn, "set_project_relay", project_id=project_id, server=server, kid=kid, sealed=sealed)


async def remove(conn: Executor, project_id: str) -> None:
    """Send by the shared relay again."""
    await _sql.run(conn, "remove_project_relay", project_id=project_id)


def url_of(ring: KeyRing, relay: ProjectRelay) -> Secret:
    """Return the URL. Raises CannotUnseal."""
    return sealing.unseal(ring, relay.kid, relay.sealed, _place(relay.project_id))


def _place(project_id: str) -> Place:
    return Place(_PURPOSE, project_id, "", project_id)
