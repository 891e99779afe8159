"""DKIM keys of projects, by selector; private keys are sealed.

new -> active -> former. A key is made and its record published; then it signs; then another does, and its record stays
until no mail that it signed is under way. At most one key of each algorithm is active: a mail has a signature of each.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from service.crypto import dkim_keys, sealing
from service.crypto.dkim_keys import Algorithm
from service.crypto.key_derivation import KeyRing
from service.crypto.sealing import Place
from service.crypto.secret import Secret
from service.db import Executor, Pool, Queries, transaction

_sql = Queries("dkim_keys")
# Named in sql/queries/sealed_rows.sql too.
_PURPOSE = "dkim"
MOST = 10


class TooManyKeys(Exception):
    """The project has as many DKIM keys as it may have."""


class SelectorTaken(Exception):
    """The project has a DKIM key under this selector."""


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A key with the public half as its record has it, and the private one as it is sealed."""

    project_id: str
    selector: str
    domain: str
    algorithm: Algorithm
    state: Literal["new", "active", "former"]
    public_key: str
    kid: str
    sealed: bytes = field(repr=False)
    created_at: datetime
    activated_at: datetime | None

    @property
    def record_name(self) -> str:
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """Text of the TXT record at that name."""
        return f"v=DKIM1; k={self.algorithm}; p={self.public_key}"


async def create(
    pool: Pool, ring: KeyRing, project_id: str, *, selector: str, domain: str, algorithm: Algorithm
) -> DkimKey:
    """Make a key that signs nothing yet; the project must be there. Raises TooManyKeys, SelectorTaken."""
    private = dkim_keys.generate(algorithm)
    kid, sealed = sealing.seal(ring, private, _place(project_id, selector))
    async with transaction(pool, project_id) as tx:
        await _sql.value(tx, "lock_dkim_keys", project_id=project_id)
        found = await list_all(tx, project_id)
        if any(key.selector == selector for key in found):
            raise SelectorTaken(f"{project_id} has a DKIM key {selector} already")
        if len(found) >= MOST:
            raise TooManyKeys(f"a project has at most {MOST} DKIM keys; retire one")
        made = await _sql.one(
            tx,
            "create_dkim_key",
            DkimKey,
            project_id=project_id,
            selector=selector,
            domain=domain,
            algorithm=algorithm,
            public_key=dkim_keys.public_key(private),
            kid=kid,
            sealed=sealed,
        )
    assert made is not None  # noqa: S101 - it returns what it inserts
    return made


async def list_all(conn: Executor, project_id: str) -> list[DkimKey]:
    return await _sql.all(conn, "list_dkim_keys", DkimKey, project_id=project_id)


async def list_signing(conn: Executor) -> list[DkimKey]:
    """List the active keys of all projects."""
    return await _sql.all(conn, "list_signing_keys", DkimKey)


async def find(conn: Executor, project_id: str, selector: str) -> DkimKey | None:
    return next((key for key in await list_all(conn, project_id) if key.selector == selector), None)


async def activate(pool: Pool, project_id: str, selector: str) -> DkimKey | None:
    """Sign with this key from now on, and no more with the other of its algorithm; None without it."""
    async with transaction(pool, project_id) as tx:
        await _sql.value(tx, "lock_dkim_keys", project_id=project_id)
        await _sql.run(tx, "deactivate_dkim_keys", project_id=project_id, selector=selector)
        await _sql.run(tx, "date_dkim_key", project_id=project_id, selector=selector)
        return await _sql.one(tx, "activate_dkim_key", DkimKey, project_id=project_id, selector=selector)


async def retire(conn: Executor, project_id: str, selector: str) -> bool:
    """Delete a key, the active one too."""
    return await _sql.run(conn, "delete_dkim_key", project_id=project_id, selector=selector) == 1


def private_key(ring: KeyRing, key: DkimKey) -> Secret:
    """Return the private key. Raises CannotUnseal."""
    return sealing.unseal(ring, key.kid, key.sealed, _place(key.project_id, key.selector))


def _place(project_id: str, selector: str) -> Place:
    return Place(_PURPOSE, project_id, "", selector)
