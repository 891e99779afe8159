"""Mails of a project with an SMTP server of its own: by that server and no other, whatever becomes of the rest."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from devstack.servers import free_port
from service import failpoints
from service.cancellation import cancel_and_wait
from service.crypto.secret import Secret
from service.db import Pool
from service.settings import Settings
from service.store import project_relays, projects, tokens, users
from service.store.outbox import enqueue
from service.store.tokens import Kind
from service.store.unit_of_work import unit_of_work
from testkit.outbox import ANN, list_due, request_mail
from testkit.sink import Mail, Sink
from testkit.waiting import until
from tests.integration.worker.conftest import OneByOne, Statements
from worker.concurrency import DeliverySlots
from worker.dispatcher import Dispatcher
from worker.poller import OutboxPoller
from worker.relays import RelayPool, routing
from worker.relays.rate_limiter import RateLimiter
from worker.security_log import SecurityLogWriter

pytestmark = pytest.mark.usefixtures("ann")
PASSWORD = "s3cret-of-the-shop"
RING = {"test": bytes.fromhex("6f1c9d2e8b3a4750" * 4)}


@pytest.fixture
async def own() -> AsyncIterator[Sink]:
    """The project's server, which asks for its password."""
    async with Sink(users={"accounts": PASSWORD}) as sink:
        yield sink


@pytest.fixture
async def worker(a_worker: Callable[..., OneByOne]) -> AsyncIterator[OneByOne]:
    delivery = a_worker()
    yield delivery
    await delivery.relays.close()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes are looked for at each mail."""
    monkeypatch.setattr(routing, "_AGE", 0.0)


@pytest.fixture
async def blog(pool: Pool) -> None:
    """Another project, without a server of its own, and its user."""
    await projects.create(pool, "blog", name="Blog")
    await projects.add_platform(pool, "blog", hostname="localhost")
    await users.create(pool, "blog", user_id="bob", email="bob@example.com", name="", password_hash=None)


async def mail_of_blog(pool: Pool) -> UUID:
    async with unit_of_work(pool, None) as tx:
        token = await tokens.issue(
            tx, "blog", kind=Kind.RECOVERY, email="bob@example.com", kid="test", seconds=3600, user_id=None,
            email_version=None,
        )  # fmt: skip
        return await enqueue(
            tx, "blog", letter="recovery", recipient="bob@example.com", locale="en", facts={"url": "http://localhost/"},
            deadline_at=token.expires_at, sender="no-reply@accounts.test", token_id=token.id,
        )  # fmt: skip


async def give(pool: Pool, port: int, ring: dict[str, bytes] = RING, *, url: str = "") -> None:
    """Set the shop's server."""
    secret = Secret(url or f"smtp://accounts:{PASSWORD}@127.0.0.1:{port}?tls=none")
    await project_relays.save(pool, ring, "shop", server=f"127.0.0.1:{port}", url=secret)


async def states(pool: Pool) -> dict[str, str]:
    return {row["project_id"]: row["state"] for row in await pool.fetch("select project_id, state from mails")}


async def polled(polls: OutboxPoller, server: Sink) -> list[Mail]:
    """Poll, and return the mails of a server by then."""
    await polls.poll_due()
    return server.mails


def poller(pool: Pool, delivery: OneByOne) -> OutboxPoller:
    return OutboxPoller(pool, delivery, SecurityLogWriter(pool), 12, 30, Dispatcher(delivery), 30)


@pytest.mark.usefixtures("blog")
async def test_each_project_has_its_way(
    pool: Pool, sink: Sink, own: Sink, worker: OneByOne, caplog: pytest.LogCaptureFixture
):
    """The shop's mail goes by its own server, signed in; the blog's by the shared one; no log line has the password."""
    caplog.set_level(logging.DEBUG)
    await give(pool, own.port)
    await worker.deliver(await request_mail(pool))
    await worker.deliver(await mail_of_blog(pool))
    assert [mail.recipients for mail in own.mails] == [(ANN,)]
    assert [mail.recipients for mail in sink.mails] == [("bob@example.com",)]
    assert own.logins == [("accounts", True)]
    name = f"127.0.0.1:{own.port}/shop"
    assert (await pool.fetchrow("select server from mail_events where project_id = 'shop'"))[0] == name
    assert list(worker.relays.states()) == [f"127.0.0.1:{sink.port}", name]
    assert worker.relays.rates() == dict.fromkeys(worker.relays.states())
    assert PASSWORD not in caplog.text


@pytest.mark.usefixtures("blog")
async def test_without_its_own_server_a_projects_mails_wait(pool: Pool, sink: Sink, worker: OneByOne):
    """They never go by the shared one; other projects' go on, found by the poller too."""
    await give(pool, free_port())
    mail = await request_mail(pool)
    await worker.deliver(mail)
    assert await states(pool) == {"shop": "pending"}
    assert "connect" in (await pool.fetchrow("select last_fault from mails"))[0]
    own = worker.relays._own["shop"].relay
    assert isinstance(own, RelayPool)
    own._servers[0].breaker.state, own._servers[0].breaker.probe_at = "open", float("inf")
    await mail_of_blog(pool)
    await pool.execute("update mails set due_at = now() - interval '1 minute'")
    before = (await pool.fetchrow("select attempts from mails where id = $1", mail))[0]
    await poller(pool, worker).poll_due()
    assert await states(pool) == {"shop": "pending", "blog": "sent"}
    assert (await pool.fetchrow("select attempts from mails where id = $1", mail))[0] == before, "not even claimed"
    assert [mail.recipients for mail in sink.mails] == [("bob@example.com",)]


@pytest.mark.usefixtures("blog")
async def test_without_the_shared_server_a_projects_own_works(pool: Pool, own: Sink, worker: OneByOne):
    """The outage of the one is none of the other's, by jobs and by polls."""
    await give(pool, own.port)
    shared = worker.relays.shared._servers[0].breaker
    shared.state, shared.probe_at = "open", float("inf")
    other = await mail_of_blog(pool)
    await worker.deliver(await request_mail(pool))
    await request_mail(pool)
    await pool.execute("update mails set due_at = now() - interval '1 minute' where state = 'pending'")
    await worker.deliver(other)
    await poller(pool, worker).poll_due()
    assert len(own.mails) == 2
    assert (await pool.fetchrow("select attempts from mails where id = $1", other))[0] == 0


@pytest.mark.usefixtures("at_once")
async def test_a_change_is_used_at_once(pool: Pool, sink: Sink, own: Sink, worker: OneByOne):
    """Another server, or the shared one again; the old connection is closed."""
    async with Sink(users={"accounts": PASSWORD}) as second:
        for server in (own, second):
            await give(pool, server.port)
            await worker.deliver(await request_mail(pool))
            assert len(server.mails) == 1
        await project_relays.remove(pool, "shop")
        await worker.deliver(await request_mail(pool))
    assert len(sink.mails) == 1
    assert list(worker.relays.states()) == [f"127.0.0.1:{sink.port}"]


@pytest.mark.usefixtures("at_once")
async def test_a_key_that_is_missing_is_said_at_the_mail(
    pool: Pool, sink: Sink, own: Sink, worker: OneByOne, caplog: pytest.LogCaptureFixture
):
    """The mail waits and says why, and nothing goes by another server; it goes out when the operator has acted."""
    await give(pool, own.port, {"gone": b"x" * 32})
    await worker.deliver(await request_mail(pool))
    row = await pool.fetchrow("select state, last_cause, last_fault from mails")
    assert (row["state"], row["last_cause"]) == ("pending", "ours")
    assert "the key gone is not among SECRET_KEYS" in row["last_fault"]
    assert [record.event for record in caplog.records].count("relay.unusable") == 1
    await give(pool, own.port)
    await until(partial(polled, poller(pool, worker), own))
    assert (len(own.mails), len(sink.mails)) == (1, 0)


@pytest.mark.usefixtures("blog", "at_once")
@pytest.mark.parametrize("fault", ["sealed", "ca"])
async def test_a_server_that_cannot_be_used_stops_no_other_mail(
    pool: Pool, sink: Sink, worker: OneByOne, tmp_path: Path, fault: str
):
    """Whatever is in its row: it was changed, or its URL names a file that is no certificate."""
    await give(pool, 1, url=f"smtp://127.0.0.1?ca={tmp_path / 'ca.pem'}")
    (tmp_path / "ca.pem").touch()
    if fault == "sealed":
        await pool.execute("update project_relays set sealed = sealed || 'x'::bytea")
    await worker.deliver(await request_mail(pool))
    await worker.deliver(await mail_of_blog(pool))
    assert await states(pool) == {"shop": "pending", "blog": "sent"}
    assert (await pool.fetchrow("select last_cause from mails where project_id = 'shop'"))[0] == "ours"


@pytest.mark.usefixtures("blog")
async def test_only_the_mails_of_a_server_that_recovers_are_made_due(
    pool: Pool, sink: Sink, own: Sink, worker: OneByOne
):
    """A project's server that comes and goes is no reason to try the mails of others before their time."""
    await give(pool, own.port)
    mails = {"shop": await request_mail(pool), "blog": await mail_of_blog(pool)}
    polls = poller(pool, worker)
    await worker.relays.take_recovered()  # it is new, which makes its mails due as well
    later = "update mails set due_at = now() + interval '15 minutes', last_cause = 'server', state = 'pending'"
    await pool.execute(later)
    worker.relays._own["shop"].recovered.set()
    await until(partial(polled, polls, own))
    assert await states(pool) == {"shop": "sent", "blog": "pending"}
    await pool.execute(f"{later} where id = $1", mails["shop"])
    watching = asyncio.create_task(polls.resume_after_outage())
    await until(lambda: list_due(pool), what="nothing was made due")
    await cancel_and_wait(watching)
    assert await list_due(pool) == [mails["blog"]]


@pytest.mark.usefixtures("at_once")
async def test_a_mail_that_waits_for_its_turn_goes_by_the_server_of_that_time(
    pool: Pool, sink: Sink, own: Sink, worker: OneByOne
):
    """The wait for a slot or for the rate may be long, and the project may have its own server by then."""
    worker.slots = DeliverySlots(1)
    go = asyncio.Event()

    async def occupy() -> None:
        async with worker.slots.acquire(worker.relays.shared.acquire_rate):
            await go.wait()

    busy = asyncio.create_task(occupy())
    await until(lambda: worker.slots._busy)
    waiting = asyncio.create_task(worker.deliver(await request_mail(pool)))
    await until(lambda: worker.relays.shared_route.busy == 1)
    await give(pool, own.port)
    go.set()
    await asyncio.gather(busy, waiting)
    assert (len(own.mails), len(sink.mails)) == (1, 0)


@pytest.mark.usefixtures("at_once")
async def test_a_mail_in_hand_is_finished_where_it_was_begun(pool: Pool, sink: Sink, own: Sink, worker: OneByOne):
    """The project's server is removed while it takes a mail: it is sent once, and recorded; the next goes elsewhere."""
    await give(pool, own.port)
    own.script("dot", "250 2.0.0 at long last", action="drip", times=1)
    first = asyncio.create_task(worker.deliver(await request_mail(pool)))
    await own.wait_for(1)
    await project_relays.remove(pool, "shop")
    await worker.deliver(await request_mail(pool))
    await first
    assert (len(own.mails), len(sink.mails)) == (1, 1)
    sent = await pool.fetch("select server from mail_events where name = 'sent'")
    assert {row["server"] for row in sent} == {f"127.0.0.1:{own.port}/shop", f"127.0.0.1:{sink.port}"}


@pytest.mark.usefixtures("blog")
@pytest.mark.parametrize("hanging", ["shop", "blog"])
async def test_neither_relay_takes_the_slots_of_the_other(
    pool: Pool, sink: Sink, own: Sink, worker: OneByOne, hanging: str
):
    """With one slot in the worker, a mail to a server that hangs delays none that goes elsewhere."""
    worker.slots = DeliverySlots(1)
    await give(pool, own.port)
    servers = {"shop": own, "blog": sink}
    mails = {"shop": await request_mail(pool), "blog": await mail_of_blog(pool)}
    servers[hanging].script("banner", "", action="hang")
    stuck = asyncio.create_task(worker.deliver(mails.pop(hanging)))
    await until(lambda: servers[hanging].connections)
    ((other, mail),) = mails.items()
    await worker.deliver(mail)
    assert len(servers[other].mails) == 1
    await worker.slots.drain(seconds=0, hurry=asyncio.Event())
    assert stuck.done(), "a worker that stops waits for both alike"


@pytest.mark.usefixtures("blog")
async def test_a_server_that_hangs_leaves_room_for_others(pool: Pool, sink: Sink, own: Sink, worker: OneByOne):
    """Ten of its mails are in hand at a time; the eleventh stays due, unclaimed, and the blog's goes out."""
    await give(pool, own.port)
    own.script("banner", "", action="hang")
    mails = [await request_mail(pool) for _ in range(12)]
    hanging = [asyncio.create_task(worker.deliver(mail)) for mail in mails]
    await until(lambda: "shop" in worker.relays._own and worker.relays._own["shop"].busy == 10)
    await until(lambda: sum(task.done() for task in hanging) == 2)
    assert (await worker.relays.choose()) == routing.Choice(shared=True, own=[])
    await worker.deliver(await mail_of_blog(pool))
    assert len(sink.mails) == 1
    for task in hanging:
        task.cancel()
    await asyncio.wait(hanging)
    assert worker.relays._own["shop"].busy == 0


@pytest.mark.usefixtures("blog")
async def test_its_mails_are_claimed_in_batches_too(
    statements: tuple[Pool, Statements], pool: Pool, sink: Sink, own: Sink, worker: OneByOne
):
    """A backlog goes out without a poll, by far fewer claims than mails; the blog's mail, due last, is not held up."""
    one, count = statements
    await give(pool, own.port)
    mails = [await request_mail(pool) for _ in range(120)]
    await mail_of_blog(pool)
    dispatcher = Dispatcher(replace(worker, pool=one))
    dispatcher.wake()
    await own.wait_for(len(mails))
    await until(lambda: not dispatcher.deliveries)
    assert await states(pool) == {"shop": "sent", "blog": "sent"}
    assert [mail.recipients for mail in sink.mails] == [("bob@example.com",)]
    assert len(own.mails) == len(mails)
    assert count()["claims"] < 60
    assert worker.relays.route_of("shop").busy == 0
    await dispatcher.stop()


@pytest.mark.usefixtures("blog")
async def test_no_more_of_its_mails_are_claimed_than_it_may_have_in_hand(
    pool: Pool, sink: Sink, own: Sink, worker: OneByOne
):
    """Ten of a backlog are claimed for a server that hangs; the others stay due, and other mails go on."""
    await give(pool, own.port)
    own.script("banner", "", action="hang")
    for _ in range(12):
        await request_mail(pool)
    await mail_of_blog(pool)
    dispatcher = Dispatcher(worker)
    dispatcher.wake()
    await sink.wait_for(1)
    await until(lambda: own.connections)
    claimed = "select count(*) from mails where project_id = 'shop' and state = 'sending'"
    assert (await pool.fetchrow(claimed))[0] == 10
    assert (await worker.relays.choose()) == routing.Choice(shared=True, own=[])
    await worker.slots.drain(seconds=0, hurry=asyncio.Event())
    await dispatcher.stop()
    assert not dispatcher.deliveries
    assert worker.relays.route_of("shop").busy == 0


async def test_its_rate_claims_one_at_a_time(pool: Pool, own: Sink, worker: OneByOne):
    """Mails beyond the server's rate are not claimed: another worker may send them."""
    await give(pool, own.port)
    await worker.relays.choose()
    relay = worker.relays.route_of("shop").relay
    assert isinstance(relay, RelayPool)
    relay._rate_limiter = RateLimiter(3)
    for _ in range(5):
        await request_mail(pool)
    dispatcher = Dispatcher(worker)
    dispatcher.wake()
    await own.wait_for(3)
    await until(lambda: worker.relays.route_of("shop").busy == 2)
    assert (await pool.fetchrow("select count(*) from mails where state = 'pending' and attempts = 0"))[0] == 2
    await worker.slots.drain(seconds=5, hurry=asyncio.Event())
    await dispatcher.stop()
    assert len(own.mails) == 3


@pytest.mark.usefixtures("at_once", "disarmed")
async def test_f02_its_batch_without_an_answer_is_given_back(pool: Pool, own: Sink, worker: OneByOne):
    """The rows of its batch are in doubt and no others; the next round gives them back and sends each once."""
    await give(pool, own.port)
    mails = [await request_mail(pool) for _ in range(5)]
    failpoints.arm("db.claim_mails.after:raise:1")
    polls = poller(pool, worker)
    await asyncio.wait(polls.dispatcher.wake())
    await until(lambda: not polls.dispatcher.deliveries)
    assert worker.recorder.leases.claims.unconfirmed == set(mails)
    assert worker.relays.route_of("shop").busy == 0
    await polls.poll_due()
    await own.wait_for(5)
    await until(lambda: not polls.dispatcher.deliveries)
    assert await states(pool) == {"shop": "sent"}
    assert len(own.mails) == 5


def test_the_ring_is_the_settings(settings: Settings):
    """The keys above are those of the tests' settings."""
    assert settings.key_ring == RING
