"""A mail that a relay took is in a file before Postgres is asked, so that a crash in between sends nothing twice."""

import asyncio
import resource
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from service import failpoints
from service.db import Pool
from service.queue import JobQueue, connect
from service.settings import Settings
from service.store import users
from service.store.outbox_leases import Lease
from testkit.outbox import claim as claim_mail
from testkit.outbox import request_mail
from testkit.patience import PATIENCE
from testkit.proxy import Proxy
from testkit.sink import Sink
from tests.integration.worker.conftest import staffed
from tests.integration.worker.test_delivery import due_now, poller, state
from tests.integration.worker.test_history import history
from worker import sent_journal as module
from worker.crash_recovery import recover
from worker.leases import Leases
from worker.metrics import Metrics
from worker.outcomes import OutcomeRecorder
from worker.relays import RelayPool, SmtpUrl
from worker.sent_journal import SentEntry, SentJournal, read
from worker.worker_name import WorkerName, acquire

RELAY = "127.0.0.1:25"


@pytest.fixture
async def identity(tmp_path: Path) -> WorkerName:
    found = await acquire("one", tmp_path, asyncio.Event())
    assert found
    return found


def recorder(pool: Pool, journal: SentJournal) -> OutcomeRecorder:
    return OutcomeRecorder(pool, Leases(pool, "one"), journal, Metrics())


def test_what_is_noted_is_read(tmp_path: Path):
    """One line a mail: whole ones are read, torn and foreign ones are counted."""
    path = tmp_path / "one.receipts"
    journal = SentJournal(path)
    noted = [SentEntry(Lease(uuid4(), attempt), 250, RELAY) for attempt in (1, 2)]
    for receipt in noted:
        journal.append(receipt)
    with path.open("ab") as file:
        file.write(b"\xff\xfe junk\n" + f"{uuid4().hex} 1 250 {RELAY}".encode())
    journal.append(third := SentEntry(Lease(uuid4(), 3), 250, RELAY))
    assert read(path) == ([*noted, third], 2)
    assert read(tmp_path / "nobody") == ([], 0)
    journal.close()


def test_the_file_stays_small(tmp_path: Path):
    """However many were sent: what is open stands in it, and little else."""
    journal = SentJournal(tmp_path / "one.receipts")
    kept = SentEntry(Lease(uuid4(), 1), 250, RELAY)
    journal.append(kept)
    for _ in range(5000):
        journal.append(done := SentEntry(Lease(uuid4(), 1), 250, RELAY))
        journal.remove(done)
    assert (tmp_path / "one.receipts").stat().st_size < module.LONGEST * 2
    assert kept in read(tmp_path / "one.receipts")[0]
    journal.close()


def test_a_disk_that_gets_full_costs_no_entry_and_no_file(tmp_path: Path):
    """The old one stays, whole, as long as a smaller one has no room; each attempt closes its file."""
    path, (soft, hard) = tmp_path / "one.receipts", resource.getrlimit(resource.RLIMIT_FSIZE)
    journal = SentJournal(path)
    noted = [SentEntry(Lease(uuid4(), 1), 250, RELAY) for _ in range(module.LONGEST // 50)]
    for entry in noted:
        journal.append(entry)
    opened = {*Path("/proc/self/fd").iterdir()}
    resource.setrlimit(resource.RLIMIT_FSIZE, (module.LONGEST // 4, hard))
    try:
        for entry in noted[:3]:
            journal.remove(entry)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read(path) == (noted, 0)
    assert {*Path("/proc/self/fd").iterdir()} == opened
    journal.close()


def test_a_line_that_is_cut_short_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """A disk that gets full within a line takes a part of it: a crash now may send that mail twice."""
    path, (soft, hard) = tmp_path / "one.receipts", resource.getrlimit(resource.RLIMIT_FSIZE)
    journal = SentJournal(path)
    journal.append(first := SentEntry(Lease(uuid4(), 1), 250, RELAY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, hard))
    try:
        journal.append(SentEntry(Lease(uuid4(), 1), 250, RELAY))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read(path) == ([first], 1)
    assert [record.__dict__["event"] for record in caplog.records] == ["sent_journal.unavailable"]
    journal.close()


async def test_a_full_disk_stops_no_mail(pool: Pool):
    """A receipt that can't be written is a warning; the mail is marked all the same."""
    journal = SentJournal(Path("/dev/full"))
    journal.append(SentEntry(Lease(uuid4(), 1), 250, RELAY))
    await journal.fsync()
    assert len(journal.open) == 1
    journal.close()


async def test_at_its_start_a_worker_tells_what_it_had_sent(
    pool: Pool, sink: Sink, a_worker, ann: users.User, identity: WorkerName
):
    """Before it takes anything back: sent stays sent, and what another has claimed since is left to that one."""
    sent, taken, pending = [await request_mail(pool) for _ in range(3)]
    journal = SentJournal(identity.journal)
    for mail in (sent, taken):
        assert await claim_mail(pool, mail, worker="one", lease=30)
        journal.append(SentEntry(Lease(mail, 1), 250, RELAY))
    journal.append(SentEntry(Lease(pending, 1), 250, RELAY))
    journal.close()
    await pool.execute("update mails set due_at = now() where id = $1", taken)
    assert await claim_mail(pool, taken, worker="two", lease=30)
    woken = recorder(pool, SentJournal(identity.journal))
    await recover(pool, identity, woken)
    assert [await state(pool, mail) for mail in (sent, taken, pending)] == ["sent", "sending", "pending"]
    assert await history(pool, sent) == [("sent", 1, "one", RELAY, "", 250, "")]
    assert identity.journal
    assert identity.journal.stat().st_size == 0
    assert woken.metrics.since_start["journal_entries_replayed"] == 1
    await a_worker().deliver(sent)
    assert sink.mails == []


async def test_receipts_of_a_name_that_nobody_has_are_told_too(pool: Pool, ann: users.User, identity: WorkerName):
    """Fewer workers than before a crash, or a host with a new name: what was sent is not sent again."""
    mail, path = await request_mail(pool), identity.journal
    assert path
    await claim_mail(pool, mail, worker="gone", lease=30)
    gone = SentJournal(path.with_name("gone.receipts"))
    gone.append(SentEntry(Lease(mail, 1), 250, RELAY))
    gone.close()
    living = await acquire("living", path.parent, asyncio.Event())
    assert living
    assert living.journal
    SentJournal(living.journal).close()
    await recover(pool, identity, recorder(pool, SentJournal(path)))
    assert await state(pool, mail) == "sent"
    assert not path.with_name("gone.receipts").exists()
    assert living.journal.exists(), "the living worker's own is not touched"


@pytest.mark.parametrize("action", ["raise", "cancel"])
async def test_f52_a_mail_that_could_not_be_marked_is_marked_by_the_sweep(
    pool: Pool, sink: Sink, a_worker, ann: users.User, action: str
):
    """Whatever comes between the relay's yes and the row: the receipt is open, and the next round tells it."""
    mail, worker = await request_mail(pool), a_worker()
    failpoints.arm(f"worker.record.before:{action}:1")
    try:
        await asyncio.gather(asyncio.create_task(worker.deliver(mail)), return_exceptions=True)
    finally:
        failpoints.disarm()
    assert (await state(pool, mail), len(sink.mails)) == ("sending", 1)
    await due_now(pool)
    await poller(pool, worker).poll_due()
    assert (await state(pool, mail), len(sink.mails)) == ("sent", 1)
    assert worker.recorder.journal.open == {}


async def test_f02_postgres_away_when_a_mail_was_sent(  # noqa: PLR0917 - pytest's
    pool: Pool, database: str, sink: Sink, redis, redis_url: str, settings: Settings, ann: users.User, tmp_path: Path
):
    """The receipt goes to the disk and the mark waits for Postgres: nothing is sent twice, nothing is forgotten."""
    place, job_queue = urlsplit(database), connect(redis_url)
    assert place.port
    path, mail = tmp_path / "one.receipts", await request_mail(pool)
    async with Proxy("127.0.0.1", place.port) as proxy:
        own = Pool(database.replace(f":{place.port}/", f":{proxy.port}/"), size=2)
        relay = RelayPool(SmtpUrl("127.0.0.1", sink.port, tls="none"))
        worker = staffed(own, relay, JobQueue(job_queue), settings, "one", path)
        sink.script("dot", "250 2.0.0 ok", action="drip", pause=0.1)
        delivering = asyncio.create_task(worker.deliver(mail))
        await sink.wait_for(1)
        await proxy.refuse()
        async with asyncio.timeout(PATIENCE):
            while not read(path)[0]:  # noqa: ASYNC110 - a file can't be awaited
                await asyncio.sleep(0.02)
        assert await state(pool, mail) == "sending"
        await proxy.up()
        await delivering
        assert (await state(pool, mail), len(sink.mails)) == ("sent", 1)
        await relay.close()
        await own.close()
    worker.recorder.journal.close()
    await job_queue.aclose(close_connection_pool=True)
