"""Events from the log to a webhook: signed, each user's in order, repeated for three days, never lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp.test_utils import TestServer

from devstack.servers import free_port
from service.crypto import webhook_signatures
from service.db import Pool, transaction
from service.settings import Settings
from service.store import event_feed, events, webhooks
from service.store.events import Actor, Event
from service.store.unit_of_work import unit_of_work
from testkit import processes
from testkit.code_blocks import blocks
from testkit.patience import PATIENCE
from testkit.sources import ROOT
from testkit.waiting import until
from testkit.webhook_receiver import Receiver, Reply
from worker.concurrency import DeliverySlots
from worker.metrics import Metrics
from worker.security_log import SecurityLogWriter
from worker.webhooks.client import WebhookClient
from worker.webhooks.delivery import SCHEDULE, WebhookDelivery
from worker.webhooks.dispatcher import WebhookDispatcher

BY = Actor("127.0.0.1", "test")
HERE = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
Make = Callable[..., WebhookDispatcher]
pytestmark = pytest.mark.usefixtures("disarmed")


@pytest.fixture
async def receiver(pool: Pool, settings: Settings, project: Any) -> AsyncIterator[Receiver]:
    """The receiver of the webhook `one`."""
    async with Receiver() as receiver:
        receiver.secret = await opened(pool, settings, "one", receiver.url)
        yield receiver
    assert receiver.faults == []


@pytest.fixture
async def a_worker(pool: Pool, settings: Settings) -> AsyncIterator[Make]:
    """Makes workers on the same Postgres."""
    made: list[WebhookDispatcher] = []

    def make(name: str = "one", patience: float = PATIENCE) -> WebhookDispatcher:
        delivery = WebhookDelivery(pool, WebhookClient(HERE, patience), Metrics())
        made.append(WebhookDispatcher(pool, delivery, settings.key_ring, name, DeliverySlots(10)))
        return made[-1]

    yield make
    for worker in made:
        await worker.slots.drain(seconds=PATIENCE, hurry=asyncio.Event())
        await worker.stop()
        await worker.delivery.client.close()


async def opened(pool: Pool, settings: Settings, endpoint_id: str, url: str, types: list[str] | None = None) -> str:
    async with transaction(pool, "shop") as tx:
        made = await webhooks.create(tx, settings.key_ring, "shop", endpoint_id, url=url, types=types or [])
    return made.reveal()


async def happened(pool: Pool, *acts: tuple[str, Event]) -> None:
    """Have users act, and a worker file it."""
    for user_id, event in acts:
        async with unit_of_work(pool, None) as tx:
            await events.record(tx, "shop", event=event, user_id=user_id, by=BY)
    await SecurityLogWriter(pool).write_pending()


async def due_now(pool: Pool) -> None:
    """Let the wait of each delivery be over."""
    await pool.execute("update webhook_lanes set due_at = now() where due_at > now() and lease_by is null")


async def states(pool: Pool, endpoint_id: str = "one") -> list[str]:
    rows = await pool.fetch("select state from webhook_deliveries where endpoint_id = $1 order by number", endpoint_id)
    return [row[0] for row in rows]


async def tried(worker: WebhookDispatcher, pool: Pool) -> None:
    """Have all tried that is due, and wait for the outcomes."""

    async def idle() -> bool:
        await worker.dispatch()
        row = await pool.fetchrow(
            "select count(*) from webhook_lanes l join webhook_endpoints w on w.id = l.endpoint_id"
            " where l.lease_by is not null or l.due_at <= now() and w.status = 'enabled'"
        )
        return row[0] == 0

    await until(idle)


async def test_an_event_is_posted_by_ids_alone(pool: Pool, receiver: Receiver, a_worker: Make):
    """Under the id that the feed has, once, with nothing but type, time, project and user."""
    await happened(pool, ("ann", Event.SESSION_CREATE))
    await tried(a_worker(), pool)
    await tried(a_worker("two"), pool)
    row = await pool.fetchrow("select id, at from feed_events")
    body = {
        "type": "account.sessions.create",
        "timestamp": row["at"].isoformat(timespec="milliseconds"),
        "data": {"projectId": "shop", "userId": "ann"},
    }
    assert receiver.received == [(str(row["id"]), body)]
    assert await states(pool) == ["delivered"]


async def test_an_endpoint_gets_the_events_that_it_wants(
    pool: Pool, settings: Settings, receiver: Receiver, a_worker: Make
):
    """By type, or by what types begin with; not what came before it was there."""
    await happened(pool, ("ann", Event.ACCOUNT_CREATE))
    async with Receiver() as other:
        other.secret = await opened(pool, settings, "two", other.url, ["users.*", "account.delete"])
        acts = [Event.SESSION_CREATE, Event.BY_OPERATOR_NAME, Event.ACCOUNT_DELETE]
        await happened(pool, *[("ann", act) for act in acts])
        await tried(a_worker(), pool)
        assert other.events() == [("ann", "users.update.name"), ("ann", "account.delete")]
    assert len(receiver.taken) == 4


@pytest.mark.timeout(120)
async def test_no_event_is_lost_and_each_users_come_in_order(pool: Pool, receiver: Receiver, a_worker: Make):
    """Users act, events are filed and two workers deliver all at once, while the receiver fails now and then."""
    acts = [Event.SESSION_CREATE, Event.NAME_UPDATE, Event.PREFS_UPDATE, Event.SESSION_DELETE] * 5
    users = [f"user-{number}" for number in range(5)]
    receiver.replies.extend(Reply(status) for status in (204, 500, 200, 204, 302, 204, 503) * 10)
    running = [asyncio.create_task(a_worker(name).run()) for name in ("one", "two")]

    async def act(user_id: str) -> None:
        for event in acts:
            await happened(pool, (user_id, event))

    async def hurry() -> bool:
        await due_now(pool)
        return len(set(receiver.taken)) == len(acts) * len(users) and set(await states(pool)) == {"delivered"}

    await asyncio.gather(*map(act, users))
    await until(hurry)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    for user in users:
        # Repeated until it is taken, and then no more.
        posts = [(event_id, each["type"]) for event_id, each in receiver.received if each["data"]["userId"] == user]
        assert [name for (_, name), _ in groupby(posts)] == acts
    assert len(receiver.taken) == len(acts) * len(users)
    rest = await pool.fetch("select pending, due_at from webhook_lanes")
    assert {tuple(row) for row in rest} == {(0, None)}


async def test_the_receiver_of_our_page_works(  # noqa: PLR0917 - fixtures
    pool: Pool, settings: Settings, project: Any, a_worker: Make, monkeypatch: pytest.MonkeyPatch, capsys: Any
):
    """As it stands in docs/webhooks.md: it verifies, answers, and leaves out what it knows."""
    page = (ROOT / "docs" / "webhooks.md").read_text()
    [code] = [block.code for block in blocks(page) if block.language == "python"]
    secret = await opened(pool, settings, "crm", "https://example.com/")
    monkeypatch.setenv("SECRET", secret)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - the code of our page
    async with TestServer(names["app"]) as server:
        await webhooks.change(pool, "shop", "crm", url=str(server.make_url("/events")))
        await happened(pool, ("ann", Event.ACCOUNT_CREATE))
        await tried(a_worker(), pool)
        [done] = await webhooks.page_deliveries(pool, "shop", "crm", states=["delivered"], before=None, most=9)
        await webhooks.replay(pool, "shop", "crm", [done.event_id])
        await tried(a_worker(), pool)
    assert capsys.readouterr().out == "account.create ann\n"
    assert names["seen"] == {str(done.event_id)}


async def test_both_secrets_sign_while_one_takes_the_others_place(
    pool: Pool, settings: Settings, receiver: Receiver, a_worker: Make
):
    """The new one first; the former one until its time is over. The library verifies with either."""
    former = receiver.secret
    async with transaction(pool, "shop") as tx:
        new = await webhooks.rotate(tx, settings.key_ring, "shop", "one", overlap=3600)
    for secret in (former, new.reveal()):
        receiver.secret = secret
        await happened(pool, ("ann", Event.NAME_UPDATE))
        await tried(a_worker(), pool)
    assert [len(signature.split(" ")) for signature in receiver.signatures] == [2, 2]
    await pool.execute("update webhook_secrets set expires_at = now() where expires_at is not null")
    await happened(pool, ("ann", Event.NAME_UPDATE))
    await tried(a_worker(), pool)
    assert len(receiver.signatures[-1].split(" ")) == 1
    assert len(receiver.taken) == 3


async def test_a_year_of_failures_ends_after_three_days(pool: Pool, receiver: Receiver, a_worker: Make):
    """Ten attempts at the standard's times; then it has failed, and the user's next event has its turn."""
    receiver.always = Reply(500)
    await happened(pool, ("ann", Event.SESSION_CREATE), ("ann", Event.SESSION_DELETE))
    worker = a_worker()
    for wait in SCHEDULE:
        await tried(worker, pool)
        row = await pool.fetchrow("select extract(epoch from due_at - now()) from webhook_lanes")
        assert wait * 0.8 - PATIENCE < row[0] <= wait * 1.2
        await due_now(pool)
    assert await states(pool) == ["pending", "pending"]
    assert {name for _, name in receiver.events()} == {"account.sessions.create"}
    receiver.replies.append(Reply(500))
    receiver.always = Reply()
    await tried(worker, pool)
    assert await states(pool) == ["failed", "delivered"]
    assert len(receiver.received) == len(SCHEDULE) + 2
    assert len({id_ for id_, _ in receiver.received}) == 2
    [failed] = await webhooks.page_deliveries(pool, "shop", "one", states=["failed"], before=None, most=9)
    assert (failed.attempts, failed.last_status, failed.last_fault) == (10, 500, "it answered 500")
    assert await webhooks.replay(pool, "shop", "one", [failed.event_id]) == 1
    await tried(worker, pool)
    assert receiver.taken[-1] == str(failed.event_id)
    assert await states(pool) == ["delivered", "delivered"]


async def test_a_receiver_away_for_three_days_loses_nothing(
    pool: Pool, settings: Settings, project: Any, a_worker: Make
):
    """Its port is closed meanwhile, and users go on acting. Those who wait cost no attempts, and come in order."""
    async with Receiver(port=free_port()) as receiver:
        receiver.secret = await opened(pool, settings, "one", receiver.url)
    users, worker = [f"user-{number}" for number in range(3)], a_worker()
    for hour in range(0, 72, 3):
        if hour % 12 == 0:
            await happened(pool, *[(user, Event.SESSION_CREATE) for user in users])
        await tried(worker, pool)
        await _pass(pool, hours=3)
    rows = await pool.fetch("select user_id, attempts, last_fault from webhook_deliveries where attempts > 0")
    assert sorted(row["user_id"] for row in rows) == users
    assert max(row["attempts"] for row in rows) <= len(SCHEDULE)
    assert {row["last_fault"] for row in rows} == {"it can't be reached"}
    async with Receiver(receiver.secret, port=receiver.port) as back:
        while "pending" in await states(pool):
            await tried(worker, pool)
            await _pass(pool, hours=3)
        rows = await pool.fetch("select number, event_id, user_id from webhook_deliveries where state = 'delivered'")
        await worker.delivery.client.close()
    numbers = {str(row["event_id"]): row["number"] for row in rows}
    assert sorted(back.taken) == sorted(numbers), "each once"
    for user in users:
        came = [numbers[event_id] for event_id, each in back.received if each["data"]["userId"] == user]
        assert (came, len(came)) == (sorted(came), 6)
    assert (await pool.fetchrow("select status, failing_since from webhook_endpoints"))[:] == ("enabled", None)


async def _pass(pool: Pool, *, hours: int) -> None:
    """Let so many hours pass for webhooks."""
    for place in ("webhook_lanes set due_at = due_at", "webhook_endpoints set failing_since = failing_since"):
        await pool.execute(f"update {place} - make_interval(hours => $1)", hours)


async def test_five_days_of_failure_disable_it(
    pool: Pool, receiver: Receiver, a_worker: Make, caplog: pytest.LogCaptureFixture
):
    """With an error for the operator; a success between begins the count anew."""
    receiver.always = Reply(500)
    await happened(pool, ("ann", Event.SESSION_CREATE))
    worker = a_worker()
    shift = "update webhook_endpoints set failing_since = failing_since - interval '4 days 23 hours'"
    for _ in range(2):
        await tried(worker, pool)
        await pool.execute(shift)
        await due_now(pool)
    assert (await pool.fetchrow("select status from webhook_endpoints"))[0] == "enabled"
    await tried(worker, pool)
    row = await pool.fetchrow("select status, reason, disabled_at is not null from webhook_endpoints")
    assert tuple(row) == ("disabled", "it has failed for 5 days", True)
    [told] = [record for record in caplog.records if getattr(record, "event", "") == "webhook.disabled"]
    assert (told.levelname, told.__dict__["webhook"]) == ("ERROR", "one")
    receiver.always = Reply()
    await webhooks.enable(pool, "shop", "one")
    await tried(worker, pool)
    assert (await pool.fetchrow("select failing_since from webhook_endpoints"))[0] is None


async def test_gone_disables_at_once_and_replay_brings_what_was_missed(pool: Pool, receiver: Receiver, a_worker: Make):
    """Owed events wait, later ones are in the feed alone; a replay posts both, under the ids of the feed."""
    receiver.replies.append(Reply(410))
    began = datetime.now(UTC) - timedelta(seconds=1)
    await happened(pool, ("ann", Event.SESSION_CREATE))
    worker = a_worker()
    await tried(worker, pool)
    await happened(pool, ("bob", Event.SESSION_CREATE))
    await worker.dispatch()
    assert (await states(pool), len(receiver.received)) == (["pending"], 1)
    await webhooks.enable(pool, "shop", "one")
    await tried(worker, pool)
    assert len(receiver.received) == 2
    until_ = datetime.now(UTC) + timedelta(seconds=1)
    assert await webhooks.replay_since(pool, "shop", "one", since=began, until=until_) == 2
    assert await webhooks.replay_since(pool, "shop", "one", since=began, until=until_) == 0, "both are pending"
    await tried(worker, pool)
    filed = [str(row[0]) for row in await pool.fetch("select id from feed_events order by number")]
    assert (sorted(receiver.taken), await states(pool)) == (sorted([*filed, filed[0]]), ["delivered", "delivered"])


async def test_the_operator_sees_what_fails(pool: Pool, settings: Settings, receiver: Receiver, a_worker: Make):
    """By state, with the seconds for which something has been due; of ended deliveries those of some days are kept."""
    await opened(pool, settings, "two", receiver.url, ["users.*"])
    receiver.always = Reply(500)
    await happened(pool, ("ann", Event.SESSION_CREATE))
    await tried(a_worker(), pool)
    await webhooks.disable(pool, "shop", "two", reason=webhooks.BY_OPERATOR)
    await pool.execute("update webhook_lanes set due_at = now() - interval '90 s'")
    found = {each.id: (each.state, each.overdue >= 90) for each in await webhooks.list_states(pool)}
    assert found == {"one": ("failing", True), "two": ("disabled", False)}
    receiver.always = Reply()
    await happened(pool, ("bob", Event.SESSION_CREATE))
    await tried(a_worker(), pool)
    await pool.execute("update webhook_deliveries set ended_at = now() - interval '31 days' where user_id = 'bob'")
    assert await webhooks.delete_old(pool, days=30, most=9) == 1
    assert await pool.fetch("select from webhook_lanes") == []
    assert await states(pool) == ["delivered"]


async def _blocked_or_done(pool: Pool, task: asyncio.Task[Any]) -> None:
    """Wait until a task has ended, or its statement waits for another's lock."""

    async def blocked() -> bool:
        waits = "select count(*) > 0 as waits from pg_stat_activity where cardinality(pg_blocking_pids(pid)) > 0"
        row = await pool.fetchrow(waits)
        return task.done() or row["waits"]

    await until(blocked)


async def test_tidying_takes_no_lane_that_is_owed_something_meanwhile(pool: Pool, receiver: Receiver, a_worker: Make):
    """An event is filed while the idle lanes are deleted: it is delivered, and the lane counts rightly."""
    worker = a_worker()
    await happened(pool, ("ann", Event.SESSION_CREATE))
    await tried(worker, pool)
    async with unit_of_work(pool, None) as tx:
        await events.record(tx, "shop", event=Event.SESSION_DELETE, user_id="ann", by=BY)
    async with transaction(pool, "shop") as tx:
        await event_feed.append(tx, await events.dequeue(tx, "shop", most=9))
        tidying = asyncio.create_task(webhooks.delete_old(pool, days=30, most=9))
        await _blocked_or_done(pool, tidying)
    await tidying
    await tried(worker, pool)
    assert await states(pool) == ["delivered", "delivered"]


async def test_tidying_takes_no_delivery_that_is_replayed_meanwhile(pool: Pool, receiver: Receiver, a_worker: Make):
    """It is old and is to be posted once more: it stays, and its user's next event comes after it."""
    worker = a_worker()
    await happened(pool, ("ann", Event.SESSION_CREATE))
    await tried(worker, pool)
    await pool.execute("update webhook_deliveries set ended_at = now() - interval '31 days'")
    row = await pool.fetchrow("select event_id from webhook_deliveries")
    async with transaction(pool, "shop") as tx:
        assert await webhooks.replay(tx, "shop", "one", [row["event_id"]]) == 1
        tidying = asyncio.create_task(webhooks.delete_old(pool, days=30, most=9))
        await _blocked_or_done(pool, tidying)
    await tidying
    await happened(pool, ("ann", Event.SESSION_DELETE))
    await tried(worker, pool)
    assert await states(pool) == ["delivered", "delivered"]
    assert len(receiver.taken) == 3


async def test_a_replay_of_a_time_has_all_of_it(pool: Pool, receiver: Receiver):
    """Several batches are: from its beginning, without its end, and events that were filed long after the next ones."""
    await pool.execute(
        "insert into feed_events (project_id, number, id, name, user_id, at)"
        " select 'shop', n, gen_random_uuid(), 'session.create', 'ann',"
        " '2026-01-02'::timestamptz - n / 2 * interval '1 second'"
        " from generate_series(1, 1300) n"
    )
    second = timedelta(seconds=1)
    end = datetime(2026, 1, 2, tzinfo=UTC)
    assert await webhooks.replay_since(pool, "shop", "one", since=end - 600 * second, until=end - 50 * second) == 1100
    row = await pool.fetchrow("select min(number), max(number), count(*) from webhook_deliveries")
    assert tuple(row) == (102, 1201, 1100)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3600", 3600), ("a date", 18_000),
        ("9" * 9, 86_400), ("soon", 5), ("-1", 5), ("1e9", 5), ("Mon, 01 Jan 1900 00:00:00 GMT", 5), ("9" * 30, 5),
    ],
)  # fmt: skip
async def test_a_webhook_may_ask_to_wait(pool: Pool, receiver: Receiver, a_worker: Make, header: str, seconds: int):
    """Retry-After is obeyed, up to a day; whatever is none is none."""
    if header == "a date":
        header = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    receiver.always = Reply(503, {"Retry-After": header})
    await happened(pool, ("ann", Event.SESSION_CREATE))
    await tried(a_worker(), pool)
    row = await pool.fetchrow("select extract(epoch from due_at - now()) from webhook_lanes")
    assert seconds * 0.8 - PATIENCE < row[0] <= max(6, seconds)


async def test_a_slow_webhook_holds_no_other(pool: Pool, settings: Settings, receiver: Receiver, a_worker: Make):
    """One hangs with more than a worker posts to it at a time; the other gets all. A hanging one is not waited for."""
    async with Receiver(always=Reply(hang=True)) as slow:
        slow.secret = await opened(pool, settings, "slow", slow.url)
        acts = [(f"user-{number}", Event.SESSION_CREATE) for number in range(40)]
        await happened(pool, *acts)
        worker = a_worker(patience=0.5)
        running = asyncio.create_task(worker.run())
        await receiver.wait_for(40)
        await until(lambda: len(slow.received) >= 8)
        assert len(slow.taken) == 0

        async def given_up() -> bool:
            row = await pool.fetchrow(
                "select count(*) from webhook_deliveries where attempts > 0 and state = 'pending'"
            )
            return row[0] >= 8

        await until(given_up)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        found = await webhooks.page_deliveries(pool, "shop", "slow", states=None, before=None, most=50)
        assert {each.last_fault for each in found if each.attempts} == {"it gave no answer in time"}


@pytest.mark.parametrize(
    ("reply", "status", "fault"),
    [
        (Reply(307, {"Location": "/elsewhere"}), 307, "it redirects"), (Reply(200, size=10_000_000), 200, ""),
        (Reply(500, size=10_000_000), 500, "it answered 500"), (Reply(404), 404, "it answered 404"),
    ],
)  # fmt: skip
async def test_what_a_webhook_answers_is_not_read(receiver: Receiver, reply: Reply, status: int, fault: str):
    """Ten megabytes, an error page, a redirect: its status alone counts, and no redirect is followed."""
    receiver.always = reply
    client = WebhookClient(HERE)
    secret = webhook_signatures.generate()
    receiver.secret = secret.reveal()
    answer = await client.post(receiver.url, uuid4(), b"{}", [secret])
    await client.close()
    assert (answer.status, answer.fault, len(receiver.received)) == (status, fault, 1)


async def _drip(writer: asyncio.StreamWriter) -> None:
    for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 1000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


async def _endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: " + b"x" * 4000 + b"\r\n")
        await writer.drain()


async def _half(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 O")


async def _half_of_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf of")


async def _reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


@pytest.mark.parametrize(
    ("misbehave", "status", "fault"),
    [
        (_drip, None, "it gave no answer in time"), (_endless, None, "the exchange failed"),
        (_half, None, "the exchange failed"), (_reset, None, "the exchange failed"), (_half_of_body, 200, ""),
    ],
)  # fmt: skip
async def test_a_webhook_that_does_not_speak_properly(misbehave: Any, status: int | None, fault: str):
    """Byte by byte, without an end, closed half-way: bounded time and memory, and without a status not taken."""
    handling: list[asyncio.Task[Any]] = []

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handling.append(asyncio.current_task())
        await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            await misbehave(writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    patience = 0.5 if misbehave is _drip else PATIENCE
    client = WebhookClient(HERE, patience)
    answer = await client.post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", uuid4(), b"{}", [])
    await client.close()
    await asyncio.gather(*handling)
    server.close()
    assert answer.status == status
    assert answer.fault.startswith(fault) if fault else not answer.fault


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "[::]"]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_inside_address_is_reached(receiver: Receiver, host: str, scheme: str):
    """By name or literal, in whatever way it is written: refused when it is dialled."""
    port = receiver.url.split(":")[2].split("/")[0]
    client = WebhookClient((ip_network("10.0.0.0/8"),))
    answer = await client.post(f"{scheme}://{host}:{port}/", uuid4(), b"{}", [])
    await client.close()
    assert (answer.status, receiver.signatures) == (None, [])
    assert answer.fault in ("its address is not public", "its host name can't be resolved", "its URL can't be used")


@pytest.mark.timeout(120)
async def test_a_killed_worker_loses_nothing(
    pool: Pool, environment: dict[str, str], receiver: Receiver, redis: Any, tmp_path: Path
):
    """Killed after the webhook's yes and before the mark: posted once more under one id, then the rest, in order."""
    acts = [Event.SESSION_CREATE, Event.NAME_UPDATE, Event.SESSION_DELETE]
    for event in acts:
        async with unit_of_work(pool, None) as tx:
            for user_id in ("ann", "bob"):
                await events.record(tx, "shop", event=event, user_id=user_id, by=BY)
    setting = environment | {"WEBHOOK_NETWORKS": "127.0.0.0/8", "WORKER_STATE": str(tmp_path / "state")}
    armed = setting | {"FAILPOINTS": "db.end_webhook_delivery.before:exit:2"}
    async with processes.worker(armed, heartbeat=tmp_path / "alive") as dying:
        assert await asyncio.wait_for(dying.process.wait(), PATIENCE) == 137
    async with processes.worker(setting, heartbeat=tmp_path / "alive"):

        async def delivered() -> bool:
            return await states(pool) == ["delivered"] * 6

        await until(delivered)
    first = dict(receiver.received)
    assert len(first) == 6
    seen = [(payload["data"]["userId"], payload["type"]) for payload in first.values()]
    assert [name for user, name in seen if user == "ann"] == acts
    assert [name for user, name in seen if user == "bob"] == acts
