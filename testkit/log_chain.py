"""The security log's chains, verified as `log verify` does."""

from service.cli.log import verification
from service.crypto import log_checkpoints
from service.crypto.key_derivation import KeyRing
from service.db import Pool


async def verified_rows(pool: Pool, ring: KeyRing, project_id: str) -> int:
    """Return how many rows are as they were filed. Raises AssertionError for a fault, and for rows in no chain."""
    keys = verification.Keys(log_checkpoints.public_keys(ring))
    project = await verification.load(pool, project_id, keys, months=1)
    reports = [report async for report in verification.verify(pool, project)]
    assert [report for report in reports if report.fault or not report.month] == []
    return sum(report.rows for report in reports)
