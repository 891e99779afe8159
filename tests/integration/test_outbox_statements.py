"""Statements about the outbox: each touches exactly the rows that it names."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

import pytest

from service.db import Pool, transaction
from service.store import outbox, outbox_leases, outbox_outcomes, projects, users
from service.store.outbox import DueMail
from service.store.outbox_claims import Claim
from service.store.outbox_leases import Lease
from service.store.outbox_outcomes import Acceptance, AttemptReport
from testkit.outbox import claim as claim_mail
from testkit.outbox import request_mail
from testkit.patience import PATIENCE

REPORT = AttemptReport("one", fault="550 no")


@pytest.fixture(autouse=True)
async def other(pool: Pool, project: projects.Project) -> None:
    await projects.create(pool, "other", name="Other")


async def claimed(pool: Pool, *, worker: str = "one", lease: float = 60) -> Claim:
    claim = await claim_mail(pool, await request_mail(pool), worker=worker, lease=lease)
    assert claim
    return claim


async def copied(pool: Pool, mail: UUID) -> None:
    """Put a row with the mail's id into the other project."""
    await pool.execute(
        "insert into mails (project_id, id, letter, user_id, recipient, locale, state, attempts, due_at, lease_by, "
        "deadline_at, message_id) select 'other', id, letter, user_id, recipient, locale, state, attempts, due_at, "
        "lease_by, deadline_at, message_id from mails where id = $1",
        mail,
    )


async def ended(pool: Pool, mail: UUID) -> None:
    """End a mail and leave its other columns as a worker has written them."""
    await pool.execute("update mails set state = 'sent' where id = $1", mail)


async def rest(pool: Pool, mail: UUID) -> list[str]:
    """All rows but this one of the project shop."""
    rows = "select m::text from mails m where (m.project_id, m.id) <> ('shop', $1) order by m.project_id, m.id"
    return [row[0] for row in await pool.fetch(rows, mail)]


async def states(pool: Pool, *mails: UUID, project: str = "shop") -> list[str]:
    found = await pool.fetch("select id, state from mails where project_id = $1", project)
    by_id = {row[0]: row[1] for row in found}
    return [by_id[mail] for mail in mails]


async def finish(pool: Pool, claim: Claim) -> bool:
    return await outbox_outcomes.finish(pool, claim, state="failed", report=REPORT)


async def reschedule(pool: Pool, claim: Claim) -> bool:
    return await outbox_outcomes.reschedule(pool, claim, seconds=60, cause="server", report=REPORT)


@pytest.mark.parametrize("end", [finish, reschedule])
async def test_one_attempt_of_one_mail_ends(pool: Pool, end: Callable[[Pool, Claim], Awaitable[bool]]):
    """Another mail of the worker stays, and one of the same id in another project; twice is once.

    An earlier attempt ends nothing.
    """
    claim, _ = await claimed(pool), await claimed(pool)
    await copied(pool, claim.id)
    before = await rest(pool, claim.id)
    assert await end(pool, replace(claim, attempts=0)) is False
    assert await end(pool, claim) is True
    assert await end(pool, claim) is False
    assert await rest(pool, claim.id) == before


async def test_one_attempt_is_marked_as_sent(pool: Pool):
    """Not another mail's attempt, nor an earlier one; a mail that was released is marked, one that ended is not."""
    released, failed, _ = await claimed(pool), await claimed(pool), await claimed(pool)
    await reschedule(pool, released)
    await finish(pool, failed)
    before = await rest(pool, released.id)
    marked = [
        await outbox_outcomes.mark_sent(
            pool, [Acceptance(Lease(mail.id, attempt), 250, "") for mail, attempt in attempts], worker="one"
        )
        for attempts in ([(released, 0)], [(released, 2), (failed, 1)], [(failed, 1), (released, 1)], [(released, 1)])
    ]
    assert marked == [set(), set(), {Lease(released.id, 1)}, set()]
    assert await rest(pool, released.id) == before


async def test_the_leases_named_are_renewed(pool: Pool):
    """Not those of other mails, attempts or workers, nor one of a mail that has ended."""
    held, unnamed, over, theirs = [await claimed(pool, worker=name) for name in ("one", "one", "one", "two")]
    await ended(pool, over.id)
    leases = [Lease(claim.id, 1) for claim in (held, over, theirs)] + [Lease(unnamed.id, 2)]
    before = await rest(pool, held.id)
    assert await outbox_leases.renew(pool, leases, worker="one", lease=900) == [Lease(held.id, 1)]
    assert await rest(pool, held.id) == before


async def test_the_mail_named_is_claimed(pool: Pool):
    """It is due and has not ended; others stay. Nobody has lost a mail that is claimed for the first time."""
    held, over, _ = await claimed(pool), await claimed(pool, lease=-1), await request_mail(pool)
    await ended(pool, over.id)
    for mail in (held.id, over.id):
        assert await claim_mail(pool, mail, worker="two", lease=60) is None
    mail = await request_mail(pool)
    before = await rest(pool, mail)
    claim = await claim_mail(pool, mail, worker="two", lease=60)
    assert claim
    assert (claim.id, claim.stolen) == (mail, False)
    assert await rest(pool, mail) == before
    assert await pool.fetch("select 1 from mail_events") == []


async def test_a_mail_that_another_transaction_holds_is_passed_by(pool: Pool):
    """A second worker doesn't wait for the first one's claim."""
    mail = await request_mail(pool)
    async with transaction(pool) as tx:
        await tx.execute("select 1 from mails where id = $1 for update", mail)
        async with asyncio.timeout(PATIENCE):
            assert await claim_mail(pool, mail, worker="two", lease=60) is None


async def test_an_unreadable_mail_is_failed_by_its_worker(pool: Pool):
    """After so many attempts, once; no other mail of the worker, none of another worker."""
    mail, tried_less, over, theirs, beside = [
        await claimed(pool, worker=name) for name in ("one", "one", "one", "two", "one")
    ]
    await pool.execute("update mails set attempts = 5 where id <> $1", tried_less.id)
    await ended(pool, over.id)
    for claim, failed in ((mail, True), (mail, False), (tried_less, False), (over, False), (theirs, False)):
        due = DueMail(claim.id, "shop")
        assert await outbox_outcomes.fail_unreadable(pool, due, worker="one", tries=5, fault="x") is failed
    assert await states(pool, mail.id, tried_less.id, over.id, theirs.id, beside.id) == [
        "failed", "sending", "sent", "sending", "sending",
    ]  # fmt: skip


RELEASES = {
    "those named": lambda pool, own, kept: outbox_leases.release(pool, own, worker="one"),
    "all but those kept": lambda pool, own, kept: outbox_leases.release_all(pool, worker="one", kept=kept),
}


@pytest.mark.parametrize("release", RELEASES.values(), ids=RELEASES)
async def test_a_worker_releases_its_own(pool: Pool, release: Callable[..., Awaitable[int]]):
    """Mails that it holds, none that has ended or is another worker's by now."""
    own, kept, over, theirs = [await claimed(pool, worker=name) for name in ("one", "one", "one", "two")]
    await ended(pool, over.id)
    before = await rest(pool, own.id)
    assert await release(pool, [own.id, over.id, theirs.id], [kept.id]) == 1
    assert await states(pool, own.id) == ["pending"]
    assert await rest(pool, own.id) == before


async def test_a_worker_that_starts_again_releases_what_it_held(pool: Pool):
    """At once; a minute later what was lost twice before. Waits, and what became of other mails, don't count."""
    fresh, delayed, doubtful, over, theirs = [
        await claimed(pool, worker=name) for name in ("one", "one", "one", "one", "two")
    ]
    await ended(pool, over.id)
    for claim, name in ((delayed, "waits"), (doubtful, "lost")):
        event = "insert into mail_events (project_id, mail_id, name, attempt) values ('shop', $1, $2, 1)"
        for _ in range(2):
            await pool.execute(event, claim.id, name)
    assert await outbox_leases.release_of_worker(pool, worker="one") == 3
    due = {row[0]: row[1] for row in await pool.fetch("select id, due_at <= now() from mails where state = 'pending'")}
    assert due == {fresh.id: True, delayed.id: True, doubtful.id: False}
    assert await states(pool, over.id, theirs.id) == ["sent", "sending"]


async def test_a_users_mails_are_cancelled(pool: Pool):
    """Those still to be sent of that user in that project."""
    for name in ("ann", "eve"):
        await users.create(pool, "shop", user_id=name, email=f"{name}@example.com", name="", password_hash=None)
    pending, over, eves = [await request_mail(pool, user_id=name) for name in ("ann", "ann", "eve")]
    await copied(pool, pending)
    await ended(pool, over)
    assert await outbox.cancel_for_user(pool, "shop", user_id="ann") == 1
    assert await states(pool, pending, over, eves) == ["cancelled", "sent", "pending"]
    assert await states(pool, pending, project="other") == ["pending"]
