"""Recover after a crash, before anything is claimed: record the mails that were sent, release the leases held."""

import asyncio
import logging
from pathlib import Path

from service.db import Pool
from service.store import outbox_leases, outbox_outcomes, sms, webhooks
from service.store.outbox_outcomes import Acceptance
from worker.outcomes import OutcomeRecorder
from worker.sent_journal import read
from worker.worker_name import WorkerName, orphaned

log = logging.getLogger(__name__)


async def recover(pool: Pool, identity: WorkerName, recorder: OutcomeRecorder) -> None:
    """Replay journals and release leases; wait for Postgres for as long as it takes. Safe to repeat at any point."""
    logged = ""
    while True:
        try:
            await _recover_once(pool, identity, recorder)
        except Exception as error:
            if not pool.note(error) and (kind := type(error).__name__) != logged:
                log.exception(
                    "The worker can't recover the mails of its last run", extra={"event": "worker.recovery_failed"}
                )
                logged = kind
            await asyncio.sleep(1)
        else:
            return


async def _recover_once(pool: Pool, identity: WorkerName, recorder: OutcomeRecorder) -> None:
    if identity.journal is not None:
        await _replay(pool, identity.journal, identity.name, recorder)
        recorder.journal.clear()
    for other in orphaned(identity):
        if other.journal is not None:
            await _replay(pool, other.journal, other.name, recorder)
            other.journal.unlink()
    released = await outbox_leases.release_of_worker(pool, worker=identity.name)
    # What a webhook may have taken is handed over once more, under the same id.
    await sms.release_of_worker(pool, worker=identity.name)
    await webhooks.release_of_worker(pool, worker=identity.name)
    if released:
        recorder.metrics.add("mails_recovered", released)
        log.info(
            "The worker released the mails that it held when it last ended",
            extra={"event": "worker.mails_released", "count": released},
        )


async def _replay(pool: Pool, path: Path, worker: str, recorder: OutcomeRecorder) -> None:
    """Record the journal's mails as sent, but those that were claimed again since."""
    journal, unreadable = read(path)
    accepted = [Acceptance(entry.lease, entry.code, entry.server) for entry in journal]
    replayed = len(await outbox_outcomes.mark_sent(pool, accepted, worker=worker)) if accepted else 0
    recorder.metrics.add("journal_entries_replayed", replayed)
    recorder.metrics.add("journal_entries_unreadable", unreadable)
    if replayed or unreadable:
        log.info(
            "The worker recorded the sent mails of a journal",
            extra={"event": "sent_journal.replayed", "worker": worker, "sent": replayed, "unreadable": unreadable},
        )
