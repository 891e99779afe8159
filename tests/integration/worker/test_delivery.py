"""Claim, send, mark: a mail's way out of the outbox, against a real SMTP dialogue.

Longer than other files: the outcomes are one list, and its parts are only worth something together.
"""

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from devstack.servers import free_port
from service.db import Pool
from service.errors import Overloaded
from service.store import outbox_leases, users
from service.store.outbox import DueMail
from service.store.outbox_leases import Lease
from testkit import processes
from testkit.api import Api
from testkit.letters import link_of, parameters_of
from testkit.outbox import ANN, URL, request_mail
from testkit.outbox import claim as claim_mail
from testkit.patience import PATIENCE
from testkit.sink import Sink
from tests.integration.worker.conftest import sending_by
from worker.delivery import Delivery
from worker.dispatcher import Dispatcher
from worker.leases import LEASE
from worker.outcomes import WAITS
from worker.poller import OutboxPoller
from worker.relays import TemporaryFailure
from worker.security_log import SecurityLogWriter

SECONDS, ISO = r"\d{10}", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00"


async def state(pool: Pool, mail_id: UUID) -> str:
    return (await pool.fetchrow("select state from mails where id = $1", mail_id))[0]


async def settled(found: OutboxPoller) -> None:
    """Wait until a poller has dispatched all that was due, and delivered it."""
    await asyncio.wait(found.dispatcher.wake())
    if begun := found.dispatcher.deliveries.values():
        await asyncio.wait(begun)


async def due_now(pool: Pool) -> None:
    await pool.execute("update mails set due_at = now() - interval '2 seconds'")


async def test_a_mail_is_sent_once(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """Claimed, sent, marked; the token and the event now know their user; a second call does nothing."""
    mail, worker = await request_mail(pool), a_worker()
    await worker.deliver(mail)
    await worker.deliver(mail)
    (sent,) = sink.mails
    assert (sent.sender, sent.recipients) == ("no-reply@accounts.test", (ANN,))
    row = await pool.fetchrow("select * from mails")
    assert (row["state"], row["attempts"], row["last_code"], row["lease_by"]) == ("sent", 1, 250, None)
    assert (row["user_id"], row["ended_at"] is not None) == ("ann", True)
    token = await pool.fetchrow("select user_id, email_version from tokens")
    assert tuple(token) == ("ann", 1)
    event = await pool.fetchrow("select user_id, ready from events")
    assert tuple(event) == ("ann", True)
    assert worker.recorder.leases.held == {}
    assert sink.violations == []


async def test_the_link_is_the_callers_with_our_parameters(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """The url as it was accepted, then userId, email, secret, expire; and the id that every attempt shares."""
    mail = await request_mail(pool)
    await a_worker().deliver(mail)
    link = link_of(sink.mails[0])
    assert link.startswith("http://localhost/reset?from=mail&userId=ann&email=ann%40example.com&secret=")
    assert list(parameters_of(link)) == ["from", "userId", "email", "secret", "expire"]
    assert f"Message-ID: <{mail.hex}@accounts.test>".encode() in sink.mails[0].content


async def test_a_links_expiry_looks_like_the_answers(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """Unix seconds below format 1.0, the modern ones of 0.12 to 0.15 included; ISO 8601 from then on."""
    for era, form in (
        ({}, SECONDS), ({"modern": False, "iso": False}, SECONDS), ({"modern": True, "iso": False}, SECONDS),
        ({"modern": True, "iso": True}, ISO),
        ({"modern": True}, ISO),  # of the release before
    ):  # fmt: skip
        await a_worker().deliver(await request_mail(pool, era=era))
        assert re.fullmatch(form, parameters_of(link_of(sink.mails[-1]))["expire"]), era


async def test_a_temporary_refusal_waits_and_is_sent_later(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """450: pending again, due after the first wait; before that nobody sends it, afterwards the same bytes go."""
    sink.script("rcpt", "450 4.2.0 greylisted", times=1)
    mail, worker = await request_mail(pool), a_worker()
    await worker.deliver(mail)
    row = await pool.fetchrow("select *, extract(epoch from due_at - now()) as wait from mails")
    assert (row["state"], row["last_code"], row["lease_by"]) == ("pending", 450, None)
    assert "greylisted" in row["last_fault"]
    assert WAITS[0] * 0.8 - 2 < row["wait"] <= WAITS[0] * 1.2
    await worker.deliver(mail)
    assert sink.mails == []
    await due_now(pool)
    await worker.deliver(mail)
    assert (await state(pool, mail), len(sink.mails)) == ("sent", 1)


async def test_each_wait_is_longer(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """The waits follow the schedule and then repeat its last one, a fifth up or down."""
    sink.script("rcpt", "450 4.2.0 greylisted")
    mail, worker = await request_mail(pool), a_worker()
    for attempt in range(1, len(WAITS) + 3):
        await due_now(pool)
        await worker.deliver(mail)
        row = await pool.fetchrow("select attempts, extract(epoch from due_at - now())::float as wait from mails")
        wanted = WAITS[min(attempt, len(WAITS)) - 1]
        assert row["attempts"] == attempt
        assert wanted * 0.8 - 2 < row["wait"] <= wanted * 1.2


async def test_the_same_mail_is_byte_for_byte_the_same(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """Cut off after the final dot it may have arrived: the second attempt is a true duplicate."""
    sink.script("dot", action="cut", keep=True, times=1)
    mail, worker = await request_mail(pool), a_worker()
    await worker.deliver(mail)
    assert await state(pool, mail) == "pending"
    await due_now(pool)
    await worker.deliver(mail)
    first, second = sink.mails
    assert first.content == second.content
    assert await state(pool, mail) == "sent"


async def test_a_refusal_of_the_recipient_is_final(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """550 at RCPT: failed, never tried again; the others go on."""
    sink.script("rcpt", "550 5.1.1 no such user", recipient=ANN)
    await users.create(pool, "shop", user_id="bob", email="bob@example.com", name="", password_hash=None)
    mail, other, worker = await request_mail(pool), await request_mail(pool, "bob@example.com"), a_worker()
    await worker.deliver(mail)
    row = await pool.fetchrow("select * from mails where id = $1", mail)
    assert (row["state"], row["last_code"], row["ended_at"] is not None) == ("failed", 550, True)
    await due_now(pool)
    await worker.deliver(mail)
    await worker.deliver(other)
    assert await state(pool, other) == "sent"
    assert [sent.recipients for sent in sink.mails] == [("bob@example.com",)]


UNCLEAR = ["554 5.6.0 not accepted", "554 Message rejected: Sending paused for this account.", "550 message rejected"]


@pytest.mark.parametrize("reply", UNCLEAR)
async def test_a_refusal_that_names_no_recipient_waits_until_the_deadline(
    pool: Pool, sink: Sink, a_worker, ann: users.User, reply: str
):
    """A 5xx after the dot that is not about the recipient waits by the schedule and ends as expired."""
    sink.script("dot", reply)
    mail, worker = await request_mail(pool), a_worker()
    for attempt in range(1, len(WAITS) + 3):
        await due_now(pool)
        await worker.deliver(mail)
        row = await pool.fetchrow("select *, extract(epoch from due_at - now())::float as wait from mails")
        wanted = WAITS[min(attempt, len(WAITS)) - 1]
        assert (row["state"], row["last_cause"], row["attempts"]) == ("pending", "ours", attempt)
        assert wanted * 0.8 - 2 < row["wait"] <= wanted * 1.2
    await pool.execute("update mails set deadline_at = now() + interval '3 seconds'")
    await due_now(pool)
    await worker.deliver(mail)
    assert (await pool.fetchrow("select due_at <= deadline_at from mails"))[0]
    await pool.execute("update mails set deadline_at = now() - interval '1 second'")
    await due_now(pool)
    await worker.deliver(mail)
    assert (await state(pool, mail), sink.mails) == ("expired", [])


async def test_a_refusal_for_the_rate_waits_under_its_own_name(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """A mail that waits for the relay's rate is distinct from one that waits for the relay or an operator."""
    sink.script("dot", "454 Throttling failure: Maximum sending rate exceeded", times=1)
    mail, worker = await request_mail(pool), a_worker()
    await worker.deliver(mail)
    row = await pool.fetchrow("select state, last_cause, last_code from mails")
    assert tuple(row) == ("pending", "pace", 454)
    assert worker.recorder.metrics.since_start["waits_pace"] == 1
    await due_now(pool)
    await worker.deliver(mail)
    assert await state(pool, mail) == "sent"


async def test_our_own_faults_wait(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """A relay that is away costs nobody the mail: it waits until the relay is back."""
    mail, worker = await request_mail(pool), a_worker()
    await sink.close()
    await worker.deliver(mail)
    assert await state(pool, mail) == "pending"
    await sink.start()
    await due_now(pool)
    await worker.deliver(mail)
    assert await state(pool, mail) == "sent"


ENDINGS = {
    "its deadline passed": ("update mails set deadline_at = now()", "expired"),
    "its link was used or killed": ("delete from tokens", "cancelled"),
    "its host was removed": ("delete from platforms", "cancelled"),
    "nobody has the address": ("update users set email = 'else@example.com'", "void"),
    "its user is blocked": ("update users set status = 'blocked'", "void"),
    "its user is gone": ("delete from users", "void"),
    "its recipient is poisoned": ('update mails set facts = facts || \'{"url": "javascript:x"}\'', "cancelled"),
}


@pytest.mark.parametrize(("change", "end"), ENDINGS.values(), ids=ENDINGS)
async def test_nothing_is_sent_when(pool: Pool, sink: Sink, a_worker, ann: users.User, change: str, end: str):  # noqa: PLR0917 - pytest passes them by name
    """A change since the mail was accepted counts: the mail ends in its own state and nothing goes out."""
    mail = await request_mail(pool)
    await pool.execute(change)
    await a_worker().deliver(mail)
    row = await pool.fetchrow("select * from mails")
    assert (row["state"], row["ended_at"] is not None, row["lease_by"]) == (end, True, None)
    assert row["last_fault"]
    assert sink.mails == []


@pytest.mark.parametrize(
    "change", ["update users set email_version = 2", "update users set status = 'blocked'",
               "update users set email = 'new@example.com'"],
)  # fmt: skip
async def test_a_verification_is_for_the_address_as_it_was(pool: Pool, sink: Sink, a_worker, ann, change: str):
    """The address or the account has changed since: cancelled."""
    mail = await request_mail(pool, user_id="ann")
    await pool.execute(change)
    await a_worker().deliver(mail)
    assert (await state(pool, mail), sink.mails) == ("cancelled", [])


@pytest.mark.parametrize("block", [False, True])
async def test_for_nobody_the_event_is_filed_all_the_same(pool: Pool, a_worker, ann: users.User, block: bool):
    """An unknown or blocked address: void, the token gone, and the log has the event with no user."""
    if block:
        await pool.execute("update users set status = 'blocked'")
    mail = await request_mail(pool, ANN if block else "nobody@example.com")
    await a_worker().deliver(mail)
    assert await state(pool, mail) == "void"
    assert (await pool.fetchrow("select count(*) from tokens"))[0] == 0
    await SecurityLogWriter(pool).write_pending()
    assert [tuple(row) for row in await pool.fetch("select name, user_id, ip from logs")] == [
        ("account.recovery.create", None, "192.0.2.1")
    ]


async def test_a_letter_that_can_not_be_written_gives_up(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """A fault of ours is tried five times, then failed; it never stops other mails."""
    mail, worker = await request_mail(pool), a_worker()
    await pool.execute("update mails set letter = 'nonsense'")
    for _ in range(5):
        assert await state(pool, mail) == "pending"
        await due_now(pool)
        await worker.deliver(mail)
    assert await state(pool, mail) == "failed"


async def test_a_key_that_is_not_here_yet_is_waited_for(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """A newer API may make links with a key that this worker has only after its restart."""
    mail = await request_mail(pool)
    await pool.execute("update tokens set kid = 'later'")
    await a_worker().deliver(mail)
    assert (await state(pool, mail), sink.mails) == ("pending", [])
    assert "later" in (await pool.fetchrow("select last_fault from mails"))[0]


async def test_tidying_forgets_what_ended_long_ago(pool: Pool, a_worker, ann: users.User):
    """An ended mail is kept for its days and then forgotten; one that is still owed stays whatever its age."""
    for days, ended in enumerate(("now() - interval '31 days'", "now() - interval '29 days'", "null"), 40):
        mail = await request_mail(pool)
        state_now = "pending" if ended == "null" else "sent"
        await pool.execute(
            f"update mails set state = '{state_now}', ended_at = {ended}, created_at = now() - interval '{days} days', "
            f"id = uuid_at(now() - interval '{days} days') where id = '{mail}'"
        )
    await poller(pool, a_worker()).purge()
    assert sorted(row["state"] for row in await pool.fetch("select state from mails")) == ["pending", "sent"]


@pytest.mark.parametrize(("table", "column"), [("mfa_changes", "former"), ("phone_changes", "by_holder")])
async def test_tidying_forgets_what_can_not_be_undone_any_more(
    pool: Pool, a_worker, ann: users.User, table: str, column: str
):
    """A former value is kept while the notice's link works, 72 hours, and not longer: it names a person."""
    for hours in (71, 73):
        await pool.execute(
            f"insert into {table} (project_id, user_id, {column}, changed_at) "
            f"values ('shop', $1, true, now() - interval '{hours} hours')",
            ann.id,
        )
    await poller(pool, a_worker()).purge()
    ages = await pool.fetch(f"select now() - changed_at < interval '72 hours' from {table}")
    assert [row[0] for row in ages] == [True]


async def test_a_busy_postgres_fails_no_mail(pool: Pool, a_worker, ann: users.User):
    """Being busy is no fault of the letter: however often it was tried, it waits on."""
    mail = await request_mail(pool)
    await pool.execute("update mails set attempts = 20")

    class Busy:
        """A relay that is asked while no connection is free."""

        async def send(self, *_arguments, before_data) -> None:
            raise Overloaded

    await sending_by(a_worker(), Busy()).claim_and_send(DueMail(mail, "shop"))
    assert await state(pool, mail) == "pending"


async def test_what_was_mailed_is_what_put_accepts(api: Api, pool: Pool, sink: Sink, a_worker):
    """The secret in the letter is the one that the API derives: recovery and verification both work by it."""
    user = await api.sign_up()
    member = await api.sign_in()
    await api.call("POST", "/v1/account/verification", json={"url": URL}, headers=member)
    await api.call("POST", "/v1/account/recovery", json={"email": ANN, "url": URL})
    worker = a_worker()
    for row in await pool.fetch("select id from mails order by created_at"):
        await worker.deliver(row[0])
    verification, recovery = (parameters_of(link_of(mail)) for mail in sink.mails)
    proof = {"userId": verification["userId"], "secret": verification["secret"]}
    assert (await api.call("PUT", "/v1/account/verification", json=proof)).status == 200
    # One use kills all links: ask again.
    await api.call("POST", "/v1/account/recovery", json={"email": ANN, "url": URL})
    await worker.deliver((await pool.fetchrow("select id from mails where state = 'pending'"))[0])
    fresh = parameters_of(link_of(sink.mails[-1]))
    assert (fresh["userId"], fresh["secret"] != recovery["secret"]) == (user["$id"], True)
    body = {"userId": fresh["userId"], "secret": fresh["secret"], "password": "new horse", "passwordAgain": "new horse"}
    assert (await api.call("PUT", "/v1/account/recovery", json=body)).status == 200
    await api.sign_in(password="new horse")


async def test_two_workers_send_one_mail(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """However many workers try at once, one claims it."""
    mail, workers = await request_mail(pool), [a_worker("one"), a_worker("two")]
    await asyncio.gather(*(worker.deliver(mail) for worker in workers * 5))
    assert (len(sink.mails), await state(pool, mail)) == (1, "sent")


async def test_a_lease_that_ran_out_is_anyones(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """The second worker sends it; when the first wakes up at last, its word does not count."""
    sink.script("rcpt", action="hang", times=1)
    mail, one, two = await request_mail(pool), a_worker("one"), a_worker("two")
    stuck = asyncio.create_task(one.deliver(mail))
    await sink.wait_for(lambda sink: any(line.startswith("RCPT") for line in sink.commands))
    await two.deliver(mail)
    assert await state(pool, mail) == "sending", "the lease still stands"
    await due_now(pool)
    await two.deliver(mail)
    assert await state(pool, mail) == "sent"
    sink.cut_all()
    await stuck
    row = await pool.fetchrow("select state, attempts, last_code from mails")
    assert tuple(row) == ("sent", 2, 250)
    assert len(sink.mails) == 1


async def test_a_late_worker_asks_before_the_words_go_out(pool: Pool, a_worker, ann: users.User, sink: Sink):
    """Held up for half a lease it asks Postgres, and sends nothing that is another's by now."""
    mail, one, two = await request_mail(pool), a_worker("one"), a_worker("two")
    lease = Lease(mail, 1)

    class HeldUp:
        """A relay that needs so long for RCPT that another worker takes over."""

        async def send(self, *_arguments, before_data) -> None:
            one.recorder.leases.held[lease] -= LEASE
            assert await before_data(), "nobody else has it yet"
            one.recorder.leases.held[lease] -= LEASE
            await due_now(pool)
            await two.deliver(mail)
            await one.recorder.leases.renew()
            assert not await before_data(), "to have asked for a lease is not to have it"
            raise TemporaryFailure(0, "the check before DATA said no", "fence")

    await sending_by(one, HeldUp()).claim_and_send(DueMail(mail, "shop"))
    assert (len(sink.mails), await state(pool, mail)) == (1, "sent")


async def test_a_lease_is_renewed_while_it_is_sent(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """A live worker's lease stays its own, however slow the relay is."""
    sink.script("rcpt", action="hang", times=1)
    mail, one = await request_mail(pool), a_worker("one")
    stuck = asyncio.create_task(one.deliver(mail))
    await sink.wait_for(lambda sink: any(line.startswith("RCPT") for line in sink.commands))
    await due_now(pool)
    await one.recorder.leases.renew()
    left = (await pool.fetchrow("select extract(epoch from due_at - now()) from mails"))[0]
    assert left > LEASE / 2
    sink.cut_all()
    await stuck


async def test_a_worker_that_comes_back_takes_its_own_again(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """Under the name it kept it need not wait for its own lease; another's it leaves alone."""
    mail = await request_mail(pool)
    await claim_mail(pool, mail, worker="one", lease=30)
    assert await outbox_leases.release_of_worker(pool, worker="two") == 0
    assert await outbox_leases.release_of_worker(pool, worker="one") == 1
    await a_worker("one").deliver(mail)
    assert await state(pool, mail) == "sent"


def poller(pool: Pool, delivery: Delivery) -> OutboxPoller:
    return OutboxPoller(pool, delivery, SecurityLogWriter(pool), 12, 30, Dispatcher(delivery), 30)


async def test_the_sweep_finds_a_lost_job(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """A mail and an event whose jobs were lost are overdue, and the poller finds them."""
    mail = await request_mail(pool)
    await due_now(pool)
    await pool.execute("update events set at = now() - interval '2 seconds'")
    found = poller(pool, a_worker())
    await found.poll_due()
    await found.poll_due()
    assert (await state(pool, mail), len(sink.mails)) == ("sent", 1)
    assert (await pool.fetchrow("select user_id from logs"))[0] == "ann"


@pytest.mark.usefixtures("ann")
async def test_the_sweep_takes_many_and_survives_a_bad_one(pool: Pool, database: str, sink: Sink, a_worker):
    """More than one batch is swept in one round; one mail's trouble is not the others'."""
    bad = await request_mail(pool)
    good = [await request_mail(pool) for _ in range(110)]
    await pool.execute("update mails set letter = 'nonsense' where id = $1", bad)
    await due_now(pool)
    patient = Pool(database, size=4, patience=30)
    delivery = replace(a_worker(), pool=patient)
    delivery.recorder.pool = delivery.recorder.leases.pool = patient
    sweeping = poller(patient, delivery)
    await sweeping.poll_due()
    # The round is over; what it began may not be, on a busy machine.
    await settled(sweeping)
    await patient.close()
    assert (await state(pool, bad), len(sink.mails)) == ("pending", len(good))


async def test_without_redis_the_sweep_delivers(pool: Pool, sink: Sink, a_worker, ann: users.User):
    """Redis away delays and loses nothing."""
    delivery = a_worker(redis_url=f"redis://127.0.0.1:{free_port()}/0")
    await request_mail(pool)
    sweeping = asyncio.create_task(poller(pool, delivery).run())
    try:
        await sink.wait_for(1)
        await until_none(pool, "state <> 'sent'")
    finally:
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)
    await delivery.job_queue.drain()
    assert delivery.job_queue.failed_enqueues == 1


async def until_none(pool: Pool, condition: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while await pool.fetchrow(f"select 1 from mails where {condition}"):  # noqa: ASYNC110 - Postgres tells nobody; the words are ours
            await asyncio.sleep(0.05)


async def everything_in(redis) -> str:
    """All keys and values of Redis as they are stored there."""
    dumps = [(key, await redis.dump(key)) for key in await redis.keys("*")]
    return b"".join(key + (value or b"") for key, value in dumps).decode("latin-1")


async def test_the_secret_is_in_the_mail_and_nowhere_else(  # noqa: PLR0917 - pytest passes them by name
    api: Api, pool: Pool, redis, sink: Sink, environment: dict[str, str], tmp_path: Path, caplog
):
    """Neither Redis, nor any table, nor a line of API or worker at the finest level holds a piece of it."""
    caplog.set_level("DEBUG")
    await api.sign_up()
    sink.script("dot", "450 4.7.1 try later", times=1)
    settings = environment | {"SMTP_URL": f"smtp://127.0.0.1:{sink.port}?tls=none", "LOG_LEVEL": "debug"}
    await api.call("POST", "/v1/account/recovery", json={"email": ANN, "url": URL})
    await api.call("POST", "/v1/account/recovery", json={"email": "nobody@example.com", "url": URL})
    seen = await everything_in(redis)
    assert "send_mail" in seen
    async with processes.worker(settings, heartbeat=tmp_path / "alive") as worker:
        await until_none(pool, "attempts = 0 or state = 'sending'")
        await due_now(pool)
        await sink.wait_for(1)
        await until_none(pool, "state in ('pending', 'sending')")
        seen += await everything_in(redis)
    tables = [
        row[0]
        for table in ("mails", "tokens", "events", "logs", "users", "sessions")
        for row in await pool.fetch(f"select t::text from {table} t")
    ]
    proof = parameters_of(link_of(sink.mails[0]))["secret"][20:]
    lines = "\n".join(worker.lines) + caplog.text
    assert '"event":"mail.sent"' in lines
    for place in ("\n".join(tables), lines, seen):
        for start in range(0, len(proof) - 24, 12):
            assert proof[start : start + 24] not in place
        assert "secret=" not in place
