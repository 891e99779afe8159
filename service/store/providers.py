"""Other providers that a project's users may sign in with; client secrets are sealed, each for its row."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from service.crypto import sealing
from service.crypto.key_derivation import KeyRing
from service.crypto.sealing import CannotUnseal, Place
from service.crypto.secret import Secret
from service.db import Executor, Queries
from service.identity_providers.profiles import Endpoints
from service.identity_providers.provider import Provider
from service.store.aging_cache import AgingCache

log = logging.getLogger(__name__)
_sql = Queries("providers")
# Named in sql/queries/sealed_rows.sql too.
_PURPOSE = "provider"


@dataclass(frozen=True, slots=True)
class ProviderRow:
    project_id: str
    name: str
    enabled: bool
    client_id: str
    kid: str | None
    sealed: bytes | None = field(repr=False)
    native: bool
    native_client_ids: list[str]
    trust_email: bool
    issuer: str
    discovery_url: str
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str
    jwks_uri: str
    tenant: str
    team_id: str
    key_id: str
    scopes: list[str]
    prompt: str
    max_age: int | None
    plain_http: bool


async def list_all(conn: Executor, ring: KeyRing, project_id: str) -> list[Provider]:
    return [_provider(ring, row) for row in await _sql.all(conn, "list_providers", ProviderRow, project_id=project_id)]


async def lock(conn: Executor, ring: KeyRing, project_id: str, name: str) -> Provider | None:
    """Find a provider and lock its row."""
    row = await _sql.one(conn, "lock_provider", ProviderRow, project_id=project_id, name=name)
    return _provider(ring, row) if row else None


async def save(conn: Executor, project_id: str, name: str, **changes: Any) -> None:
    """Set columns by name, of a new provider if there is none yet; the project must be there."""
    await _sql.run(conn, "create_provider", project_id=project_id, name=name)
    await _sql.run(conn, "change_provider", project_id=project_id, name=name, changes=changes)


async def set_secret(conn: Executor, ring: KeyRing, project_id: str, name: str, *, secret: Secret) -> None:
    """Set the client secret of a provider that is there."""
    kid, sealed = sealing.seal(ring, secret, _place(project_id, name))
    await _sql.run(conn, "set_provider_secret", project_id=project_id, name=name, kid=kid, sealed=sealed)


async def delete(conn: Executor, project_id: str, name: str) -> bool:
    return await _sql.run(conn, "delete_provider", project_id=project_id, name=name) == 1


def _place(project_id: str, name: str) -> Place:
    return Place(_PURPOSE, project_id, "", name)


def _provider(ring: KeyRing, row: ProviderRow) -> Provider:
    return Provider(
        project_id=row.project_id,
        name=row.name,
        enabled=row.enabled,
        client_id=row.client_id,
        client_secret=_secret(ring, row),
        native=row.native,
        native_client_ids=tuple(row.native_client_ids),
        trust_email=row.trust_email,
        issuer=row.issuer,
        endpoints=Endpoints(
            discovery=row.discovery_url,
            authorization=row.authorization_endpoint,
            token=row.token_endpoint,
            userinfo=row.userinfo_endpoint,
            jwks=row.jwks_uri,
        ),
        tenant=row.tenant,
        team_id=row.team_id,
        key_id=row.key_id,
        scopes=tuple(row.scopes),
        prompt=row.prompt,
        max_age=row.max_age,
        plain_http=row.plain_http,
    )


def _secret(ring: KeyRing, row: ProviderRow) -> Secret | None:
    """Open the client secret; without its key the provider can't be used, and the operator is told."""
    if row.kid is None or row.sealed is None:
        return None
    try:
        return sealing.unseal(ring, row.kid, row.sealed, _place(row.project_id, row.name))
    except CannotUnseal as fault:
        log.error(  # noqa: TRY400 - a traceback says nothing more
            "A provider's client secret can't be opened",
            extra={
                "event": "provider.cannot_unseal",
                "project": row.project_id,
                "provider": row.name,
                "cause": str(fault),
            },
        )
        return None


async def _load(conn: Executor, ring: KeyRing, project_id: str) -> Mapping[str, Provider]:
    return {provider.name: provider for provider in await list_all(conn, ring, project_id)}


class ProviderCache(AgingCache[Mapping[str, Provider]]):
    """Cache of providers by name, for each project."""

    def __init__(self, conn: Executor, ring: KeyRing) -> None:
        super().__init__(partial(_load, conn, ring))

    async def find_provider(self, project_id: str, name: str) -> Provider | None:
        """Find one provider, at most a second old, enabled or not."""
        found = await self.find(project_id)
        return found.get(name) if found else None
