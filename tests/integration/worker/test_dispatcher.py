"""Batches of due mails: one claim, one delivery each, one statement for those that were sent."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from service import failpoints
from service.cancellation import cancel_and_wait
from service.db import Pool, PostgresGone
from service.queue import QUEUE, SEND_MAIL
from service.settings import Settings
from testkit.outbox import request_mail
from testkit.sink import Sink
from tests.integration.worker.conftest import Statements, sending_by, staffed
from tests.integration.worker.test_delivery import due_now, poller, settled, state
from tests.integration.worker.test_history import history
from worker.concurrency import DeliverySlots
from worker.delivery import Delivery
from worker.dispatcher import Dispatcher
from worker.relays import RelayPool, SmtpUrl

pytestmark = pytest.mark.usefixtures("ann", "disarmed")


async def mails_of(pool: Pool, count: int) -> list[UUID]:
    return [await request_mail(pool, user_id="ann") for _ in range(count)]


async def dispatched(delivery: Delivery) -> Dispatcher:
    """Wake a dispatcher, and wait until all that it began has ended."""
    dispatcher = Dispatcher(delivery)
    await asyncio.wait(dispatcher.wake())
    while begun := dispatcher.deliveries.values():
        await asyncio.wait(begun)
    return dispatcher


async def test_one_claim_for_all_that_is_due(
    statements: tuple[Pool, Statements], pool: Pool, sink: Sink, a_worker, settings: Settings
):
    """Forty mails are claimed by one statement and recorded by fewer than forty; each arrives once, with its event."""
    one, count = statements
    worker = staffed(one, a_worker().relays.shared, a_worker().job_queue, settings, "one")
    mails = await mails_of(pool, 40)
    await dispatched(worker)
    assert count()["claims"] == 1
    assert count()["records"] < 40
    assert [[step[:3] for step in await history(pool, mail)] for mail in mails] == [[("sent", 1, "one")]] * 40
    assert len(sink.mails) == 40
    assert not worker.recorder.journal.open


class WatchedRing(dict[str, bytes]):
    """A key ring that remembers in which rounds of the event loop letters were composed with it."""

    def __init__(self, ring: dict[str, bytes]) -> None:
        super().__init__(ring)
        self.round, self.seen = 0, list[int]()

    def __getitem__(self, kid: str) -> bytes:
        if self.round not in self.seen:
            self.seen.append(self.round)
        return super().__getitem__(kid)

    async def count_rounds(self) -> None:
        while True:
            self.round += 1
            await asyncio.sleep(0)


async def test_relays_are_heard_while_a_batch_is_composed(pool: Pool, sink: Sink, a_worker):
    """Each letter of a batch is composed in a round of its own: a reply is read, and journaled, between two of them."""
    ring = WatchedRing(a_worker().ring)
    worker = replace(a_worker(), ring=ring)
    await mails_of(pool, 20)
    counting = asyncio.create_task(ring.count_rounds())
    await dispatched(worker)
    await cancel_and_wait(counting)
    assert len(sink.mails) == 20
    assert len(ring.seen) == 20


async def test_no_more_in_hand_than_slots(pool: Pool, sink: Sink, a_worker):
    """Of a backlog no more is claimed than a worker has slots for; another worker is woken for the rest."""
    worker = a_worker()
    worker.slots = DeliverySlots(4)
    sink.script("rcpt", action="hang")
    await mails_of(pool, 10)
    dispatcher = Dispatcher(worker)
    dispatching = dispatcher.wake()
    await sink.wait_for(lambda sink: sum(line.startswith("RCPT") for line in sink.commands) == 2)
    assert (await pool.fetchrow("select count(*) from mails where state = 'sending'"))[0] == 4
    await worker.job_queue.drain()
    assert await worker.job_queue._redis.zrange(QUEUE, 0, -1) == [SEND_MAIL.encode()]
    await worker.slots.drain(seconds=0, hurry=asyncio.Event())
    await dispatcher.stop()
    assert all(task.done() for task in dispatching)
    assert not dispatcher.deliveries


async def test_a_rate_claims_one_at_a_time(pool: Pool, sink: Sink, a_worker):
    """Mails that the rate does not allow are not claimed: another worker may send them."""
    relay = RelayPool(SmtpUrl("127.0.0.1", sink.port, tls="none"), connections=2, per_minute=3)
    worker = sending_by(a_worker(), relay)
    await mails_of(pool, 5)
    dispatcher = Dispatcher(worker)
    dispatcher.wake()
    await sink.wait_for(3)
    assert (await pool.fetchrow("select count(*) from mails where state = 'pending' and lease_by is null"))[0] == 2
    await worker.slots.drain(seconds=5, hurry=asyncio.Event())
    await dispatcher.stop()
    await relay.close()
    assert len(sink.mails) == 3


async def test_f02_a_batch_without_an_answer_is_given_back(pool: Pool, sink: Sink, a_worker):
    """Its rows are in doubt and no others: the next round gives them back and sends them, each once."""
    worker, mails = a_worker(), await mails_of(pool, 5)
    failpoints.arm("db.claim_mails.after:raise:1")
    dispatcher = await dispatched(worker)
    assert worker.recorder.leases.claims.unconfirmed == set(mails)
    assert [await state(pool, mail) for mail in mails] == ["sending"] * 5
    found = replace(poller(pool, worker), dispatcher=dispatcher)
    await found.poll_due()
    await settled(found)
    assert [await state(pool, mail) for mail in mails] == ["sent"] * 5
    assert len(sink.mails) == 5
    assert not worker.recorder.leases.claims.unconfirmed


async def test_f59_a_row_that_can_not_be_read_spoils_no_batch(pool: Pool, sink: Sink, a_worker):
    """The others of its batch are claimed one by one, and go out at once."""
    worker, mails = a_worker(), await mails_of(pool, 4)
    await pool.execute("update mails set facts = '{\"a\": 1e400}' where id = $1", mails[1])
    await due_now(pool)
    await dispatched(worker)
    assert [await state(pool, mail) for mail in mails] == ["sent", "sending", "sent", "sent"]
    assert len(sink.mails) == 3


async def test_f59_what_was_claimed_before_a_fault_is_sent(pool: Pool, sink: Sink, a_worker):
    """Postgres is lost while a spoilt batch is claimed one by one: no mail waits until its lease runs out."""
    worker, mails = a_worker(), await mails_of(pool, 3)
    await pool.execute("update mails set facts = '{\"a\": 1e400}' where id = $1", mails[1])
    # The batch, the first mail, the second; then the third.
    failpoints.arm("db.claim_mails.before:raise:4")
    await dispatched(worker)
    assert [await state(pool, mail) for mail in mails] == ["sent", "sending", "pending"]
    assert len(sink.mails) == 1


async def test_a_record_that_fails_is_written_again(pool: Pool, sink: Sink, a_worker, monkeypatch):
    """The statement for a whole batch is lost once: all of it is recorded by the next, and no mail goes twice."""
    monkeypatch.setattr("worker.retries._RETRY", 0.01)
    worker, mails = a_worker(), await mails_of(pool, 6)
    failpoints.arm("db.record_mails_sent.before:raise:1, db.record_mails_sent.after:raise:2")
    await dispatched(worker)
    assert [await state(pool, mail) for mail in mails] == ["sent"] * 6
    assert len(sink.mails) == 6
    assert not worker.recorder.journal.open


async def test_a_log_that_can_not_be_written_holds_up_no_mail(pool: Pool, sink: Sink, a_worker):
    """Mails that wait for another attempt depend on the poller: it sends them before the log may fail."""
    (mail,), found = await mails_of(pool, 1), poller(pool, a_worker())
    await pool.execute("update events set at = now() - interval '2 seconds'")
    failpoints.arm("db.write_security_log.before:raise")
    with pytest.raises(PostgresGone):
        await found.poll_due()
    if begun := found.dispatcher.deliveries.values():
        await asyncio.wait(begun)
    assert (await state(pool, mail), len(sink.mails)) == ("sent", 1)
    failpoints.disarm()
    await found.poll_due()
    assert (await pool.fetchrow("select count(*) from logs"))[0] == 1
