"""A mail's history: each try that failed, each worker that was lost and each end is a row, written with its state."""

import asyncio
from uuid import UUID

import pytest

from service.db import Pool
from service.store import outbox, outbox_leases, users
from testkit.outbox import ANN, list_due, request_mail
from testkit.outbox import claim as claim_mail
from testkit.patience import PATIENCE
from testkit.sink import Sink
from testkit.waiting import until
from tests.integration.worker.conftest import sending_by
from tests.integration.worker.test_delivery import ENDINGS, due_now, poller, state
from worker.relays import OURS, RelayPool, SmtpUrl
from worker.relays.circuit_breaker import TRIES
from worker.relays.route import run_probes

# A worker of the release before: its statements, which write no events.
OLD_CLAIM = (
    "update mails set state = 'sending', attempts = attempts + 1, lease_by = 'old', "
    "due_at = now() + interval '30 s' where id = $1"
)
OLD_END = "update mails set state = 'sent', lease_by = null, ended_at = now() where id = $1"


async def history(pool: Pool, mail: UUID) -> list[tuple]:
    rows = await pool.fetch(
        "select name, attempt, worker, server, stage, code, fault from mail_events where mail_id = $1 order by id", mail
    )
    return [tuple(row) for row in rows]


async def test_a_sent_mail_says_where_it_went(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """The end names worker, relay, attempt, and what the relay answered."""
    mail = await request_mail(pool)
    await a_worker("one").deliver(mail)
    ((name, attempt, worker, server, stage, code, fault),) = await history(pool, mail)
    assert (name, attempt, worker, server, stage, code) == ("sent", 1, "one", f"127.0.0.1:{sink.port}", "", 250)
    assert fault


async def test_a_try_that_failed_says_why(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """Stage, code, the relay's line and whose fault it was; then the next try and its end."""
    sink.script("rcpt", "450 4.2.0 greylisted", times=1)
    mail, worker = await request_mail(pool), a_worker("one")
    await worker.deliver(mail)
    row = await pool.fetchrow("select last_cause, last_code, last_fault from mails")
    assert tuple(row) == ("recipient", 450, "rcpt: 4.2.0 greylisted")
    await due_now(pool)
    await worker.deliver(mail)
    server = f"127.0.0.1:{sink.port}"
    first, second = await history(pool, mail)
    assert first == ("waits", 1, "one", server, "rcpt", 450, "4.2.0 greylisted")
    assert second[:4] == ("sent", 2, "one", server)
    counts = worker.recorder.metrics.since_start
    assert (counts["attempts"], counts["waits_recipient"], counts["sent"]) == (2, 1, 1)


async def test_a_refusal_says_why(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """The end of a refused mail carries the relay's words."""
    sink.script("rcpt", "550 5.1.1 no such user")
    mail = await request_mail(pool)
    await a_worker("one").deliver(mail)
    assert await history(pool, mail) == [
        ("failed", 1, "one", f"127.0.0.1:{sink.port}", "rcpt", 550, "5.1.1 no such user")
    ]


@pytest.mark.parametrize(("change", "end"), ENDINGS.values(), ids=ENDINGS)
async def test_every_end_has_its_event(pool: Pool, a_worker, ann: users.User, change: str, end: str):
    """Whatever ends a mail before it is sent: one event, named as the state, and why."""
    mail = await request_mail(pool)
    await pool.execute(change)
    await a_worker("one").deliver(mail)
    ((name, attempt, worker, _server, _stage, code, fault),) = await history(pool, mail)
    assert (name, attempt, worker, code) == (end, 1, "one", None)
    assert fault == (await pool.fetchrow("select last_fault from mails"))[0]


async def test_a_deleted_accounts_mails_are_cancelled_with_events(pool: Pool, ann: users.User):
    """Deleting an account cancels its mails, and their events record it."""
    mail = await request_mail(pool, user_id="ann")
    assert await outbox.cancel_for_user(pool, "shop", user_id="ann") == 1
    assert await outbox.cancel_for_user(pool, "shop", user_id="ann") == 0
    assert await history(pool, mail) == [("cancelled", 0, "", "", "", None, "its account was deleted")]


async def test_a_lost_lease_names_who_lost_it(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """Whoever takes over writes that the worker before it was lost, and counts it."""
    mail, two = await request_mail(pool), a_worker("two")
    assert await claim_mail(pool, mail, worker="one", lease=30)
    await due_now(pool)
    await two.deliver(mail)
    assert [event[:3] for event in await history(pool, mail)] == [("lost", 1, "one"), ("sent", 2, "two")]
    assert two.recorder.metrics.since_start["leases_taken_over"] == 1


async def test_a_worker_that_comes_back_says_what_it_lost(pool: Pool, ann: users.User):
    """A mail that a worker takes back at once was lost once, and is not lost again by the next claim."""
    mail = await request_mail(pool)
    await claim_mail(pool, mail, worker="one", lease=30)
    assert await outbox_leases.release_of_worker(pool, worker="one") == 1
    claim = await claim_mail(pool, mail, worker="one", lease=30)
    assert claim
    assert (claim.attempts, claim.stolen) == (2, False)
    assert [event[:3] for event in await history(pool, mail)] == [("lost", 1, "one")]


async def test_f57_a_worker_of_the_release_before_writes_no_events(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """Its claims and ends stand as they are: what it lost is taken over by its name, what it sent is not sent again."""
    lost, done, new = await request_mail(pool), await request_mail(pool), a_worker("new")
    await pool.execute(OLD_CLAIM, lost)
    await pool.execute(OLD_CLAIM, done)
    await pool.execute(OLD_END, done)
    await new.deliver(lost)
    assert sink.mails == [], "its lease is respected"
    await due_now(pool)
    await new.deliver(lost)
    await new.deliver(done)
    assert [event[:3] for event in await history(pool, lost)] == [("lost", 1, "old"), ("sent", 2, "new")]
    assert (await history(pool, done), len(sink.mails)) == ([], 1)


async def test_no_answer_after_the_dot_is_a_suspected_duplicate(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """Stage dot, code 0: the history says where a second mail may have come from, and it is counted."""
    sink.script("dot", action="cut", keep=True, times=1)
    mail, worker = await request_mail(pool), a_worker()
    await worker.deliver(mail)
    ((name, _, _, _, stage, code, _),) = await history(pool, mail)
    assert (name, stage, code) == ("waits", "dot", 0)
    assert worker.recorder.metrics.since_start["duplicates_suspected"] == 1


async def test_no_wait_outlasts_the_deadline(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """A mail is due again when it is of no more use at the latest, so that its end is told in time."""
    sink.script("rcpt", "450 4.2.0 greylisted")
    mail, worker = await request_mail(pool), a_worker()
    await pool.execute("update mails set attempts = 8, deadline_at = now() + interval '1 minute'")
    await worker.deliver(mail)
    row = await pool.fetchrow("select due_at = deadline_at from mails")
    assert row[0]


async def test_f58_jobs_a_hundred_times_and_out_of_order(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """Every job is a question: each mail goes out once, however often and in whatever order it is asked."""
    posted, workers = [await request_mail(pool) for _ in range(5)], [a_worker("one"), a_worker("two")]
    jobs = [(worker, mail) for _ in range(50) for worker in workers for mail in posted]
    await asyncio.gather(*(worker.deliver(mail) for worker, mail in reversed(jobs)))
    assert len(sink.mails) == len(posted)
    for mail in posted:
        assert [event[0] for event in await history(pool, mail)] == ["sent"]


@pytest.mark.usefixtures("ann")
async def test_f59_a_poison_letter_is_tried_five_times(pool: Pool, sink: Sink, a_worker):
    """It waits longer each time, then fails with its event; a good mail beside it goes out at once."""
    bad, good, worker = await request_mail(pool), await request_mail(pool), a_worker()
    await pool.execute("update mails set letter = 'nonsense' where id = $1", bad)
    for attempt in range(1, 6):
        await due_now(pool)
        await poller(pool, worker).poll_due()
        row = await pool.fetchrow("select attempts, state, due_at > now() from mails where id = $1", bad)
        assert tuple(row)[:2] == (attempt, "failed" if attempt == 5 else "pending")
        assert row[2] or attempt == 5, "never at once"
    assert [event[0] for event in await history(pool, bad)] == ["waits"] * 4 + ["failed"]
    assert (await state(pool, good), len(sink.mails)) == ("sent", 1)


@pytest.mark.usefixtures("ann")
async def test_f59_a_row_that_can_not_be_read_is_buried(pool: Pool, sink: Sink, a_worker, caplog):
    """No claim can be made of it, so it waits for its lease each time; the fifth try ends it."""
    mail, worker = await request_mail(pool), a_worker()
    await pool.execute("update mails set facts = '{\"a\": 1e400}'")
    for _ in range(5):
        assert (await history(pool, mail))[-1:] != [("failed",)]
        await due_now(pool)
        await poller(pool, worker).poll_due()
    assert await state(pool, mail) == "failed"
    assert [event[0] for event in await history(pool, mail)] == ["lost"] * 4 + ["failed"]
    assert ANN not in caplog.text


async def test_f59_who_may_have_killed_three_workers_has_to_wait(pool: Pool, ann: users.User):
    """A worker that starts again takes its mails back at once, but not one for ever that ends it each time."""
    mail = await request_mail(pool)
    for round_ in range(3):
        await pool.execute("update mails set due_at = now()")
        assert await claim_mail(pool, mail, worker="one", lease=30)
        assert await outbox_leases.release_of_worker(pool, worker="one") == 1
        due = (await pool.fetchrow("select due_at <= now() from mails"))[0]
        assert due == (round_ < 2)


class Away:
    """A relay all of whose breakers are open."""

    def __init__(self) -> None:
        self.recovered = asyncio.Event()
        self.well = False

    def is_available(self) -> bool:
        return self.well


async def test_f31_nothing_is_claimed_while_no_relay_is_well(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """Neither a job nor the poller costs a try; what can't be of use any more is ended all the same."""
    mail, late = await request_mail(pool), await request_mail(pool)
    away = sending_by(a_worker(), Away())
    await away.deliver(mail)
    await due_now(pool)
    await poller(pool, away).poll_due()
    assert (await pool.fetchrow("select attempts, state from mails where id = $1", mail)) == (0, "pending")
    await pool.execute("update mails set deadline_at = now() where id = $1", late)
    await poller(pool, away).update_backlog()
    assert [await state(pool, each) for each in (mail, late)] == ["pending", "expired"]
    assert away.recorder.metrics.snapshot()["backlog_pending"] == 2


async def test_f31_what_waited_for_the_relay_goes_out_when_it_is_back(pool: Pool, a_worker, ann: users.User):
    """All of it is due at once, the oldest first; what waits for a recipient waits on."""
    greylisted, *waiting = [await request_mail(pool) for _ in range(4)]
    later = "update mails set due_at = now() + interval '15 minutes', last_cause = $1"
    await pool.execute(later, "server")
    await pool.execute(f"{later} where id = $2", "recipient", greylisted)
    away = sending_by(a_worker(), Away())
    watching = asyncio.create_task(poller(pool, away).resume_after_outage())
    away.relays.shared.recovered.set()
    async with asyncio.timeout(PATIENCE):
        while away.recorder.metrics.since_start["mails_rescheduled"] < 3:  # noqa: ASYNC110 - a counter can't be awaited
            await asyncio.sleep(0.02)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert not away.relays.shared.recovered.is_set()
    assert await list_due(pool) == waiting


@pytest.mark.parametrize(
    ("fault", "hastened"),
    [
        ("auth: 5.7.8 wrong password", True), ("tls: certificate has expired", True), ("mail: 5.7.1 not allowed", True),
        ("letter: KeyError", False), ("fence: the check before DATA failed", False),
        ("the key old of its link is not among SECRET_KEYS", False), (None, False),
    ],
)  # fmt: skip
async def test_f31_what_waited_for_our_own_fault_at_the_relay_goes_out_too(
    pool: Pool, ann: users.User, fault: str | None, hastened: bool
):
    """Once the relay lets us in nobody waits for a quarter of an hour; other faults of ours are another matter."""
    mail = await request_mail(pool)
    later = "update mails set due_at = now() + interval '15 minutes', last_cause = 'ours', last_fault = $1"
    await pool.execute(later, fault)
    assert await outbox.reschedule_now(pool, stages=OURS, most=10) == hastened
    assert (await list_due(pool) == [mail]) == hastened


@pytest.mark.usefixtures("ann")
async def test_f34_a_wrong_password_put_right_brings_all_mails_out(pool: Pool, sink: Sink, a_worker):
    """535 until the breaker opens; a probe that signs in closes it, and the mails go without waiting their time."""
    sink.users = {"shop": "right"}
    waiting, worker = [await request_mail(pool) for _ in range(TRIES)], a_worker()
    worker = sending_by(worker, RelayPool(_as_shop(sink), connections=2, rest=0.05))
    sweep = poller(pool, worker)

    async def swept() -> bool:
        await sweep.poll_due()
        return len(sink.mails) == TRIES

    sink.script("auth", "535 5.7.8 no", times=TRIES)
    for mail in waiting:
        await worker.deliver(mail)
    assert not worker.relays.shared.is_available()
    causes = await pool.fetch("select distinct last_cause from mails where due_at > now()")
    assert [row[0] for row in causes] == ["ours"]
    minding = [asyncio.create_task(each) for each in (run_probes(worker.relays.shared), sweep.resume_after_outage())]
    try:
        await until(swept, what="nothing was hastened")
    finally:
        for task in minding:
            task.cancel()
        await asyncio.gather(*minding, return_exceptions=True)
        await worker.relays.shared.close()


async def test_f34_a_worker_that_starts_lets_nobody_wait_for_the_relay(pool: Pool, a_worker, ann: users.User):
    """Its operator may have put right what was wrong: settings are read at the start."""
    mail = await request_mail(pool)
    await pool.execute("update mails set due_at = now() + interval '15 minutes', last_cause = 'server'")
    watching = asyncio.create_task(poller(pool, a_worker()).resume_after_outage())
    await until(lambda: list_due(pool), what="nothing was hastened")
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert await list_due(pool) == [mail]


def _as_shop(sink: Sink) -> SmtpUrl:
    return SmtpUrl("127.0.0.1", sink.port, tls="none", username="shop", password="right")
