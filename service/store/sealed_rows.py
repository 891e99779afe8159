"""All rows with sealed secrets: which key each was sealed under, and sealing them anew after a rotation of keys.

A secret is opened with the key that sealed it. So that key must stay in SECRET_KEYS until no row needs it.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from service.crypto import key_derivation, sealing
from service.crypto.key_derivation import KeyRing
from service.crypto.sealing import CannotUnseal, Place
from service.db import Executor, Queries

_sql = Queries("sealed_rows")
_BATCH, COUNTED = 500, 10_000


@dataclass(frozen=True, slots=True)
class SealedCount:
    """Number of rows of one purpose that were sealed under one key; COUNTED means so many or more."""

    purpose: str
    kid: str
    rows: int


@dataclass(frozen=True, slots=True)
class SealedRow:
    purpose: str
    project_id: str
    user_id: str
    row_id: str
    kid: str
    sealed: bytes = field(repr=False)

    @property
    def place(self) -> Place:
        return Place(self.purpose, self.project_id, self.user_id, self.row_id)


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that can't be opened, and so not sealed anew either."""

    place: Place
    fault: str


async def count(conn: Executor) -> list[SealedCount]:
    return await _sql.all(conn, "count_sealed_rows", SealedCount, most=COUNTED)


async def missing_keys(conn: Executor, ring: KeyRing) -> str:
    """Describe for the operator the keys that rows need and the ring has not; "" if it has all."""
    missing = [found for found in await count(conn) if found.kid not in ring]
    rows = ", ".join(f"{_number(found.rows)} of {found.purpose} under {found.kid}" for found in missing)
    return f"SECRET_KEYS: keys are missing that rows are encrypted under: {rows}" if rows else ""


def _number(rows: int) -> str:
    return f"{rows} or more" if rows >= COUNTED else str(rows)


async def reseal(conn: Executor, ring: KeyRing) -> tuple[int, list[Refused]]:
    """Seal all rows under the first key; return how many that were, and those that can't be opened.

    May run beside itself and beside changes of the rows: each row is replaced only while it is as it was read.
    """
    done, refused = 0, []
    async for row in _older(conn, key_derivation.current(ring)):
        try:
            done += await _reseal(conn, ring, row)
        except CannotUnseal as fault:
            refused.append(Refused(row.place, str(fault)))
    return done, refused


async def _older(conn: Executor, kid: str) -> AsyncIterator[SealedRow]:
    """Yield the rows under other keys, a batch a statement."""
    last = SealedRow("", "", "", "", "", b"")
    while True:
        after = {"purpose": last.purpose, "former": last.kid} | {
            "project_id": last.project_id, "user_id": last.user_id, "row_id": last.row_id,
        }  # fmt: skip
        rows = await _sql.all(conn, "list_rows_to_reseal", SealedRow, kid=kid, **after, most=_BATCH)
        for row in rows:
            yield row
        if len(rows) < _BATCH:
            return
        last = rows[-1]


async def _reseal(conn: Executor, ring: KeyRing, row: SealedRow) -> int:
    """Seal one row anew. Raises CannotUnseal."""
    secret = sealing.unseal(ring, row.kid, row.sealed, row.place)
    kid, sealed = sealing.seal(ring, secret, row.place)
    facts = {"project_id": row.project_id, "user_id": row.user_id, "row_id": row.row_id, "former": row.sealed}
    if row.purpose == "dkim":
        return await _sql.run(conn, "reseal_dkim_key", **facts, kid=kid, sealed=sealed)
    if row.purpose == "totp":
        return await _sql.run(conn, "reseal_authenticator", **facts, kid=kid, sealed=sealed)
    if row.purpose == "provider tokens":
        return await _sql.run(conn, "reseal_identity", **facts, kid=kid, sealed=sealed)
    if row.purpose == "provider":
        return await _sql.run(conn, "reseal_provider", **facts, kid=kid, sealed=sealed)
    if row.purpose == "webhook":
        return await _sql.run(conn, "reseal_webhook_secret", **facts, kid=kid, sealed=sealed)
    return await _sql.run(conn, "reseal_project_relay", **facts, kid=kid, sealed=sealed)
