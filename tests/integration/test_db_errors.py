"""Meanings of Postgres's faults; an act runs again only where it certainly left nothing behind."""

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from devstack.servers import free_port
from service.db import (
    DatabaseFault,
    OutcomeUnknown,
    Pool,
    PostgresGone,
    PostgresHung,
    classify,
    connect,
    describe_refusal,
    find_fault,
    is_rolled_back,
    run_with_retry,
    transaction,
)
from service.db.retries import mark_committed
from service.errors import Overloaded

F = DatabaseFault
STATES = {
    "08006": F.LOST, "57P01": F.LOST, "57P02": F.LOST, "57P03": F.LOST, "25P03": F.LOST,
    "25006": F.READ_ONLY, "40001": F.CLASH, "40P01": F.CLASH, "53100": F.FULL, "53300": F.FULL,
    "55P03": F.LATE, "57014": F.LATE, "23505": F.CLASH, "XX000": None,
    "28P01": F.REFUSED, "28000": F.REFUSED, "3D000": F.REFUSED, "42501": F.REFUSED,
    "42P01": F.SCHEMA, "42703": F.SCHEMA, "42883": F.SCHEMA, "42601": None, "42P10": None,
}  # fmt: skip


@pytest.mark.parametrize(("state", "fault"), STATES.items())
def test_each_state_has_one_meaning(state: str, fault: DatabaseFault | None):
    """Every fault of Postgres is "come again"; what is none is a fault of ours, and no client is told to come again."""
    error = asyncpg.PostgresError.new({"C": state, "M": "x"})
    assert classify(error) is fault
    assert (find_fault(error) is not None) is (fault is not None)


def test_what_the_library_raises_has_a_meaning_too():
    """A cut or hung connection is lost; an argument that can't be sent is a fault of ours."""
    out_of_turn = asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress")
    lost = (PostgresGone(), PostgresHung(), asyncpg.InterfaceError("connection is closed"), out_of_turn)
    assert {classify(error) for error in lost} == {F.LOST}
    assert classify(asyncpg.exceptions.TargetServerAttributeNotMatched()) is F.READ_ONLY
    assert classify(asyncpg.InvalidCachedStatementError()) is F.CLASH
    assert classify(ValueError()) is None
    of_others = (ConnectionResetError(), BrokenPipeError(), TimeoutError(), OSError(28, "no space"), ConnectionError())
    assert {classify(error) for error in of_others} == {None}
    assert describe_refusal(OutcomeUnknown()) is None


async def test_the_way_to_postgres_has_errors_of_its_own():
    """An error of the socket is raised as Postgres's: a client, a disk or Redis raise none of these."""
    url = f"postgres://u:p@127.0.0.1:{free_port()}/x"
    pool = Pool(url, size=1)
    for ask in (lambda: connect(url), lambda: pool.fetchrow("select 1"), pool.acquire):
        with pytest.raises(PostgresGone) as failure:
            await ask()
        assert failure.value.errno == errno.ECONNREFUSED
        assert classify(failure.value) is F.LOST
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(PostgresHung):
        await connect(f"postgres://u:p@127.0.0.1:{silent.getsockname()[1]}/x")


async def test_an_argument_that_cannot_be_sent_is_no_fault_of_postgres(pool: Pool):
    """It would never succeed, however often somebody came again."""
    with pytest.raises(asyncpg.DataError) as failure:
        await pool.fetchrow("select $1::int", "x")
    assert find_fault(failure.value) is None


class Deed:
    """Fails so many times with that error, then is done."""

    def __init__(self, error: Exception, *, times: int, written: str = "") -> None:
        self.error, self.times, self.written, self.runs = error, times, written, 0

    async def __call__(self) -> str:
        self.runs += 1
        if self.written:
            mark_committed()
        if self.runs <= self.times:
            raise self.error
        return "done"


@pytest.mark.parametrize(
    ("error", "reruns"),
    [
        (PostgresGone(), 1),
        (asyncpg.ReadOnlySQLTransactionError(), 1),
        (asyncpg.DeadlockDetectedError(), 3),
        (asyncpg.SerializationError(), 3),
        (asyncpg.DiskFullError(), 0),
        (asyncpg.LockNotAvailableError(), 0),
        (Overloaded(), 0),
        (PostgresHung(), 0),
        (OutcomeUnknown(), 0),
        (LookupError(), 0),
    ],
)
async def test_an_act_is_run_again_where_that_is_of_use(error: Exception, reruns: int):
    """Once after a lost connection or a failover, three times after a clash; never where nobody knows what happened."""
    enough, too_often = Deed(error, times=reruns), Deed(error, times=reruns + 1)
    assert await run_with_retry(enough) == "done"
    assert enough.runs == reruns + 1
    with pytest.raises(type(error)):
        await run_with_retry(too_often)
    assert too_often.runs == reruns + 1


async def test_an_act_that_has_written_is_never_run_again():
    """Once something of it may be committed the client is told to come again, and decides."""
    deed = Deed(PostgresGone(), times=1, written="yes")
    with pytest.raises(PostgresGone):
        await run_with_retry(deed)
    assert deed.runs == 1


async def runs_again(change: Callable[[], Awaitable[object]], *, but_not: bool) -> None:
    """An act whose connection is lost after that change has a second run, unless the change may have been kept."""
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            await change()
            raise PostgresGone

    if but_not:
        with pytest.raises(PostgresGone):
            await run_with_retry(work)
    else:
        await run_with_retry(work)
    assert runs == (1 if but_not else 2)


@pytest.mark.parametrize(
    ("statement", "counts"),
    [("select 1", False), ("\n  SELECT 1", False), ("insert into projects (id, name) values ('a', '')", True)],
)
async def test_a_write_outside_a_transaction_counts_as_committed(pool: Pool, statement: str, counts: bool):
    """A statement of the pool commits itself; a plain read changes nothing."""
    await runs_again(lambda: pool.execute(statement), but_not=counts)


@pytest.mark.parametrize("statement", ["select 1", "insert into projects (id, name) values ('a', '')"])
async def test_a_transaction_counts_once_it_is_committed(pool: Pool, statement: str):
    """No other run follows it, whatever it did: each writes the row that tells its outcome."""

    async def change() -> None:
        async with transaction(pool) as tx:
            await tx.execute(statement)

    await runs_again(change, but_not=True)


async def test_an_act_that_was_undone_leaves_nothing(pool: Pool):
    """An act that failed inside its transaction is run again from the start and is there once."""
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        async with transaction(pool) as tx:
            await tx.execute("insert into projects (id, name) values ('once', '')")
            if runs == 1:
                raise asyncpg.DeadlockDetectedError

    await run_with_retry(work)
    assert runs == 2
    assert (await pool.fetchrow("select count(*) from projects"))[0] == 1


async def test_acts_side_by_side_do_not_mix(pool: Pool):
    """The writes of one request have no effect on the retries of another."""
    wrote = asyncio.Event()

    async def writes() -> None:
        await pool.execute("insert into projects (id, name) values ('a', '')")
        wrote.set()

    deed = Deed(PostgresGone(), times=1)

    async def waits() -> str:
        await wrote.wait()
        return await deed()

    await asyncio.gather(run_with_retry(writes), run_with_retry(waits))
    assert deed.runs == 2


def test_only_one_error_leaves_it_open_what_happened():
    """Whoever asks `undone` may do the act again."""
    assert is_rolled_back(PostgresGone())
    assert not is_rolled_back(OutcomeUnknown())
