"""Signed checkpoints of the security log's chains: what was filed before one can't be changed without a trace."""

import logging
from dataclasses import dataclass

from service.crypto import log_checkpoints
from service.crypto.key_derivation import KeyRing
from service.crypto.log_checkpoints import Stand
from service.db import Executor, Queries

log = logging.getLogger(__name__)
_sql = Queries("log_checkpoints")


@dataclass(frozen=True, slots=True)
class Checkpoint(Stand):
    """A stand that was signed under the key `kid`."""

    kid: str
    signature: bytes


async def sign_due(conn: Executor, ring: KeyRing, *, most: int) -> int:
    """Sign the chains that are due, so many at a time, and tell the process log; return how many there were."""
    found = await _sql.all(conn, "list_chains_to_sign", Stand, most=most)
    for stand in found:
        kid, signature = log_checkpoints.sign(ring, stand)
        facts = {"project_id": stand.project_id, "month": stand.month, "number": stand.number, "hash": stand.hash}
        if await _sql.run(conn, "record_checkpoint", **facts, at=stand.at, kid=kid, signature=signature):
            shown = {"project": stand.project_id, "month": stand.month, "rows": stand.number, "hash": stand.hash.hex()}
            log.info(
                "The worker has signed a checkpoint of the security log",
                extra={
                    "event": "security_log.checkpoint",
                    **shown,
                    "signed_at": stand.at.isoformat(timespec="microseconds"),
                    "key": kid,
                    "signature": signature.hex(),
                },
            )
    return len(found)


async def overdue(conn: Executor) -> float:
    """Return the seconds for which the oldest checkpoint has been due; 0 for none."""
    return float(await _sql.value(conn, "get_overdue_of_checkpoints"))


async def of_project(conn: Executor, project_id: str) -> list[Checkpoint]:
    """List a project's checkpoints, the oldest first."""
    return await _sql.all(conn, "list_checkpoints", Checkpoint, project_id=project_id)


async def delete_old(conn: Executor, *, months: int, most: int) -> int:
    """Delete those of months that are not kept any more."""
    return await _sql.run(conn, "delete_old_checkpoints", months=months, most=most)
