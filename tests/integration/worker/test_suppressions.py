"""Addresses that get no mail, because their mailbox refuses it."""

import pytest

from service.cli.exit_codes import MISSING
from service.db import Pool
from service.store import projects, suppressions, users
from testkit.api import Api
from testkit.letters import link_of, parameters_of
from testkit.outbox import ANN, request_mail
from testkit.sink import Sink
from tests.integration.conftest import Terminal

OTHER = "other@example.com"


@pytest.fixture
async def suppressed(pool: Pool, a_worker, ann: users.User) -> None:
    """Suppress Ann's address under the worker's own key, and in another project an address that is not hers."""
    ring = a_worker().ring
    await suppressions.suppress(pool, ring, "shop", address=ANN, cause="bounced", days=1)


async def states(pool: Pool) -> list[tuple[str, str]]:
    rows = await pool.fetch("select recipient, state from mails order by id")
    return [(row["recipient"], row["state"]) for row in rows]


async def test_a_suppressed_address_gets_no_mail(pool: Pool, sink: Sink, a_worker, suppressed: None):
    """Its mail ends as suppressed and is its user's to see; others of the project, and of that batch, are sent."""
    await users.create(pool, "shop", user_id="other", email=OTHER, name="", password_hash=None)
    worker = a_worker()
    for mail in [await request_mail(pool), await request_mail(pool, OTHER)]:
        await worker.deliver(mail)
    assert await states(pool) == [(ANN, "suppressed"), (OTHER, "sent")]
    assert [mail.recipients for mail in sink.mails] == [(OTHER,)]
    row = await pool.fetchrow("select user_id, last_fault, ended_at is not null from mails where state = 'suppressed'")
    assert tuple(row) == ("ann", "its mailbox refuses our mail", True)
    (event,) = await pool.fetch(
        "select e.name from mail_events e join mails m on m.id = mail_id where recipient = $1", ANN
    )
    assert event["name"] == "suppressed"
    assert worker.recorder.metrics.since_start["suppressed"] == 1


async def test_nobody_is_told_by_an_address_without_an_account(pool: Pool, a_worker, suppressed: None):
    """A mail that is for nobody is void, whether or not its address is suppressed."""
    await pool.execute("delete from users")
    await a_worker().deliver(await request_mail(pool))
    assert await states(pool) == [(ANN, "void")]


async def test_it_ends_by_itself_and_is_tidied(pool: Pool, sink: Sink, a_worker, suppressed: None):
    """After its days the address has mail again, before the row is deleted and after."""
    await pool.execute("update suppressions set until = now()")
    await a_worker().deliver(await request_mail(pool))
    assert await states(pool) == [(ANN, "sent")]
    assert await suppressions.delete_expired(pool, most=10) == 1


async def test_a_rotated_key_still_finds_it(pool: Pool, a_worker, suppressed: None):
    """A hash under an older key holds as long as that key is kept."""
    worker = a_worker()
    worker.ring = {"new": b"n" * 32} | dict(worker.ring)
    await worker.deliver(await request_mail(pool))
    assert await states(pool) == [(ANN, "suppressed")]


async def test_an_operator_lists_adds_and_lifts(type_: Terminal, pool: Pool, project: projects.Project):
    """Masked without --recipients; what is not there is said so; nothing of the address is in the table."""
    code, out, _ = await type_("suppressions", "add", "shop", "Ann@Example.com", "--days", "3")
    assert (code, "suppressed: ann@example.com" in out) == (0, True)
    rows = await type_.json("suppressions", "list", "shop", ANN)
    assert [(row["recipient"], row["cause"]) for row in rows] == [("a…@example.com", "operator")]
    assert "example" not in str(await pool.fetchrow("select * from suppressions"))
    assert await type_.json("suppressions", "list", "shop", OTHER) == []
    assert (await type_("suppressions", "lift", "shop", ANN))[0] == 0
    code, _, err = await type_("suppressions", "lift", "shop", ANN)
    assert (code, "has not suppressed" in err) == (MISSING, True)


@pytest.mark.parametrize(("cause", "left"), [("bounced", 0), ("complained", 0), ("operator", 1)])
async def test_a_proof_of_the_address_lifts_what_the_mail_system_said(
    api: Api, pool: Pool, sink: Sink, a_worker, ann: users.User, *, cause: suppressions.SuppressionCause, left: int
):
    """Whoever opens a link of a mail has a mailbox that takes our mail; what an operator has set stays."""
    worker = a_worker()
    await worker.deliver(await request_mail(pool, user_id="ann"))
    await suppressions.suppress(pool, worker.ring, "shop", address=ANN, cause=cause, days=1)
    body = {name: parameters_of(link_of(sink.mails[0]))[name] for name in ("userId", "secret")}
    assert (await api.call("PUT", "/v1/account/verification", json=body)).status == 200
    assert (await pool.fetchrow("select count(*) from suppressions"))[0] == left
