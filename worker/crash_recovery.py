"""A worker starts: before it claims anything it tells what it had sent, and takes back what it held when it died."""

import asyncio
import logging
from pathlib import Path

from service.db import Pool
from service.store import outbox
from worker.outcomes import Marks
from worker.sent_journal import read
from worker.worker_name import Identity, abandoned

log = logging.getLogger(__name__)


async def wake(pool: Pool, identity: Identity, marks: Marks) -> None:
    """Waits for Postgres for as long as it takes; may be begun anew at any point."""
    told = ""
    while True:
        try:
            await _settle(pool, identity, marks)
        except Exception as error:
            if not pool.note(error) and (kind := type(error).__name__) != told:
                log.exception("a worker can't settle what it left behind")
                told = kind
            await asyncio.sleep(1)
        else:
            return


async def _settle(pool: Pool, identity: Identity, marks: Marks) -> None:
    if identity.receipts is not None:
        await _replay(pool, identity.receipts, identity.name, marks)
        marks.receipts.clear()
    for other in abandoned(identity):
        if other.receipts is not None:
            await _replay(pool, other.receipts, other.name, marks)
            other.receipts.unlink()
    freed = await outbox.free(pool, worker=identity.name)
    if freed:
        marks.counts.add("mails_taken_back", freed)
        log.info("took back mails", extra={"count": freed})


async def _replay(pool: Pool, path: Path, worker: str, marks: Marks) -> None:
    """Mark what a relay took and no row says; what was claimed again since is another's to tell."""
    receipts, garbled = read(path)
    replayed = 0
    for receipt in receipts:
        replayed += await outbox.confirm(pool, receipt.lease, worker=worker, server=receipt.server, code=receipt.code)
    marks.counts.add("receipts_replayed", replayed)
    marks.counts.add("receipts_garbled", garbled)
    if replayed or garbled:
        log.info("receipts were replayed", extra={"worker": worker, "sent": replayed, "garbled": garbled})
