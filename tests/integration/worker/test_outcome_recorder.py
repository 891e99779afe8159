"""Each outcome of an attempt, as the recorder writes it: row, counter and what the next attempt waits for."""

import asyncio
import logging
import random
import time
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import pytest

from service import failpoints
from service.db import Pool, PostgresGone
from service.db.error_mapping import OutcomeUnknown
from service.store import users
from service.store.outbox_claims import Claim
from service.store.outbox_leases import Lease
from testkit.outbox import claim as claim_mail
from testkit.outbox import request_mail
from tests.integration.worker.test_delivery import state
from worker import retries
from worker.leases import LEASE, Leases
from worker.metrics import NAMES, Metrics
from worker.outcomes import OutcomeRecorder
from worker.relays import PermanentFailure, TemporaryFailure
from worker.sent_journal import SentEntry, SentJournal

pytestmark = pytest.mark.usefixtures("disarmed")


@pytest.fixture
def recorder(pool: Pool) -> OutcomeRecorder:
    return OutcomeRecorder(pool, Leases(pool, "one"), SentJournal(None), Metrics())


@pytest.fixture
async def claim(pool: Pool, ann: users.User) -> Claim:
    return await _claim(pool, await request_mail(pool))


async def _claim(pool: Pool, mail: UUID, *, worker: str = "one") -> Claim:
    claim = await claim_mail(pool, mail, worker=worker, lease=LEASE)
    assert claim
    return claim


async def _clock(pool: Pool) -> datetime:
    return (await pool.fetchrow("select clock_timestamp()"))[0]


async def _reports(pool: Pool) -> list[tuple]:
    rows = await pool.fetch("select name, worker, server, stage, code, fault from mail_events order by id")
    return [tuple(row) for row in rows]


def _counted(recorder: OutcomeRecorder) -> dict[str, int]:
    return {name: number for name, number in recorder.metrics.snapshot().items() if number and name in NAMES}


async def test_an_acceptance_ends_the_mail(
    pool: Pool, recorder: OutcomeRecorder, claim: Claim, caplog: pytest.LogCaptureFixture
):
    """The row says sent, the journal has nothing left to say, it counts once, and the log has it."""
    recorder.journal.append(entry := SentEntry(Lease(claim.id, claim.attempts), 250, "mx.example.net"))
    with caplog.at_level(logging.INFO):
        await recorder.record_sent(entry, answer="2.0.0 ok")
    assert (await state(pool, claim.id), recorder.journal.open) == ("sent", {})
    assert _counted(recorder) == {"sent": 1}
    assert [(line.event, line.mail, line.code) for line in caplog.records] == [("mail.sent", str(claim.id), 250)]


async def test_an_acceptance_that_is_no_news_is_counted_apart(pool: Pool, recorder: OutcomeRecorder, claim: Claim):
    """Another attempt has begun: the row can't record this one, and the journal keeps nothing for ever."""
    await pool.execute("update mails set attempts = attempts + 1")
    recorder.journal.append(entry := SentEntry(Lease(claim.id, claim.attempts), 250, ""))
    await recorder.record_sent(entry)
    assert (await state(pool, claim.id), recorder.journal.open) == ("sending", {})
    assert _counted(recorder) == {"sent_unrecorded": 1}


async def test_an_acceptance_is_recorded_when_postgres_is_back(pool: Pool, recorder: OutcomeRecorder, claim: Claim):
    """The relay has the mail: the worker writes it down again and again while the lease can be its own."""
    recorder.journal.append(entry := SentEntry(Lease(claim.id, claim.attempts), 250, ""))
    failpoints.arm("db.record_mails_sent.before:raise:1")
    await recorder.record_sent(entry)
    assert (await state(pool, claim.id), _counted(recorder)) == ("sent", {"sent": 1})


async def test_what_is_no_fault_of_postgres_is_not_tried_again(recorder: OutcomeRecorder):
    """A fault of ours would only repeat itself for half a minute."""
    tries = []

    async def act() -> bool:
        tries.append(1)
        raise KeyError

    with pytest.raises(KeyError):
        await retries.retry_while_leased(act, LEASE)
    assert len(tries) == 1


async def test_the_lease_bounds_the_tries(monkeypatch: pytest.MonkeyPatch):
    """While it lasts Postgres is asked again; after that the mail may be another's: nothing is written late."""
    monkeypatch.setattr(retries, "_RETRY", 0.01)
    tries = []

    async def act() -> bool:
        tries.append(1)
        raise PostgresGone

    with pytest.raises(PostgresGone):
        await retries.retry_while_leased(act, 1.0)
    assert len(tries) > 1


class CountingJournal(SentJournal):
    """A journal in memory that counts how often it was to be flushed to the disk."""

    fsyncs = 0

    async def fsync(self) -> None:
        self.fsyncs += 1


async def test_only_an_acceptance_is_flushed_while_postgres_is_away(
    recorder: OutcomeRecorder, claim: Claim, monkeypatch: pytest.MonkeyPatch
):
    """It must survive the machine. A wait that is lost with it costs nothing: the lease runs out."""
    monkeypatch.setattr(retries, "_RETRY", 0.01)
    recorder.journal = journal = CountingJournal(None)
    failpoints.arm("db.reschedule_mail.before:raise:1")
    await recorder.record_blocked(claim, "a setting")
    assert journal.fsyncs == 0
    failpoints.arm("db.record_mails_sent.before:raise:1")
    await recorder.record_sent(SentEntry(Lease(claim.id, claim.attempts), 250, ""))
    assert journal.fsyncs == 1


@pytest.mark.parametrize(
    ("point", "left"),
    [("record.before", "sending"), ("record.after", "sent"), ("release.before", "sending"),
     ("release.after", "pending")],
)  # fmt: skip
async def test_a_rehearsed_crash_stands_before_the_writing_and_after_it(
    pool: Pool, recorder: OutcomeRecorder, claim: Claim, point: str, left: str
):
    """Tests of crashes stop a worker there."""
    entry = SentEntry(Lease(claim.id, claim.attempts), 250, "")
    write = partial(recorder.record_sent, entry) if point.startswith("record") else recorder.release_all
    failpoints.arm(f"worker.{point}:raise")
    with pytest.raises(ConnectionResetError):
        await write()
    assert await state(pool, claim.id) == left


async def test_open_entries_are_recorded_unless_their_send_goes_on(pool: Pool, recorder: OutcomeRecorder, claim: Claim):
    """The send itself is about to record its own; a second one would count twice."""
    recorder.journal.append(SentEntry(Lease(claim.id, claim.attempts), 250, ""))
    with recorder.leases.holding(claim, time.monotonic()):
        await recorder.record_unconfirmed()
        assert await state(pool, claim.id) == "sending"
    await recorder.record_unconfirmed()
    assert (await state(pool, claim.id), _counted(recorder)) == ("sent", {"sent": 1})


async def test_a_refusal_is_final(
    pool: Pool, recorder: OutcomeRecorder, claim: Claim, caplog: pytest.LogCaptureFixture
):
    """One attempt, the relay's words in the history and in the log, no wait."""
    refusal = PermanentFailure(550, "5.1.1 no such user", "rcpt", server="mx.example.net")
    with caplog.at_level(logging.INFO):
        await recorder.record_refused(claim, refusal)
    (line,) = caplog.records
    assert (line.event, line.state, line.server, line.stage, line.code, line.fault) == (
        "mail.not_sent", "failed", "mx.example.net", "rcpt", 550, "5.1.1 no such user",
    )  # fmt: skip
    assert await state(pool, claim.id) == "failed"
    assert await _reports(pool) == [("failed", "one", "mx.example.net", "rcpt", 550, "5.1.1 no such user")]
    assert _counted(recorder) == {"failed": 1}


@pytest.mark.parametrize(
    ("attempts", "wait"),
    [(1, 5), (2, 15), (3, 30), (4, 60), (5, 120), (6, 300), (7, 600), (8, 900), (9, 900), (30, 900)],
)
async def test_waits_grow_and_then_repeat(  # noqa: PLR0917 - three fixtures
    pool: Pool, recorder: OutcomeRecorder, claim: Claim, caplog: pytest.LogCaptureFixture, attempts: int, wait: int
):
    """Each attempt has its documented wait, give or take a fifth by chance; after the last one it repeats."""
    await pool.execute("update mails set attempts = $1", attempts)
    begun = await _clock(pool)
    random.seed(attempts)
    seconds = wait * random.uniform(0.8, 1.2)
    random.seed(attempts)
    await recorder.record_retry(replace(claim, attempts=attempts), TemporaryFailure(451, "4.3.0 later", "rcpt"))
    due, ended = (await pool.fetchrow("select due_at from mails"))[0], await _clock(pool)
    assert begun <= due - timedelta(seconds=seconds) <= ended
    assert [(line.event, line.seconds) for line in caplog.records] == [("mail.rescheduled", round(seconds, 1))]
    assert await state(pool, claim.id) == "pending"
    assert sum(number for name, number in _counted(recorder).items() if name.startswith("waits_")) == 1
    assert "duplicates_suspected" not in _counted(recorder)


async def test_a_dot_without_an_answer_may_be_a_duplicate(pool: Pool, recorder: OutcomeRecorder, claim: Claim):
    """The relay may have the mail (RFC 1047): it is counted as such."""
    await recorder.record_retry(claim, TemporaryFailure(0, "no answer", "dot"))
    assert _counted(recorder)["duplicates_suspected"] == 1


async def test_a_blocked_project_waits_for_its_operator(pool: Pool, recorder: OutcomeRecorder, claim: Claim):
    """A setting of ours prevents the letter: no relay is blamed, and it is tried again."""
    await recorder.record_blocked(claim, "the project's sender address is none")
    assert (await state(pool, claim.id), _counted(recorder)) == ("pending", {"waits_ours": 1})
    assert (await _reports(pool))[-1][-1] == "the project's sender address is none"


@pytest.mark.parametrize("error", [PostgresGone(), OutcomeUnknown(), OSError("no route")])
async def test_an_outage_of_ours_costs_a_second(
    pool: Pool, recorder: OutcomeRecorder, claim: Claim, caplog: pytest.LogCaptureFixture, error: Exception
):
    """Postgres or the machine was away for a moment, however many attempts there were before."""
    await pool.execute("update mails set attempts = 8")
    await recorder.record_error(replace(claim, attempts=8), error)
    assert (await state(pool, claim.id), _counted(recorder)) == ("pending", {"waits_ours": 1})
    (line,) = caplog.records
    assert 0.8 <= line.seconds <= 1.2


@pytest.mark.parametrize(
    ("attempts", "before", "ends"),
    [(5, "letter: KeyError", True), (6, "letter: KeyError", True), (4, "letter: KeyError", False),
     (5, "rcpt: 451 later", False), (5, None, False)],
)  # fmt: skip
async def test_a_letter_that_cannot_be_made_is_given_up(  # noqa: PLR0917 - three fixtures
    pool: Pool, recorder: OutcomeRecorder, claim: Claim, caplog: pytest.LogCaptureFixture,
    attempts: int, before: str | None, ends: bool,
):  # fmt: skip
    """Five attempts, the last one before it with the same kind of fault; a relay's delays don't count as such."""
    await pool.execute("update mails set attempts = $1", attempts)
    with caplog.at_level(logging.ERROR):
        await recorder.record_error(replace(claim, attempts=attempts, last_fault=before), KeyError("code"))
    assert await state(pool, claim.id) == ("failed" if ends else "pending")
    assert [line.event for line in caplog.records] == ["mail.unexpected_error"]
    assert (await _reports(pool))[-1][3:] == ("letter", None, "KeyError")


async def test_a_lost_lease_records_nothing(
    pool: Pool, recorder: OutcomeRecorder, claim: Claim, caplog: pytest.LogCaptureFixture
):
    """Another worker has claimed the mail since: its attempt decides, and neither counter moves."""
    await pool.execute("update mails set attempts = attempts + 1, lease_by = 'two'")
    with caplog.at_level(logging.WARNING):
        await recorder.record_final(claim, "expired", fault="too late")
        await recorder.record_blocked(claim, "a setting")
    assert (await state(pool, claim.id), _counted(recorder), await _reports(pool)) == ("sending", {}, [])
    assert [line.event for line in caplog.records] == ["mail.lease_lost"] * 2


async def _stopped_by(error: BaseException, recorder: OutcomeRecorder, claim: Claim, lease: Lease) -> None:
    """Check the lease as a send does, and end by the error."""
    with recorder.fenced(claim, lease) as check:
        assert await check()
        raise error


async def test_a_send_that_is_stopped_after_its_check_is_in_doubt(recorder: OutcomeRecorder, claim: Claim):
    """The content may have gone out: only then the mail counts as interrupted."""
    with recorder.leases.holding(claim, time.monotonic()) as lease:
        with pytest.raises(asyncio.CancelledError), recorder.fenced(claim, lease):
            raise asyncio.CancelledError
        assert recorder.interrupted == []
        with pytest.raises(KeyError):
            await _stopped_by(KeyError(), recorder, claim, lease)
        assert recorder.interrupted == []
        with pytest.raises(asyncio.CancelledError):
            await _stopped_by(asyncio.CancelledError(), recorder, claim, lease)
        assert recorder.interrupted == [claim]


async def test_a_worker_that_stops_releases_all_and_says_what_is_in_doubt(
    pool: Pool, recorder: OutcomeRecorder, claim: Claim
):
    """Interrupted mails are due at once with a line in their history; journal entries stay; others are free."""
    plain, accepted = await _claim(pool, await request_mail(pool)), await _claim(pool, await request_mail(pool))
    recorder.interrupted.append(claim)
    recorder.journal.append(SentEntry(Lease(accepted.id, accepted.attempts), 250, ""))
    await recorder.release_all()
    assert [await state(pool, mail.id) for mail in (claim, plain, accepted)] == ["pending", "pending", "sending"]
    assert await _reports(pool) == [("waits", "one", "", "dot", 0, "its worker stopped before the answer came")]
    assert (recorder.interrupted, _counted(recorder)) == ([], {"duplicates_suspected": 1, "mails_released": 1})
    due = "select due_at <= now() from mails where id = $1"
    assert (await pool.fetchrow(due, claim.id))[0]
