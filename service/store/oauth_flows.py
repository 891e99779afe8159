"""Sign-ins that were sent to a provider. The row is stored; state, nonce and PKCE verifier are derived from its id.

So neither the database nor a copy of it has what the callback or the token endpoint asks for.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Literal

from service import ids
from service.crypto import key_derivation
from service.crypto.key_derivation import KeyRing
from service.crypto.secret import Secret
from service.db import Executor, Queries
from service.store.project_rows import ProjectRows, delete_by_project

_sql = Queries("oauth_flows")
SECONDS = 600
Kind = Literal["session", "token"]
# Id and proof, 64 characters.
_STATE = re.compile(r"([0-9a-f]{20})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class Flow:
    """A sign-in under way. `success` and `failure` are empty for our own pages.

    `bound` if only the browser that started it may end it; `session_id` is the session that it had then, and
    `invitation_id` the invitation whose code it showed.
    """

    project_id: str
    id: str
    provider: str
    kind: Kind
    success: str
    failure: str
    app_state: str
    bound: bool
    session_id: str | None
    invitation_id: str | None


@dataclass(frozen=True, slots=True)
class Proofs:
    """Texts that are derived from a flow's id."""

    state: str
    nonce: str
    verifier: Secret


@dataclass(frozen=True, slots=True)
class Named:
    """A flow whose state has been found genuine; the row may be gone."""

    id: str
    proofs: Proofs


def derive(ring: KeyRing, kid: str, project_id: str, provider: str, flow_id: str) -> Proofs:
    """Derive the texts of a flow, each of 256 bits."""

    def text(purpose: str) -> str:
        raw = key_derivation.derive(ring[kid], purpose, flow_id, project_id, provider)
        return urlsafe_b64encode(raw).rstrip(b"=").decode()

    return Proofs(
        state=f"{flow_id}.{text('oauth2-state')}",
        nonce=text("oauth2-nonce"),
        verifier=Secret(text("oauth2-verifier")),
    )


def read_state(ring: KeyRing, project_id: str, provider: str, state: str) -> Named | None:
    """Return the flow that a state names; None for one that was not made here, for this project and provider."""
    match = _STATE.fullmatch(state)
    if match is None:
        return None
    found = None
    for kid in ring:
        proofs = derive(ring, kid, project_id, provider, match[1])
        if hmac.compare_digest(proofs.state, state):
            found = Named(match[1], proofs)
    return found


def name(ring: KeyRing, project_id: str, provider: str) -> Named:
    """Name a new flow."""
    id_ = ids.new()
    return Named(id_, derive(ring, key_derivation.current(ring), project_id, provider, id_))


async def create(
    conn: Executor,
    project_id: str,
    named: Named,
    *,
    provider: str,
    kind: Kind,
    success: str,
    failure: str,
    app_state: str,
    browser: Secret | None,
    session_id: str | None,
    invitation_id: str | None,
) -> None:
    """Create the row of a flow, bound to the browser that keeps this cookie if there is one."""
    await _sql.run(
        conn,
        "create_oauth_flow",
        project_id=project_id,
        id=named.id,
        provider=provider,
        kind=kind,
        success=success,
        failure=failure,
        app_state=app_state,
        browser=key_derivation.digest(browser.reveal()) if browser else None,
        session_id=session_id,
        invitation_id=invitation_id,
        seconds=SECONDS,
    )


async def take(conn: Executor, project_id: str, *, provider: str, flow_id: str, browser: Secret) -> Flow | None:
    """Use a flow up; None if it has been, has expired, or was started by another browser."""
    return await _sql.one(
        conn,
        "take_oauth_flow",
        Flow,
        project_id=project_id,
        id=flow_id,
        provider=provider,
        browser=key_derivation.digest(browser.reveal()),
    )


async def delete_expired(conn: Executor, *, most: int) -> int:
    found = await _sql.all(conn, "list_expired_oauth_flows", ProjectRows, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_expired_oauth_flows", **rows))
