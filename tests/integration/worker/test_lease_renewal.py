"""A worker's leases: renewed while it works, asked about when they may have run out (docs/reliability.md)."""

import asyncio
import time

import pytest

from service import failpoints
from service.db import Pool, transaction
from service.store import users
from service.store.outbox_claims import Claim
from service.store.outbox_leases import Lease
from testkit.outbox import claim as claim_mail
from testkit.outbox import request_mail
from testkit.waiting import until
from worker.leases import LEASE, RENEWAL, Leases


async def _claimed(pool: Pool, *, worker: str = "one") -> Claim:
    claim = await claim_mail(pool, await request_mail(pool), worker=worker, lease=LEASE)
    assert claim
    return claim


def test_a_lease_bears_two_renewals_that_fail():
    """Renewed three times before it runs out, and no mail waits longer than the documented half minute."""
    assert LEASE / RENEWAL >= 3
    assert LEASE == 30


async def test_a_lease_of_late_is_trusted(pool: Pool, ann: users.User):
    """For half of its length Postgres need not be asked: what another worker did meanwhile can't be, so isn't seen."""
    leases, claim = Leases(pool, "one"), await _claimed(pool)
    with leases.holding(claim, time.monotonic() - LEASE / 2 + 5) as lease:
        await pool.execute("update mails set lease_by = 'two'")
        assert await leases.is_valid(lease)


@pytest.mark.parametrize("age", [LEASE / 2 + 1, LEASE, 10 * LEASE])
async def test_an_older_lease_is_asked_about(pool: Pool, ann: users.User, age: float):
    """After half of its length Postgres has the word: still this worker's and renewed, or another's for good."""
    leases, claim = Leases(pool, "one"), await _claimed(pool)
    with leases.holding(claim, time.monotonic() - age) as lease:
        before = time.monotonic()
        assert await leases.is_valid(lease)
        assert before <= leases.held[lease] <= time.monotonic(), "renewed as of the time before it was asked for"
        leases.held[lease] = time.monotonic() - age
        await pool.execute("update mails set lease_by = 'two'")
        assert not await leases.is_valid(lease)
        assert not await leases.is_valid(lease)


async def test_a_lease_that_is_not_held_is_not_valid(pool: Pool, ann: users.User):
    """A send that has ended says nothing about its mail any more, though the row still names this worker."""
    leases, claim = Leases(pool, "one"), await _claimed(pool)
    lease = Lease(claim.id, claim.attempts)
    assert not await leases.is_valid(lease)
    assert not leases.held


async def test_renewing_moves_the_end_of_each_lease_held(pool: Pool, ann: users.User):
    """Rows of this worker and attempt get the whole length from now on; nothing held asks for nothing."""
    leases, claim = Leases(pool, "one"), await _claimed(pool)
    await pool.execute("update mails set due_at = now() + interval '1 second'")
    left = "select extract(epoch from due_at - clock_timestamp())::float8 from mails"
    await leases.renew()
    assert (await pool.fetchrow(left))[0] <= 1
    with leases.holding(claim, time.monotonic()):
        await leases.renew()
    assert 1 < (await pool.fetchrow(left))[0] <= LEASE


async def test_a_lease_that_ends_while_it_is_renewed_stays_ended(pool: Pool, ann: users.User):
    """The answer to a renewal must not bring back a lease that its send has given up meanwhile."""
    leases, claim = Leases(pool, "one"), await _claimed(pool)
    with leases.holding(claim, time.monotonic()) as lease:
        async with transaction(pool) as tx:
            await tx.fetchrow("select 1 from mails for update")
            renewal = asyncio.create_task(leases.renew())
            await until(lambda: _waits_for_a_row(pool))
            leases.held.pop(lease)
        await renewal
        assert not leases.held


async def _waits_for_a_row(pool: Pool) -> bool:
    waiting = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    return await pool.fetchrow(waiting) is not None


@pytest.mark.usefixtures("ann", "disarmed")
@pytest.mark.parametrize(("point", "renewed"), [("before", False), ("after", True)])
async def test_a_rehearsed_crash_stands_before_a_renewal_and_after_it(pool: Pool, point: str, renewed: bool):
    """Tests of crashes stop a worker there."""
    leases, claim = Leases(pool, "one"), await _claimed(pool)
    await pool.execute("update mails set due_at = now()")
    failpoints.arm(f"worker.renew.{point}:raise")
    with leases.holding(claim, 0.0), pytest.raises(ConnectionResetError):
        await leases.renew()
    assert (await pool.fetchrow("select due_at > now() from mails"))[0] is renewed
