"""Migrations: in order, once, and never a changed one."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service import db
from service.store import migrations
from service.store.migrations import MigrationDrift, migrate
from tests.conftest import Shared

FILES = {
    "0001_things.sql": "create table things (id int primary key);\ninsert into things values (1);",
    "0002_more.sql": "-- Two acts.\nalter table things add column name text;\ncreate index on things (name);",
}


@pytest.fixture
async def empty(shared_postgres: Shared) -> AsyncIterator[str]:
    """A database of this test's own."""
    async with shared_postgres.new_database() as url:
        yield url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two migrations, as files that a test may change."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


async def ask(url: str, query: str) -> list[tuple]:
    connection = await db.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def ledger(url: str) -> list[int]:
    return [row[0] for row in await ask(url, "select version from schema_migrations order by version")]


async def test_each_file_runs_once(empty: str, folder: Path):
    """The first call applies all and names them, the second finds nothing to do."""
    assert await migrate(empty, folder) == ["0001_things", "0002_more"]
    assert await migrate(empty, folder) == []
    assert await ask(empty, "select id, name from things") == [(1, None)]


async def test_five_at_once_apply_once(empty: str, folder: Path):
    """However many processes start together, one migrates and the others wait and find it done."""
    done = await asyncio.gather(*(migrate(empty, folder) for _ in range(5)))
    assert sorted(done) == [[], [], [], [], ["0001_things", "0002_more"]]
    assert await ledger(empty) == [1, 2]


async def test_the_real_ones_apply_and_keep_their_checksum(empty: str):
    """The product's own files run from nothing, five at once."""
    done = await asyncio.gather(*(migrate(empty) for _ in range(5)))
    names = [f"{one.version:04}_{one.name}" for one in migrations.load()]
    assert sorted(done, key=len) == [[], [], [], [], names]
    assert await migrate(empty) == []


async def test_a_file_that_changed_after_it_ran_is_refused(empty: str, folder: Path):
    """History is not edited: MigrationDrift, and a new file beside it is not applied either."""
    await migrate(empty, folder)
    (folder / "0001_things.sql").write_text(FILES["0001_things.sql"] + "\n-- a word more")
    (folder / "0003_new.sql").write_text("create table new_things ();")
    with pytest.raises(MigrationDrift, match="0001_things was changed after it ran"):
        await migrate(empty, folder)
    assert await ledger(empty) == [1, 2]


async def test_line_ends_are_no_change(empty: str, folder: Path):
    """A checkout with CRLF is the same migration."""
    await migrate(empty, folder)
    raw = (folder / "0002_more.sql").read_bytes()
    (folder / "0002_more.sql").write_bytes(raw.replace(b"\n", b"\r\n"))
    assert await migrate(empty, folder) == []


async def test_a_gap_is_refused(empty: str, folder: Path):
    """Numbers run upwards from 0001 without a hole: nothing is touched."""
    shutil.move(folder / "0002_more.sql", folder / "0003_more.sql")
    with pytest.raises(MigrationDrift, match="without a gap"):
        await migrate(empty, folder)
    assert await ask(empty, "select count(*) from pg_tables where schemaname = 'public'") == [(0,)]


@pytest.mark.parametrize(
    "name", ["2_more.sql", "0003-more.sql", "0003_More.sql", "0003_more.SQL", "notes.txt", "0002_x.sql"]
)
async def test_other_names_are_refused(folder: Path, name: str):
    """A file that would silently not run, or stands twice, is an error."""
    (folder / name).write_text("select 1;")
    with pytest.raises(MigrationDrift):
        migrations.load(folder)


async def test_a_failing_file_leaves_nothing_of_itself(empty: str, folder: Path):
    """Its earlier statements are rolled back, earlier files stay, and once mended it runs."""
    (folder / "0003_bad.sql").write_text("create table half ();\ninsert into things values (2);\nselect 1 / 0;")
    with pytest.raises(Exception, match="division by zero") as failure:
        await migrate(empty, folder)
    assert db.describe_refusal(failure.value) == "division by zero"
    assert await ledger(empty) == [1, 2]
    assert await ask(empty, "select to_regclass('half')::text, (select count(*) from things)") == [(None, 1)]
    (folder / "0003_bad.sql").write_text("create table half ();")
    assert await migrate(empty, folder) == ["0003_bad"]


async def test_a_database_ahead_of_its_code_is_refused(empty: str, folder: Path):
    """An older release does not run on a newer schema."""
    await migrate(empty, folder)
    (folder / "0002_more.sql").unlink()
    with pytest.raises(MigrationDrift, match=r"ahead of this code \(\[2\]\)"):
        await migrate(empty, folder)


async def test_waiting_for_another_migration_is_bounded(empty: str, folder: Path):
    """A migration that can't get the lock gives up, and leaves no lock behind."""
    other = await db.connect(empty)
    try:
        await other.execute(f"select pg_advisory_lock({migrations._LOCK})")
        with pytest.raises(migrations.Busy):
            await migrate(empty, folder, patience=0.2)
    finally:
        await other.close()
    assert await migrate(empty, folder) == ["0001_things", "0002_more"]


async def test_a_migration_waits_no_longer_for_a_table_than_a_request(empty: str, folder: Path):
    """Behind a long query a migration gives up before the requests do that queue up behind it (1.25 s)."""
    (folder / "0003_wait.sql").write_text("create table waits as select current_setting('lock_timeout') as most;")
    await migrate(empty, folder)
    assert await ask(empty, "select most from waits") == [("1100ms",)]


async def test_a_migration_that_gave_up_is_tried_again(empty: str, folder: Path):
    """As long as there is patience: a deadlock with the service at work is nobody's reason to call an operator."""
    await migrate(empty, folder)
    (folder / "0003_wide.sql").write_text("set local lock_timeout = '50ms'; alter table things add column wide int;")
    other = await db.connect(empty)
    try:
        await other.execute("begin; lock table things")
        migrating = asyncio.create_task(migrate(empty, folder))
        await other.execute("select pg_sleep(0.5); rollback")  # ten times as long as one try waits
        assert await migrating == ["0003_wide"]
        await other.execute("begin; lock table things")
        (folder / "0004_wider.sql").write_text("set local lock_timeout = '50ms'; alter table things add column w int;")
        with pytest.raises(Exception, match="lock timeout"):
            await migrate(empty, folder, patience=3)
    finally:
        await other.close()


async def test_a_file_may_ask_for_no_transaction(empty: str, folder: Path):
    """One statement that no transaction allows."""
    (folder / "0003_index.sql").write_text("-- no-transaction\ncreate index concurrently by_name on things (name);")
    assert await migrate(empty, folder) == ["0001_things", "0002_more", "0003_index"]
    assert await ledger(empty) == [1, 2, 3]
    assert await ask(empty, "select to_regclass('by_name')::text") == [("by_name",)]


async def test_indexes_are_made_concurrently_one_by_one(empty: str, folder: Path):
    """A file may have several; five processes that start at once make each once, and none waits for ever."""
    (folder / "0003_indexes.sql").write_text(
        "-- concurrently\n-- Two.\ncreate index concurrently if not exists by_name on things (name);\n"
        "create unique index concurrently if not exists by_both on things (name, id);\n"
    )
    done = await asyncio.gather(*(migrate(empty, folder) for _ in range(5)))
    assert max(done, key=len) == ["0001_things", "0002_more", "0003_indexes"]
    valid = "select indexrelid::regclass::text, indisvalid from pg_index where indexrelid::regclass::text ~ '^by_'"
    assert sorted(await ask(empty, valid)) == [("by_both", True), ("by_name", True)]


async def test_an_index_that_failed_is_made_again(empty: str, folder: Path):
    """A failed one stays behind invalid, and `if not exists` would leave it so: it is dropped first."""
    await migrate(empty, folder)
    index = "create unique index concurrently if not exists by_name on things ((name is null));"
    (folder / "0003_index.sql").write_text(f"-- concurrently\n{index}\n")
    await ask(empty, "insert into things values (2)")
    with pytest.raises(Exception, match="could not create unique index"):
        await migrate(empty, folder, patience=0.1)
    invalid = "select indisvalid from pg_index where indexrelid = 'by_name'::regclass"
    assert await ask(empty, invalid) == [(False,)]
    await ask(empty, "delete from things where id = 2")
    assert await migrate(empty, folder) == ["0003_index"]
    assert await ask(empty, invalid) == [(True,)]


async def test_a_file_may_have_transactions_of_its_own(empty: str, folder: Path):
    """One that waits in vain for a lock is rolled back alone; the whole file is tried again, so it may run twice."""
    await migrate(empty, folder)
    (folder / "0003_two.sql").write_text(
        "-- no-transaction\nbegin; create table if not exists one (); commit;\n"
        "begin; set local lock_timeout = '50ms'; alter table things add column if not exists wide int; commit;"
    )
    other = await db.connect(empty)
    try:
        await other.execute("begin; lock table things")
        migrating = asyncio.create_task(migrate(empty, folder))
        await other.execute("select pg_sleep(0.5); rollback")  # ten times as long as one try waits
        assert await migrating == ["0003_two"]
    finally:
        await other.close()
    assert await ask(empty, "select to_regclass('one')::text, (select count(wide) from things)") == [("one", 0)]
