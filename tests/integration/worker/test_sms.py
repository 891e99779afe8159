"""SMS from the request to the webhook: signed, repeated where the webhook fails, never lost, sent few times."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from service import failpoints
from service.crypto.secret import Secret
from service.db import Pool, PostgresGone
from service.settings import Settings
from service.store import invitations, sms, tokens
from service.store.tokens import Kind
from service.store.unit_of_work import unit_of_work
from testkit import processes
from testkit.api import Api
from testkit.patience import PATIENCE
from testkit.phones import ANN, BOB
from testkit.sink import make_certificate, server_context
from testkit.sms_sink import Reply, SmsSink, allow
from testkit.visitor import change_project
from testkit.waiting import until
from worker.concurrency import DeliverySlots
from worker.metrics import Metrics
from worker.sms import webhook as webhooks
from worker.sms.delivery import MOST_SENDS, SmsDelivery
from worker.sms.poller import SmsPoller
from worker.sms.webhook import Webhook, sender_of

Make = Callable[..., SmsDelivery]
pytestmark = pytest.mark.usefixtures("disarmed")


@pytest.fixture
async def sink(settings: Settings) -> AsyncIterator[SmsSink]:
    async with SmsSink(settings.key_ring) as sink:
        yield sink
    assert sink.faults == []


@pytest.fixture
async def a_worker(pool: Pool, settings: Settings, sink: SmsSink, project: Any) -> AsyncIterator[Make]:
    """Makes workers on the same Postgres and sink."""
    await allow(pool, "+49")
    made: list[SmsDelivery] = []

    def make(url: str | None = None, *, name: str = "one") -> SmsDelivery:
        sender = sender_of(sink.url if url is None else url, settings.key_ring)
        made.append(SmsDelivery(pool, sender, settings.key_ring, name, DeliverySlots(10), Metrics()))
        return made[-1]

    yield make
    for worker in made:
        if worker.sender:
            await worker.sender.close()


async def asked(pool: Pool, settings: Settings, *, phone: str = ANN, locale: str = "en", seconds: int = 600) -> UUID:
    """Owe a code that signs in, as POST /account/tokens/phone does."""
    async with unit_of_work(pool, None) as tx:
        token = await tokens.issue(
            tx, "shop", kind=Kind.PHONE_LOGIN, email=phone, requested_user_id="ann", kid=next(iter(settings.key_ring)),
            seconds=seconds,
        )  # fmt: skip
        return await sms.enqueue(tx, token, locale=locale)


async def state(pool: Pool, sms_id: UUID) -> tuple[str, int, str | None]:
    row = await pool.fetchrow("select state, sends, last_fault from sms where id = $1", sms_id)
    return row["state"], row["sends"], row["last_fault"]


async def due_now(pool: Pool) -> None:
    await pool.execute("update sms set due_at = now() - interval '5 s' where state in ('pending', 'sending')")


async def test_an_sms_goes_to_the_webhook_once(pool: Pool, settings: Settings, sink: SmsSink, a_worker: Make):
    """With its id, number, text, kind and project; the code comes first, and a browser may fill it in."""
    await pool.execute("insert into platforms (project_id, hostname) values ('shop', 'shop.example.com')")
    sms_id = await asked(pool, settings)
    await a_worker().deliver(sms_id)
    await a_worker(name="two").deliver(sms_id)
    [message] = sink.received
    code = message["text"][:6]
    assert message == {
        "id": str(sms_id), "to": ANN, "kind": "phone_login", "project": "shop",
        "text": f"{code} is your Shop code.\n\n@shop.example.com #{code}",
    }  # fmt: skip
    assert await state(pool, sms_id) == ("sent", 1, None)


async def test_the_text_is_in_the_readers_language(pool: Pool, settings: Settings, sink: SmsSink, a_worker: Make):
    """A long name is cut, a line break in it is none."""
    await pool.execute("update projects set name = $1", "Ein sehr langer Name eines\nGeschäfts in Berlin")
    await a_worker().deliver(await asked(pool, settings, locale="de-AT"))
    text = sink.taken[0]["text"]
    assert text[6:] == " ist Ihr Code für Ein sehr langer Name eines Ge…."


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_failed_attempt_is_repeated(pool: Pool, settings: Settings, sink: SmsSink, a_worker: Make, status: int):
    """Under the same id, and it counts as not sent: the webhook said so."""
    sink.script(Reply(status), Reply(status), Reply(status), Reply(status))
    sms_id, worker = await asked(pool, settings), a_worker()
    for _ in range(4):
        await worker.claim_and_send(sms_id)
        assert await state(pool, sms_id) == ("pending", 0, "the webhook failed")
        await due_now(pool)
    await worker.claim_and_send(sms_id)
    assert await state(pool, sms_id) == ("sent", 1, None)
    assert {message["id"] for message in sink.received} == {str(sms_id)}
    assert len({message["text"] for message in sink.received}) == 1


async def test_a_refusal_is_final(pool: Pool, settings: Settings, sink: SmsSink, a_worker: Make):
    """400 and the like: the number is none, or the provider refuses it. A redirect is none of ours to follow."""
    for reply in (Reply(400), Reply(307, headers={"Location": sink.url})):
        sink.script(reply)
        sms_id = await asked(pool, settings)
        await a_worker().deliver(sms_id)
        assert (await state(pool, sms_id))[0] == "failed"
    assert sink.taken == []


async def test_a_webhook_may_ask_to_wait(pool: Pool, settings: Settings, sink: SmsSink, a_worker: Make):
    """429 with Retry-After: no SMS is sent before; the SMS is not failed."""
    sink.script(Reply(429, headers={"Retry-After": "60"}))
    first, second, worker = await asked(pool, settings), await asked(pool, settings), a_worker()
    await worker.deliver(first)
    assert worker.sender is not None
    assert not worker.sender.is_open()
    await worker.deliver(second)
    assert len(sink.received) == 1
    assert await state(pool, first) == ("pending", 0, "the webhook asked to wait")


@pytest.mark.parametrize("header", ["soon", "-1", "1e9", "9" * 30, "٣"])
async def test_a_bad_retry_after_is_none(pool: Pool, settings: Settings, sink: SmsSink, a_worker: Make, header: str):
    """The SMS waits for its next attempt, and no longer than two minutes."""
    sink.script(Reply(429, headers={"Retry-After": header}))
    sms_id, worker = await asked(pool, settings), a_worker()
    await worker.deliver(sms_id)
    await due_now(pool)
    assert worker.sender is not None
    assert worker.sender.is_open()
    await worker.deliver(sms_id)
    assert (await state(pool, sms_id))[0] == "sent"


@pytest.mark.parametrize("action", ["hang", "drop"])
async def test_without_an_answer_it_is_sent_three_times_at_most(  # noqa: PLR0917 - pytest passes them by name
    pool: Pool, settings: Settings, sink: SmsSink, a_worker: Make, monkeypatch: pytest.MonkeyPatch, action: Any
):
    """The webhook may have taken it: after the third time it is failed, and says why."""
    monkeypatch.setattr(webhooks, "PATIENCE", 0.5)
    sink.always = Reply(action=action)
    sms_id, worker = await asked(pool, settings), a_worker()
    for sends in range(1, MOST_SENDS + 1):
        await worker.claim_and_send(sms_id)
        assert (await state(pool, sms_id))[:2] == ("pending", sends)
        await due_now(pool)
    await worker.claim_and_send(sms_id)
    assert await state(pool, sms_id) == ("failed", MOST_SENDS + 1, "it may have arrived 3 times")
    assert len(sink.received) == MOST_SENDS


async def test_a_webhook_that_is_away_costs_no_send(pool: Pool, settings: Settings, a_worker: Make):
    """Connection refused, again and again: the SMS waits until its code expires."""
    sms_id, worker = await asked(pool, settings), a_worker("http://127.0.0.1:9/sms")
    for _ in range(4):
        await worker.claim_and_send(sms_id)
        assert await state(pool, sms_id) == ("pending", 0, "it can't be reached")
        await due_now(pool)
    await pool.execute("update sms set deadline_at = now()")
    await worker.claim_and_send(sms_id)
    assert (await state(pool, sms_id))[0] == "expired"


async def test_a_wrong_certificate_gets_no_code(pool: Pool, settings: Settings, a_worker: Make, tmp_path: Path):
    """Nothing is sent to a host whose certificate is not to be trusted."""
    certificate, key = make_certificate(
        tmp_path / "tls", names="DNS:localhost", start="20200101000000Z", end="20400101000000Z"
    )
    async with SmsSink(settings.key_ring, tls=server_context(certificate, key)) as other:
        sms_id = await asked(pool, settings)
        await a_worker(other.url).claim_and_send(sms_id)
        assert other.received == []
    assert await state(pool, sms_id) == ("pending", 0, "its certificate or encryption is not to be trusted")


async def test_a_dead_webhook_is_left_alone_and_tried_again(
    pool: Pool, settings: Settings, sink: SmsSink, a_worker: Make, caplog: pytest.LogCaptureFixture
):
    """After five failures in a row none is sent for ten seconds; then one SMS tries, and opens the way for the rest."""
    sink.always = Reply(500)
    waiting, worker = [await asked(pool, settings) for _ in range(7)], a_worker()
    for sms_id in waiting:
        await worker.deliver(sms_id)
    assert len(sink.received) == 5
    assert isinstance(worker.sender, Webhook)
    assert worker.sender.state == "open"
    assert [record.event for record in caplog.records if record.levelno == logging.ERROR] == ["sms.webhook_away"]
    sink.always = None
    worker.sender._breaker.probe_at -= 60  # the time has passed
    await due_now(pool)
    for sms_id in waiting:
        await worker.deliver(sms_id)
    assert len(sink.taken) == 7
    assert worker.sender.state == "closed"


async def test_an_expired_sms_ends_without_a_sender(pool: Pool, settings: Settings, a_worker: Make):
    """A worker without SMS_URL leaves the others to one that has it."""
    late, waiting = await asked(pool, settings), await asked(pool, settings)
    await pool.execute("update sms set deadline_at = now() where id = $1", late)
    await due_now(pool)
    await SmsPoller(pool, a_worker("")).poll_due()
    assert (await state(pool, late))[0] == "expired"
    assert (await state(pool, waiting))[:2] == ("pending", 0)


async def test_a_lost_job_is_found_by_polling(pool: Pool, settings: Settings, sink: SmsSink, a_worker: Make):
    """Redis may lose jobs: the row is due."""
    sms_id = await asked(pool, settings)
    await due_now(pool)
    poller = SmsPoller(pool, a_worker())
    await poller.poll_due()
    for task in [*poller.deliveries.values()]:
        await task
    assert (await state(pool, sms_id))[0] == "sent"
    assert len(sink.taken) == 1


async def test_a_lease_that_ran_out_is_taken_over(pool: Pool, settings: Settings, sink: SmsSink, a_worker: Make):
    """Its worker died between the webhook's yes and the mark: sent once more under the same id, and no more."""
    sms_id = await asked(pool, settings)
    assert await sms.claim(pool, "shop", sms_id, worker="dead", lease=30)
    await a_worker().deliver(sms_id)
    assert sink.received == []
    await due_now(pool)
    await a_worker().deliver(sms_id)
    assert await state(pool, sms_id) == ("sent", 2, None)
    assert len(sink.taken) == 1


@pytest.mark.parametrize(
    ("trap", "received"),
    [("db.claim_sms.after", 1), ("sms.webhook.before", 1), ("sms.webhook.after", 2), ("db.finish_sms.before", 2)],
)
async def test_a_killed_worker_loses_no_sms(  # noqa: PLR0917 - pytest passes them by name
    pool: Pool,
    settings: Settings,
    sink: SmsSink,
    environment: dict[str, str],
    project: Any,
    redis: Any,
    tmp_path: Path,
    trap: str,
    received: int,
):
    """Killed before the webhook's yes: sent once. Killed before the mark: twice, under one id."""
    await allow(pool, "+49")
    sms_id = await asked(pool, settings)
    await due_now(pool)
    setting = environment | {"SMS_URL": sink.url, "WORKER_STATE": str(tmp_path / "state")}
    armed = setting | {"FAILPOINTS": f"{trap}:exit"}
    async with processes.worker(armed, heartbeat=tmp_path / "alive") as dying:
        assert await asyncio.wait_for(dying.process.wait(), PATIENCE) == 137
    async with processes.worker(setting, heartbeat=tmp_path / "alive") as second:

        async def sent() -> bool:
            return (await state(pool, sms_id))[0] == "sent"

        await until(sent, what="the SMS is not sent")
        lines = "".join(dying.lines + second.lines)
    assert [message["id"] for message in sink.received] == [str(sms_id)] * received
    assert (await state(pool, sms_id))[1] == 2
    assert sink.codes()[0] not in lines


async def test_f02_claims_of_an_sms_without_an_answer_are_no_sends(
    pool: Pool, settings: Settings, sink: SmsSink, a_worker: Make
):
    """Each counted, and nothing was handed over: the next round takes it back, oftener than an SMS may be sent."""
    sms_id, worker = await asked(pool, settings), a_worker()
    poller = SmsPoller(pool, worker)
    for _ in range(MOST_SENDS + 1):
        failpoints.arm("db.claim_sms.after:raise:1")
        with pytest.raises(PostgresGone):
            await worker.deliver(sms_id)
        assert (await state(pool, sms_id))[:2] == ("sending", 1)
        await worker.deliver(sms_id)
        assert (await state(pool, sms_id))[:2] == ("sending", 1), "while it is in doubt nobody here claims it again"
        await poller.poll_due()
        assert (await state(pool, sms_id))[:2] == ("pending", 0)
    await worker.deliver(sms_id)
    assert await state(pool, sms_id) == ("sent", 1, None)
    assert len(sink.received) == 1


async def test_f02_a_claim_of_an_sms_that_did_not_count_is_no_harm(
    pool: Pool, settings: Settings, sink: SmsSink, a_worker: Make
):
    """The connection was lost before: the row is as it was, and another worker, which may have it, keeps it."""
    sms_id, worker = await asked(pool, settings), a_worker()
    failpoints.arm("db.claim_sms.before:raise:1")
    with pytest.raises(PostgresGone):
        await worker.deliver(sms_id)
    assert await sms.claim(pool, "shop", sms_id, worker="two", lease=30)
    await worker.attempts.release_unconfirmed()
    assert (await state(pool, sms_id))[:2] == ("sending", 1)
    assert not worker.attempts.claims.unconfirmed


async def test_f02_a_send_of_an_earlier_attempt_stays_counted(
    pool: Pool, settings: Settings, sink: SmsSink, a_worker: Make
):
    """One in hand waits until it has ended; one that could not be recorded may have reached the phone."""
    sms_id, worker = await asked(pool, settings), a_worker()
    attempts = worker.attempts
    claim = await attempts.claim(sms_id)
    assert claim
    attempts.claims.unconfirmed.add(sms_id)
    with attempts.holding(claim):
        await attempts.release_unconfirmed()
        assert attempts.claims.unconfirmed == {sms_id}
    with pytest.raises(PostgresGone), attempts.holding(claim):
        raise PostgresGone
    await attempts.release_unconfirmed()
    assert (await state(pool, sms_id))[:2] == ("sending", 1)
    await due_now(pool)
    await worker.deliver(sms_id)
    assert await state(pool, sms_id) == ("sent", 2, None)
    assert (attempts.held, attempts.unrecorded, attempts.claims.unconfirmed) == (set(), set(), set())


async def test_a_late_outcome_changes_nothing(pool: Pool, settings: Settings, sink: SmsSink, a_worker: Make):
    """The fence: a worker whose lease another one has taken over can't fail or repeat the SMS."""
    sms_id = await asked(pool, settings)
    slow = await sms.claim(pool, "shop", sms_id, worker="slow", lease=30)
    assert slow
    await due_now(pool)
    await a_worker().deliver(sms_id)
    assert not await sms.finish(pool, slow, state="failed", fault="late")
    assert not await sms.reschedule(pool, slow, seconds=0, unsent=True, code=None, fault="late")
    assert (await state(pool, sms_id))[0] == "sent"


@pytest.mark.parametrize(
    ("change", "ended"),
    [
        ("delete from tokens", ("cancelled", "its code was used or made void")),
        ("update tokens set attempts = 5", ("cancelled", "its code was used or made void")),
        ("update projects set sms_countries = '{+43}'", ("failed", "the project sends no SMS to such numbers")),
        ("update users set status = 'blocked'", ("void", "the account of this number is blocked")),
    ],
)
async def test_what_is_of_no_use_is_not_sent(  # noqa: PLR0917 - pytest passes them by name
    pool: Pool, settings: Settings, sink: SmsSink, a_worker: Make, change: str, ended: tuple[str, str]
):
    """Whatever happened between the request and the send."""
    await pool.execute(
        "insert into users (project_id, id, name, phone, phone_verified_at, phone_by_holder)"
        f" values ('shop', 'ann', '', '{ANN}', now(), true)"
    )
    sms_id = await asked(pool, settings)
    await pool.execute(change)
    await a_worker().deliver(sms_id)
    found = await state(pool, sms_id)
    assert (found[0], found[2]) == ended
    assert sink.received == []


async def test_no_code_is_in_the_log_or_in_postgres(
    pool: Pool, settings: Settings, sink: SmsSink, a_worker: Make, caplog: pytest.LogCaptureFixture
):
    """Nor the webhook's address, which may hold a secret, nor the number."""
    caplog.set_level(logging.DEBUG)
    sink.script(Reply(500), Reply(429))
    sms_id, worker = await asked(pool, settings), a_worker()
    for _ in range(3):
        await due_now(pool)
        await worker.claim_and_send(sms_id)
    [code] = sink.codes()
    ours = [record for record in caplog.records if record.name.startswith(("worker", "service"))]
    assert ours
    text = "\n".join(str(record.__dict__) for record in ours)
    rows = "\n".join(str(dict(row)) for row in await pool.fetch("select s.*, t.* from sms s, tokens t"))
    for secret in (code, "of-the-operator"):
        assert secret not in text
        assert secret not in rows
    assert ANN not in text


async def test_hardly_any_used_code_is_told(
    pool: Pool, settings: Settings, a_worker: Make, caplog: pytest.LogCaptureFixture
):
    """Fewer than ten of a project's last hundred SMS: numbers that nobody signs in with are a sign of toll fraud."""
    add = (
        "insert into sms (project_id, id, kind, token_id, recipient, locale, state, deadline_at, used_at)"
        " select 'shop', gen_random_uuid(), 'phone_login', n::text, '+491', 'en', 'sent', now() - interval '1 s',"
        " case when n <= $1 then now() end from generate_series(1, 100) n"
    )
    poller = SmsPoller(pool, a_worker())
    for used, told in ((10, 0), (9, 1)):
        await pool.execute("delete from sms")
        await pool.execute(add, used)
        caplog.clear()
        await poller.watch()
        found = [record for record in caplog.records if getattr(record, "event", "") == "sms.low_conversion"]
        assert len(found) == told


async def test_the_log_of_a_developer(pool: Pool, settings: Settings, a_worker: Make, caplog: pytest.LogCaptureFixture):
    """`log:` writes the whole SMS into the worker's log."""
    caplog.set_level(logging.INFO)
    await a_worker("log:").deliver(await asked(pool, settings))
    [line] = [record for record in caplog.records if getattr(record, "event", "") == "sms.logged"]
    assert line.to == ANN
    assert line.text.endswith(" is your Shop code.")


@pytest.mark.parametrize("rule", ["closed", "domains", "invitation"])
async def test_strangers_get_no_sms_that_could_make_an_account(
    pool: Pool, sms_api: Api, sink: SmsSink, a_worker: Make, rule: str
):
    """The request is answered with the same 201 for every number; the webhook hears only of those with an account."""
    await pool.execute(
        "insert into users (project_id, id, name, phone, phone_verified_at, phone_by_holder)"
        " values ('shop', 'ann', 'Ann', $1, now(), true)",
        ANN,
    )
    await change_project(sms_api, sign_up=rule)
    answers = []
    for number in (ANN, BOB):
        body = {"userId": "unique()", "phone": number}
        answer = await sms_api.call("POST", "/v1/account/tokens/phone", json=body, modern=True)
        answers.append((answer.status, answer.data.keys()))
    for row in await pool.fetch("select id from sms"):
        await a_worker().deliver(row[0])
    assert answers[0] == answers[1]
    assert answers[0][0] == 201
    assert [each["to"] for each in sink.received] == [ANN]
    assert {tuple(row) for row in await pool.fetch("select recipient, state from sms")} == {
        (ANN, "sent"),
        (BOB, "void"),
    }


async def test_a_code_goes_to_a_number_with_an_invitation(
    pool: Pool, settings: Settings, sink: SmsSink, a_worker: Make
):
    """That of the request: as long as a place is left when the worker sends it."""
    await pool.execute("update projects set sign_up = 'invitation'")
    made = await invitations.create(pool, "shop", code=Secret("x"), note="", seconds=60)
    for state_then in ("sent", "void"):
        sms_id = await asked(pool, settings, phone=BOB)
        await pool.execute("update tokens set invitation_id = $1", made.id)
        await a_worker().deliver(sms_id)
        assert (await state(pool, sms_id))[0] == state_then
        await invitations.use(pool, "shop", invitation_id=made.id)
