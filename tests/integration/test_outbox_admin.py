"""The outbox as people see it: reasons in words, masked addresses, and who may still be sent."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from service import ids
from service.db import Pool
from service.store import outbox, outbox_admin, outbox_leases, projects, tokens, users
from service.store.outbox_admin import MailFilter, MemberMail
from service.store.outbox_leases import Lease
from service.store.tokens import Kind
from service.store.unit_of_work import unit_of_work
from testkit.outbox import claim as claim_mail

ANN = "ann@example.com"
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def own(state: str, code: int | None = None, fault: str | None = None, stage: str = "") -> MemberMail:
    return MemberMail(ids.new_uuid(), "recovery", ANN, state, 1, NOW, NOW, stage, code, fault)


async def posted(pool: Pool, **changes: Any) -> UUID:
    """A verification for ann as the API posts it, with columns changed afterwards."""
    async with unit_of_work(pool, None) as tx:
        token = await tokens.issue(
            tx, "shop", kind=Kind.VERIFICATION, email=ANN, kid="test", seconds=3600, user_id="ann", email_version=1
        )
        mail = await outbox.enqueue(
            tx, "shop", letter="verification", recipient=ANN, user_id="ann", locale="en", facts={},
            deadline_at=token.expires_at, sender="no-reply@accounts.test", token_id=token.id,
        )  # fmt: skip
    for column, value in changes.items():
        await pool.execute(f"update mails set {column} = $2 where id = $1", mail, value)
    return mail


@pytest.fixture(autouse=True)
async def ann(pool: Pool, project: projects.Project) -> users.User:
    return await users.create(pool, "shop", user_id="ann", email=ANN, name="Ann", password_hash=None)


@pytest.mark.parametrize(
    ("mail", "reason"),
    [
        (own("sent", 250), ""),
        (own("cancelled", 450, "rcpt: 4.7.1 greylisted"), ""),
        (own("pending"), ""),
        (own("sending"), ""),
        (own("pending", 450, "rcpt: 4.7.1 greylisted"), "delayed"),
        (own("sending", 0, "connect: no answer in time"), "delayed"),
        (own("pending", 452, "rcpt: 4.2.2 over quota"), "mailbox_full"),
        (own("expired", 0, "it could not be sent while it was of use"), "expired"),
        (own("expired", 552, "dot: 5.2.2 over quota"), "mailbox_full"),
        (own("failed", 550, "rcpt: 5.1.1 no such user"), "address_refused"),
        (own("failed", 550, "5.1.1 no such user", "rcpt"), "address_refused"),
        (own("failed", 550, "no such user", "rcpt"), "address_refused"),
        (own("failed", 550, "5.2.1 mailbox disabled", "dot"), "address_refused"),
        (own("failed", 0, "address: the recipient is not one plain address"), "address_refused"),
        (own("failed", 550, "5.7.1 refused by policy", "rcpt"), "mail_refused"),
        (own("failed", 554, "dot: 5.6.0 I don't like it"), "mail_refused"),
        (own("failed", None, "ours: TemplateError"), "not_possible"),
        (own("failed", None, None), "not_possible"),
    ],
)
def test_a_reason_is_one_word(mail: MemberMail, reason: str):
    """An app is told whose turn it is, never what a relay said; both spellings of a fault are understood."""
    assert mail.reason == reason


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (ANN, "a…@example.com"),
        ("x@y.z", "x…@y.z"),
        ("550 <ann.example+tag@example.com>: no such user", "550 <a…@example.com>: no such user"),
        ("ann@example.com and bob@example.org", "a…@example.com and b…@example.org"),
        ("no address", "no address"),
        ("", ""),
    ],
)
def test_addresses_are_masked_wherever_they_stand(text: str, shown: str):
    """A relay repeats the address in its refusal: there it is hidden too."""
    assert outbox_admin.mask_address(text) == shown


@pytest.mark.parametrize(
    ("changes", "verdict", "state"),
    [
        ({}, "done", "pending"),
        ({"due_at": NOW + timedelta(days=9999)}, "done", "pending"),
        ({"state": "failed", "ended_at": NOW}, "done", "pending"),
        ({"state": "cancelled", "ended_at": NOW}, "done", "pending"),
        ({"state": "expired", "ended_at": NOW}, "done", "pending"),
        ({"state": "expired", "deadline_at": NOW}, "late", "expired"),
        ({"state": "failed", "token_id": "gone"}, "dead_link", "failed"),
        ({"state": "failed", "token_id": None, "user_id": "gone"}, "no_account", "failed"),
        ({"state": "failed", "token_id": None}, "done", "pending"),
        ({"state": "sent"}, "sent", "sent"),
        ({"state": "void"}, "void", "void"),
        ({"state": "sending", "lease_by": "w", "due_at": NOW + timedelta(days=9999)}, "sending", "sending"),
        ({"state": "sending", "lease_by": "w", "due_at": NOW}, "done", "sending"),
    ],
)
async def test_who_may_be_tried_again(pool: Pool, changes: dict[str, Any], verdict: str, state: str):
    """A mail that is being sent or was sent is left alone; an ended one is retried while its link and deadline live."""
    mail = await posted(pool, **changes)
    async with unit_of_work(pool, None) as tx:
        (steered,) = await outbox_admin.retry(tx, [mail])
    row = await pool.fetchrow("select state, due_at <= now() as due, ended_at, lease_by, attempts from mails")
    told = [tuple(each) for each in await pool.fetch("select name, attempt from mail_events")]
    assert (steered.verdict, row["state"]) == (verdict, state)
    assert told == ([("retried", 0)] if verdict == "done" else [])
    if verdict == "done":
        assert (row["due"], row["ended_at"]) == (True, None)
    assert row["lease_by"] == changes.get("lease_by")


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "done"),
        ({"state": "sending", "lease_by": "w", "due_at": NOW}, "done"),
        ({"state": "sending", "lease_by": "w", "due_at": NOW + timedelta(days=9999)}, "sending"),
        *(({"state": ended, "ended_at": NOW}, ended) for ended in ("sent", "failed", "expired", "cancelled", "void")),
    ],
)
async def test_who_may_be_cancelled(pool: Pool, changes: dict[str, Any], verdict: str):
    """Only what nobody holds and nothing has ended; the state and its event come together."""
    mail = await posted(pool, **changes)
    (steered,) = await outbox_admin.cancel(pool, [mail])
    row = await pool.fetchrow("select state, ended_at, lease_by, last_fault from mails")
    told = [tuple(each) for each in await pool.fetch("select name, fault from mail_events")]
    assert steered.verdict == verdict
    if verdict == "done":
        assert (row["state"], row["lease_by"], row["ended_at"] is not None) == ("cancelled", None, True)
        assert told == [("cancelled", row["last_fault"])]
    else:
        assert (row["state"], told) == (verdict, [])


async def test_a_worker_that_lost_its_lease_sends_no_cancelled_mail(pool: Pool):
    """A worker that is back from a long sleep asks before DATA whether the mail is still its own: it is not."""
    mail = await posted(pool)
    claim = await claim_mail(pool, mail, worker="slow", lease=30)
    assert claim
    assert [each.verdict for each in await outbox_admin.cancel(pool, [mail])] == ["sending"]
    await pool.execute("update mails set due_at = now()")
    assert [each.verdict for each in await outbox_admin.cancel(pool, [mail])] == ["done"]
    assert await outbox_leases.renew(pool, [Lease(mail, claim.attempts)], worker="slow", lease=30) == []


async def test_a_row_in_a_workers_hand_is_passed_by(pool: Pool):
    """Whoever steers never waits for a worker, and never makes a worker wait in a circle; unknown ids are said so."""
    held, free = await posted(pool), await posted(pool)
    unknown = ids.new_uuid()
    async with pool.connection() as other, other.transaction():
        await other.execute("select from mails where id = $1 for update", held)
        async with unit_of_work(pool, None) as tx:
            steered = await outbox_admin.retry(tx, [held, unknown, free])
            assert tx.mails == [free]
    assert [(each.id, each.verdict) for each in steered] == [(held, "busy"), (unknown, "unknown"), (free, "done")]


async def test_a_choice_narrows(pool: Pool):
    """State, project, letter and age, alone and together; pages follow each other without a gap."""
    old = await posted(pool, created_at=datetime.now(UTC) - timedelta(hours=2))
    failed, new = await posted(pool, state="failed"), await posted(pool, letter="otp")

    async def chosen(choice: MailFilter, after: UUID | None = None, most: int = 10) -> list[UUID]:
        return [each.id for each in await outbox_admin.page(pool, choice, after=after, most=most)]

    assert await chosen(MailFilter()) == [new, failed, old]
    assert await chosen(MailFilter(), most=2) == [new, failed]
    assert await chosen(MailFilter(), after=failed) == [old]
    assert await chosen(MailFilter(states=["failed", "sent"])) == [failed]
    assert await chosen(MailFilter(letter="otp", project_id="shop", newer=60.0)) == [new]
    assert await chosen(MailFilter(older=3600.0)) == [old]
    assert await chosen(MailFilter(project_id="other")) == []
    assert await outbox_admin.select_ids(pool, MailFilter(states=["pending"]), after=None, most=1) == [old]
    assert await outbox_admin.select_ids(pool, MailFilter(states=["pending"]), after=old, most=9) == [new]


async def test_counts(pool: Pool):
    """By state with the oldest age, by the cause of waiting, and what happened lately; a project's own alone."""
    await posted(pool, last_cause="server")
    mail = await posted(pool, created_at=datetime.now(UTC) - timedelta(hours=2))
    await posted(pool, state="sent")
    for name, stage, code, ago in (
        ("waits", "dot", None, "1 minute"), ("waits", "dot", 0, "1 minute"), ("waits", "dot", 450, "1 minute"),
        ("lost", "", None, "1 minute"), ("sent", "dot", 250, "1 minute"), ("waits", "rcpt", 450, "2 hours"),
    ):  # fmt: skip
        await pool.execute(
            f"""insert into mail_events (project_id, mail_id, name, attempt, stage, code, at)
                values ('shop', $1, $2, 1, $3, $4, now() - interval '{ago}')""", mail, name, stage, code,
        )  # fmt: skip
    for project in (None, "shop"):
        states = {each.state: each for each in await outbox_admin.count_states(pool, project_id=project)}
        assert {state: each.count for state, each in states.items()} == {"pending": 2, "sent": 1}
        assert states["pending"].oldest_age >= 7200
        waiting = {each.cause: each.count for each in await outbox_admin.count_waiting(pool, project_id=project)}
        assert waiting == {"server": 1, "": 1}
        lately = await outbox_admin.count_outcomes(pool, project_id=project, seconds=3600)
        assert {each.name: (each.count, each.suspected) for each in lately} == {
            "waits": (3, 2), "lost": (1, 0), "sent": (1, 0),
        }  # fmt: skip
    assert await outbox_admin.count_states(pool, project_id="other") == []
    assert await outbox_admin.count_outcomes(pool, project_id="other", seconds=3600) == []


async def test_counts_beyond_the_limit_are_estimates(pool: Pool, monkeypatch: pytest.MonkeyPatch):
    """An estimate is at least the limit, and is marked; the backlog of workers counts in the same way."""
    monkeypatch.setattr(outbox_admin, "COUNTED", 2)
    monkeypatch.setattr(outbox, "_COUNTED", 2)
    for state in ("pending", "pending", "pending", "sent", "failed", "failed"):
        await posted(pool, state=state)
    await pool.execute("analyze mails")
    for project in (None, "shop"):
        found = await outbox_admin.count_states(pool, project_id=project)
        assert {each.state: each.estimated for each in found} == {"pending": True, "sent": False, "failed": True}
        assert all(each.count >= 2 for each in found if each.estimated)
    backlog = await outbox.backlog(pool)
    assert backlog.pending >= 2
