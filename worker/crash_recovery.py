"""A worker starts: before it claims anything it tells what it had sent, and takes back what it held when it died."""

import asyncio
import logging
from pathlib import Path

from service.db import Pool
from service.store import outbox
from worker.outcomes import OutcomeRecorder
from worker.sent_journal import read
from worker.worker_name import WorkerName, orphaned

log = logging.getLogger(__name__)


async def recover(pool: Pool, identity: WorkerName, recorder: OutcomeRecorder) -> None:
    """Waits for Postgres for as long as it takes; may be begun anew at any point."""
    told = ""
    while True:
        try:
            await _settle(pool, identity, recorder)
        except Exception as error:
            if not pool.note(error) and (kind := type(error).__name__) != told:
                log.exception("a worker can't settle what it left behind")
                told = kind
            await asyncio.sleep(1)
        else:
            return


async def _settle(pool: Pool, identity: WorkerName, recorder: OutcomeRecorder) -> None:
    if identity.journal is not None:
        await _replay(pool, identity.journal, identity.name, recorder)
        recorder.journal.clear()
    for other in orphaned(identity):
        if other.journal is not None:
            await _replay(pool, other.journal, other.name, recorder)
            other.journal.unlink()
    freed = await outbox.release_of_worker(pool, worker=identity.name)
    if freed:
        recorder.counts.add("mails_taken_back", freed)
        log.info("took back mails", extra={"count": freed})


async def _replay(pool: Pool, path: Path, worker: str, recorder: OutcomeRecorder) -> None:
    """Mark what a relay took and no row says; what was claimed again since is another's to tell."""
    journal, garbled = read(path)
    replayed = 0
    for receipt in journal:
        replayed += await outbox.mark_sent(pool, receipt.lease, worker=worker, server=receipt.server, code=receipt.code)
    recorder.counts.add("receipts_replayed", replayed)
    recorder.counts.add("receipts_garbled", garbled)
    if replayed or garbled:
        log.info("receipts were replayed", extra={"worker": worker, "sent": replayed, "garbled": garbled})
