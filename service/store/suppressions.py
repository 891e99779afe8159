"""Suppressed addresses: their mailbox refuses a project's mail, so that workers send it none (docs/bounces.md).

An address is kept as a hash under a key of the service. After a rotation it is found as long as the key is there.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from service.crypto import key_derivation
from service.crypto.key_derivation import KeyRing
from service.db import Executor, Queries
from service.store.outbox_claims import Claim
from service.store.project_rows import ProjectRows, delete_by_project

_sql = Queries("suppressions")
SuppressionCause = Literal["bounced", "complained", "operator"]
# Causes that end when the holder of an address proves that its mailbox takes our mail.
_DISPROVED = ("bounced", "complained")


@dataclass(frozen=True, slots=True)
class Suppression:
    """A suppression; the recipient is known as long as the mail is kept whose outcome it was."""

    address_hash: str = field(repr=False)
    cause: str
    since: datetime
    until: datetime
    mail_id: UUID | None
    recipient: str | None


@dataclass(frozen=True, slots=True)
class AddressHash:
    address_hash: bytes = field(repr=False)


def _hashes(ring: KeyRing, project_id: str, address: str) -> list[bytes]:
    """Return the hash under each key, the current one first."""
    return [key_derivation.derive(key, "suppression", project_id, address) for key in ring.values()]


def hash_of(ring: KeyRing, project_id: str, address: str) -> bytes:
    """Return the hash that an address is suppressed by."""
    return _hashes(ring, project_id, address)[0]


async def confirm(conn: Executor, ring: KeyRing, claims: Sequence[Claim]) -> list[Claim]:
    """Return the claims, `suppressed` where the recipient's address is; one statement a project that has any."""
    hashes: dict[str, dict[bytes, str]] = defaultdict(dict)
    for claim in claims:
        if claim.has_suppressions:
            of_claim = _hashes(ring, claim.project_id, claim.recipient)
            hashes[claim.project_id] |= dict.fromkeys(of_claim, claim.recipient)
    runs = [{"project_id": project_id, "hashes": list(known)} for project_id, known in hashes.items()]
    # A hash is of an address and its project.
    found = {each.address_hash for each in await _sql.many(conn, "find_suppressed", AddressHash, runs)}
    refused = {
        (project_id, address)
        for project_id, known in hashes.items()
        for address_hash, address in known.items()
        if address_hash in found
    }
    return [
        replace(claim, suppressed=True) if (claim.project_id, claim.recipient) in refused else claim for claim in claims
    ]


async def suppress(
    conn: Executor, ring: KeyRing, project_id: str, *, address: str, cause: SuppressionCause, days: int,
    mail_id: UUID | None = None,
) -> None:  # fmt: skip
    """Suppress an address for so many days, or for longer if it is already."""
    address_hash = hash_of(ring, project_id, address)
    facts = {"project_id": project_id, "address_hash": address_hash, "cause": cause, "mail_id": mail_id}
    await _sql.run(conn, "suppress", **facts, days=days)


async def find_all(
    conn: Executor, ring: KeyRing, project_id: str, *, address: str | None, most: int
) -> list[Suppression]:
    """List a project's suppressions, newest first; of one address only, if it is given."""
    hashes = None if address is None else _hashes(ring, project_id, address)
    return await _sql.all(conn, "list_suppressions", Suppression, project_id=project_id, hashes=hashes, most=most)


async def lift(conn: Executor, ring: KeyRing, project_id: str, *, address: str) -> bool:
    """Let an address have mail again; False if it was not suppressed."""
    return await _lift(conn, ring, project_id, address, (*_DISPROVED, "operator")) > 0


async def lift_proved(conn: Executor, ring: KeyRing, project_id: str, *, address: str) -> None:
    """Let an address have mail again whose holder has read one: no bounce or complaint stands against that."""
    await _lift(conn, ring, project_id, address, _DISPROVED)


async def _lift(conn: Executor, ring: KeyRing, project_id: str, address: str, causes: Collection[str]) -> int:
    hashes = _hashes(ring, project_id, address)
    return await _sql.run(conn, "lift_suppressions", project_id=project_id, hashes=hashes, causes=list(causes))


async def delete_expired(conn: Executor, *, most: int) -> int:
    found = await _sql.all(conn, "list_expired_suppressions", ProjectRows, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_expired_suppressions", **rows))
