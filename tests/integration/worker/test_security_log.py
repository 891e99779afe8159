"""Events become the security log: once each, with device and country, in monthly partitions."""

import asyncio
from datetime import UTC, datetime

import pytest

from service.db import Pool, transaction
from service.store import events, projects, security_log, users
from service.store.events import Actor, Event
from service.store.unit_of_work import unit_of_work
from worker.security_log import SecurityLogWriter

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/70.0.3538.77 Safari/537.36"
)


CALLER = Actor("8.8.8.8", CHROME)


class Undo(Exception):
    """Raised to leave a transaction as if it had not been: partitions are shared by all tests."""


@pytest.fixture
async def ann(pool: Pool, project: projects.Project) -> users.User:
    return await users.create(pool, "shop", user_id="ann", email="ann@example.com", name="", password_hash=None)


async def happen(pool: Pool, count: int = 1, *, by: Actor = CALLER, user_id: str | None = "ann") -> None:
    for _ in range(count):
        async with unit_of_work(pool, None) as tx:
            await events.record(tx, "shop", event=Event.SESSION_CREATE, user_id=user_id, by=by, token_id="t")


async def test_an_event_becomes_a_log_row(pool: Pool, ann: users.User):
    """With the time of the act, its address, country and device in Matomo's codes; the event is gone."""
    await happen(pool)
    event = await pool.fetchrow("select * from events")
    await SecurityLogWriter(pool).write_pending()
    row = await pool.fetchrow("select * from logs")
    for name in ("project_id", "id", "user_id", "name", "ip", "at"):
        assert row[name] == event[name], name
    assert row["country_code"] == "us"
    assert (row["os_code"], row["os_version"], row["client_code"], row["client_version"]) == ("WIN", "10", "CH", "70.0")
    assert row["device_name"] == "desktop"
    assert (await pool.fetchrow("select count(*) from events"))[0] == 0


@pytest.mark.parametrize("agent", ["UNKNOWN", "", "\u202e<script>'\"", "x" * 512, "ä{}%s"])
async def test_any_user_agent_is_filed(pool: Pool, ann: users.User, agent: str):
    """A client's header, whatever it holds, never stops the log."""
    await happen(pool, by=Actor("127.0.0.1", agent))
    await SecurityLogWriter(pool).write_pending()
    assert (await pool.fetchrow("select country_code from logs"))[0] == "--"


async def test_several_clerks_file_each_event_once(pool: Pool, ann: users.User):
    """Woken more often than there is work, by workers that know nothing of each other."""
    await happen(pool, 250)
    ids = {row[0] for row in await pool.fetch("select id from events")}
    clerks = [SecurityLogWriter(pool) for _ in range(4)]
    await asyncio.gather(*(log_writer.write_pending() for log_writer in clerks * 3))
    filed = [row[0] for row in await pool.fetch("select id from logs")]
    assert len(filed) == 250
    assert set(filed) == ids


async def test_an_event_waits_until_it_is_known_whom_it_concerns(pool: Pool, ann: users.User):
    """A recovery asked for by address is filed when a worker has settled it, for a user or for nobody."""
    await happen(pool, user_id=None)
    log_writer = SecurityLogWriter(pool)
    await log_writer.write_pending()
    assert (await pool.fetchrow("select count(*) from logs"))[0] == 0
    assert not await events.has_overdue(pool, seconds=-1)
    async with unit_of_work(pool, None) as tx:
        await events.assign_user(tx, "shop", token_id="t", user_id=None)
        assert len(tx.events) == 1
        await events.assign_user(tx, "shop", token_id="t", user_id="ann")
        assert len(tx.events) == 1, "once only"
    await log_writer.write_pending()
    assert (await pool.fetchrow("select user_id from logs"))[0] is None


async def test_what_fails_to_be_filed_stays(pool: Pool, ann: users.User):
    """Taking and filing are one act: an error leaves the events where they were."""
    await happen(pool, 3)
    with pytest.raises(Undo):  # noqa: PT012 - the block is what fails
        async with transaction(pool) as tx:
            assert len(await events.dequeue(tx, "shop", most=100)) == 3
            raise Undo
    await SecurityLogWriter(pool).write_pending()
    assert (await pool.fetchrow("select count(*) from logs"))[0] == 3


async def test_filing_twice_is_filing_once(pool: Pool, ann: users.User):
    """A row that stands already stays as it is."""
    await happen(pool)
    event = await pool.fetchrow("select * from events")
    await SecurityLogWriter(pool).write_pending()
    columns = "project_id, id, name, user_id, token_id, ready, ip, user_agent, at"
    await pool.execute(
        f"insert into events ({columns}) values ($1, $2, $3, $4, $5, true, $6, $7, $8)",
        *(event[name] for name in ("project_id", "id", "name", "user_id", "token_id", "ip", "user_agent", "at")),
    )  # fmt: skip
    await SecurityLogWriter(pool).write_pending()
    assert (await pool.fetchrow("select count(*) from logs"))[0] == 1


async def partitions(conn) -> set[str]:
    rows = await conn.fetch("select inhrelid::regclass::text from pg_inherits where inhparent = 'logs'::regclass")
    return {row[0] for row in rows}


def month(ahead: int) -> str:
    now = datetime.now(UTC)
    number = now.year * 12 + now.month - 1 + ahead
    return f"logs_{number // 12}{number % 12 + 1:02}"


async def make(conn, name: str) -> None:
    start = datetime(int(name[-6:-2]), int(name[-2:]), 1, tzinfo=UTC)
    await conn.execute(
        f"create table {name} partition of logs for values from ('{start}') to ('{start.replace(day=15)}')"
    )


async def test_partitions_are_made_ahead_and_dropped_behind(pool: Pool):
    """The month's own and the next two stand; what is older than the retention goes, the last kept month stays."""
    with pytest.raises(Undo):  # noqa: PT012 - the block is undone
        async with transaction(pool) as tx:
            await tx.execute(f"drop table {month(1)}, {month(2)}")
            assert (await security_log.get_partitions(tx)).ahead == 0
            for name in ("logs_202001", month(-13), month(-12)):
                await make(tx, name)
            assert await security_log.maintain_partitions(tx, months=12) == 4
            assert await partitions(tx) == {"logs_default", month(-12), month(0), month(1), month(2)}
            assert await security_log.maintain_partitions(tx, months=12) == 0
            assert await security_log.get_partitions(tx) == security_log.LogPartitions(0, 2)
            raise Undo


async def test_a_row_lands_in_its_months_partition(pool: Pool, ann: users.User):
    """Nothing is filed in the default partition while the months ahead stand."""
    await happen(pool)
    await SecurityLogWriter(pool).write_pending()
    assert (await pool.fetchrow("select tableoid::regclass::text from logs"))[0] == month(0)


async def test_one_worker_keeps_the_partitions(pool: Pool):
    """While one is at it the others pass, instead of waiting for its locks."""
    with pytest.raises(Undo):  # noqa: PT012 - the block is undone
        async with transaction(pool) as tx:
            await tx.execute(f"drop table {month(2)}")
            assert await security_log.maintain_partitions(tx, months=12) == 1
            assert await security_log.maintain_partitions(pool, months=12) == 0
            raise Undo
