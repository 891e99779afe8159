"""Acts: a row written with COMMIT tells the outcome when the answer is lost, at once or once it is decided."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import pytest

from service import failpoints
from service.db import (
    Connection,
    OutcomeUnknown,
    Pool,
    PostgresGone,
    acts,
    connect,
    run_act,
    run_with_retry,
    transaction,
)
from service.db.acts import Act, resolve_outcome
from testkit.patience import PATIENCE
from testkit.proxy import Proxy
from testkit.waiting import until

INSERT = "insert into projects (id, name) values ('once', '')"
LOST = PostgresGone("the answer to COMMIT")
# What follows the one row that was asked for: PortalSuspended, and ReadyForQuery outside a transaction.
_ROW_READ = b"s\0\0\0\4Z\0\0\0\5I"


@pytest.fixture
async def writer(database: str) -> AsyncIterator[Connection]:
    """A connection whose transaction has inserted a row, and whose COMMIT its client has lost sight of."""
    connection = await connect(database)
    await connection.execute("BEGIN")
    await connection.execute(INSERT)
    yield connection
    connection.terminate()


async def rows(pool: Pool) -> list[tuple[str, UUID, bool]]:
    return [tuple(row) for row in await pool.fetch("select project_id, id, undone from acts")]


async def count(pool: Pool) -> int:
    return (await pool.fetchrow("select count(*) from projects"))[0]


def record(act: Act) -> str:
    """The statement without its COMMIT, as if that were still being done."""
    text, semicolon, commit = act.commit_statement().rpartition(";")
    assert (semicolon, commit.strip()) == (";", "COMMIT")
    return text


async def test_an_act_costs_no_round_trip(pool: Pool):
    """The row goes with COMMIT: a transaction of one statement has three messages, and a rollback leaves no row."""
    sent: list[str] = []
    connection = await pool.acquire()
    connection.add_query_logger(lambda query: sent.append(query.query))
    pool.release(connection)
    async with transaction(pool, "shop") as tx:
        await tx.execute(INSERT)
    ((project_id, act_id, undone),) = await rows(pool)
    assert (project_id, undone) == ("shop", False)
    recorded = f"insert into acts (project_id, id) values ('shop', '{act_id}'); COMMIT"
    assert sent == ["BEGIN", INSERT, recorded]
    with pytest.raises(LookupError):
        async with transaction(pool, "shop"):
            raise LookupError
    assert [row[1] for row in await rows(pool)] == [act_id]


async def test_what_is_no_project_is_never_part_of_the_statement(pool: Pool):
    """An operator may type anything where a project's id belongs: it is not put between quotes."""
    async with transaction(pool, "o'); drop table acts; --") as tx:
        await tx.execute(INSERT)
    assert [row[0] for row in await rows(pool)] == [""]


async def test_f03_a_commit_that_arrives_late_fails(pool: Pool, writer):
    """Told as undone while the old COMMIT is still on its way: that finds its place taken, and writes nothing."""
    act = Act("shop")
    with pytest.raises(PostgresGone):
        await resolve_outcome(pool, act, LOST)
    with pytest.raises(asyncpg.UniqueViolationError):
        await writer.execute(act.commit_statement())
    await writer.execute("ROLLBACK")
    assert (await count(pool), await rows(pool)) == (0, [("shop", act.id, True)])


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
async def test_f03_a_commit_under_way_is_waited_for(pool: Pool, writer, end: str):
    """A backend that is still committing, as one that waits for its standby, is neither done nor undone."""
    act = Act("shop")
    await writer.execute(record(act))
    asked = asyncio.create_task(resolve_outcome(pool, act, LOST))
    await until(lambda: _waits(pool))
    assert not asked.done()
    await writer.execute(end)
    if end == "COMMIT":
        await asyncio.wait_for(asked, PATIENCE)
    else:
        with pytest.raises(PostgresGone):
            await asyncio.wait_for(asked, PATIENCE)
    assert await count(pool) == (end == "COMMIT")


async def _waits(pool: Pool) -> bool:
    return bool(await pool.fetchrow("select 1 from pg_stat_activity where wait_event = 'transactionid'"))


async def test_f03_a_commit_that_does_not_end_is_unknown(pool: Pool, writer, monkeypatch: pytest.MonkeyPatch):
    """Seconds later it is still not decided: nobody may do it again."""
    monkeypatch.setattr(acts, "_PATIENCE", 0.3)
    act = Act("shop")
    await writer.execute(record(act))
    with pytest.raises(OutcomeUnknown):
        await resolve_outcome(pool, act, LOST)


async def test_f03_the_outcome_stays_the_same_when_it_is_asked_again(database: str, pool: Pool):
    """The answer to the question may be lost too, after it took the act's place: that row is no sign of a COMMIT."""
    port = urlsplit(database).port
    async with Proxy("127.0.0.1", port) as proxy:
        far = Pool(database.replace(f":{port}/", f":{proxy.port}/"), size=1, name="test-line")
        act = Act("shop")
        proxy.cut_at(_ROW_READ, way="down", arrives=False)
        with pytest.raises(PostgresGone):
            await resolve_outcome(far, act, LOST)
        assert not proxy.cues
        await far.close()
    assert await rows(pool) == [("shop", act.id, True)]


@pytest.mark.parametrize(("point", "runs"), [("db.commit.before", 2), ("db.commit.after", 1)])
async def test_f03_work_is_run_again_only_if_it_was_undone(pool: Pool, point: str, runs: int):
    """The answer is lost before COMMIT took effect, or after: in the end it is done, and once."""
    done: list[Connection] = []

    async def work() -> None:
        async with transaction(pool, "shop") as tx:
            done.append(tx)
            await tx.execute(INSERT)

    failpoints.arm(f"{point}:raise:1")
    await run_with_retry(work)
    failpoints.disarm()
    assert len(done) == runs
    assert sorted(undone for _, _, undone in await rows(pool)) == [False, True][:runs]
    assert await count(pool) == 1


async def test_f03_a_result_that_can_not_be_read_again_is_no_undone_act(pool: Pool):
    """The act was committed, and Postgres is gone once more when its result is read: nobody may say it was undone."""
    act = Act("shop")

    async def ask(connection: Connection) -> None:
        await connection.execute("insert into acts (project_id, id) values ($1, $2)", act.project_id, act.id)
        raise LOST

    async def recall(_pool: Pool) -> None:
        raise LOST

    with pytest.raises(OutcomeUnknown):
        await run_act(pool, act, ask, recall)


async def test_a_failed_record_undoes_the_act(pool: Pool):
    """A row that can't be written takes the whole transaction with it, and its connection is not used again."""
    with pytest.raises(asyncpg.CheckViolationError):  # noqa: PT012 - the end of the block is what fails
        async with transaction(pool, "shop") as tx:
            await tx.execute(INSERT)
            await tx.execute("alter table acts add check (project_id <> 'shop')")
    assert not pool._idle
    assert await count(pool) == 0


async def test_acts_are_kept_for_an_hour(pool: Pool):
    """Older ones go, oldest first and so many at a time."""
    ages = {"59 minutes": Act("shop"), "61 minutes": Act("shop"), "2 hours": Act("other")}
    for age, act in ages.items():
        insert = "insert into acts (project_id, id, created_at) values ($1, $2, now() - $3::text::interval)"
        await pool.execute(insert, act.project_id, act.id, age)
    assert await acts.delete_old(pool, most=1) == 1
    assert {row[1] for row in await rows(pool)} == {ages["59 minutes"].id, ages["61 minutes"].id}
    assert await acts.delete_old(pool, most=10) == 1
    assert {row[1] for row in await rows(pool)} == {ages["59 minutes"].id}
