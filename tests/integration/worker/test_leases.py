"""A claim whose answer was lost with its connection (docs/reliability.md F02): its own worker takes it back."""

import pytest

from service import failpoints
from service.db import Pool, PostgresGone
from service.store import outbox_outcomes, users
from service.store.outbox import DueMail
from service.store.outbox_claims import Claim
from service.store.outbox_leases import Lease
from service.store.outbox_outcomes import AttemptReport
from testkit.outbox import claim as claim_mail
from testkit.outbox import request_mail
from testkit.sink import Sink
from tests.integration.worker.test_delivery import poller, settled, state
from tests.integration.worker.test_history import history
from worker.sent_journal import SentEntry

pytestmark = pytest.mark.usefixtures("disarmed")


async def test_f02_a_claim_without_an_answer_is_given_back(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """It counted, and nobody would renew its lease: the next round gives it back and sends it."""
    mail, worker = await request_mail(pool), a_worker()
    failpoints.arm("db.claim_mails.after:raise:1")
    with pytest.raises(PostgresGone):
        await worker.deliver(mail)
    assert await state(pool, mail) == "sending"
    await worker.deliver(mail)
    assert await state(pool, mail) == "sending", "while it is in doubt nobody here claims it again"
    found = poller(pool, worker)
    await found.poll_due()
    # The round is over; what it began may not be, on a busy machine.
    await settled(found)
    assert (await state(pool, mail), len(sink.mails)) == ("sent", 1)
    assert [step[0] for step in await history(pool, mail)] == ["sent"]
    assert not worker.recorder.leases.claims.unconfirmed


async def test_f02_a_claim_that_did_not_count_is_no_harm(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """The connection was lost before: the row is as it was, and another worker may have it."""
    mail, worker = await request_mail(pool), a_worker()
    failpoints.arm("db.claim_mails.before:raise:1")
    with pytest.raises(PostgresGone):
        await worker.deliver(mail)
    await a_worker("two").deliver(mail)
    await poller(pool, worker).poll_due()
    assert (await state(pool, mail), len(sink.mails)) == ("sent", 1)


async def test_f02_what_is_in_hand_is_not_given_back(pool: Pool, a_worker, ann: users.User):
    """A second job for a mail that this worker sends right now may be what got no answer: the first goes on."""
    mail, worker = await request_mail(pool), a_worker()
    leases = worker.recorder.leases
    (claim,) = await worker.claim(DueMail(mail, "shop"))
    leases.claims.unconfirmed.add(mail)
    with leases.holding(claim, 0.0):
        await worker.recorder.release_unconfirmed()
        assert (await state(pool, mail), leases.claims.unconfirmed) == ("sending", {mail})
    worker.recorder.journal.append(receipt := SentEntry(Lease(mail, claim.attempts), 250, ""))
    await worker.recorder.release_unconfirmed()
    assert (await state(pool, mail), leases.claims.unconfirmed) == ("sending", {mail})
    worker.recorder.journal.remove(receipt)
    await worker.recorder.release_unconfirmed()
    assert (await state(pool, mail), leases.claims.unconfirmed) == ("pending", set())


async def test_f02_anothers_is_not_given_back(pool: Pool, a_worker, ann: users.User):
    """A worker gives back no lease that another has claimed since."""
    mail, worker = await request_mail(pool), a_worker()
    assert await claim_mail(pool, mail, worker="two", lease=30)
    worker.recorder.leases.claims.unconfirmed.add(mail)
    await worker.recorder.release_unconfirmed()
    assert await state(pool, mail) == "sending"


async def test_f02_a_wait_is_written_down_when_postgres_is_back(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """The relay said "later" and Postgres was away for a moment: the row says so, no lease has to run out first."""
    mail, worker = await request_mail(pool), a_worker()
    sink.script("rcpt", "451 4.3.0 later", times=1)
    failpoints.arm("db.reschedule_mail.before:raise:1")
    await worker.deliver(mail)
    assert await state(pool, mail) == "pending"
    assert [step[0] for step in await history(pool, mail)] == ["waits"]


async def test_f02_a_letter_that_postgres_held_up_waits_a_moment(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """It is no fault of the letter, however many times it was tried before: nobody waits for minutes."""
    mail, worker = await request_mail(pool), a_worker()
    await pool.execute("update mails set attempts = 5")
    failpoints.arm("db.assign_recipient.before:raise:1")
    await worker.deliver(mail)
    assert await state(pool, mail) == "pending"
    assert (await pool.fetchrow("select due_at - now() < interval '3 seconds' from mails"))[0]


@pytest.mark.parametrize("end", ["finish", "reschedule"])
async def test_a_lost_claim_changes_nothing(pool: Pool, ann: users.User, end: str):
    """The attempt number fences: once another worker has claimed the mail, the first can neither end nor delay it."""
    mail = await request_mail(pool)
    lost = await claim_mail(pool, mail, worker="one", lease=-1)
    held = await claim_mail(pool, mail, worker="two", lease=60)
    assert lost
    assert held
    assert held.attempts == lost.attempts + 1
    before = tuple(await pool.fetchrow("select * from mails")), await history(pool, mail)
    assert not await _end(pool, lost, end, worker="one")
    assert (tuple(await pool.fetchrow("select * from mails")), await history(pool, mail)) == before
    assert await _end(pool, held, end, worker="two"), "whoever holds the mail can"


async def _end(pool: Pool, claim: Claim, end: str, *, worker: str) -> bool:
    report = AttemptReport(worker, fault="550 no")
    if end == "finish":
        return await outbox_outcomes.finish(pool, claim, state="failed", report=report)
    return await outbox_outcomes.reschedule(pool, claim, seconds=60, cause="server", report=report)
