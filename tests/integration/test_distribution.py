"""`migrate --distribute`: the plan runs in its order, keeps the foreign keys, and needs an engine that can do it."""

import asyncio
import json

import pytest

from service.__main__ import main
from service.store import distribution
from testkit.postgres import session
from tests.conftest import TEMPLATE, Shared

# Stand-ins for Citus's functions, with its rules: no key to a table that is not spread, and none without the project.
_STANDIN = """
create table spread (name text primary key, place serial, kind text, beside text);
create function refuse_keys(wanted text) returns void language plpgsql as $$
begin
    if exists (select from pg_constraint where contype = 'f' and conrelid = wanted::regclass
            and confrelid::regclass::text not in (select name from spread))
        or exists (select from pg_constraint where contype = 'f' and confrelid = wanted::regclass) then
        raise exception 'foreign keys of % lead to local tables', wanted;
    end if;
end $$;
create function create_reference_table(wanted text) returns void language plpgsql as $$
begin
    perform refuse_keys(wanted);
    insert into spread (name, kind) values (wanted, 'reference');
end $$;
create function create_distributed_table(wanted text, by text, colocate_with text default 'default')
returns void language plpgsql as $$
begin
    perform refuse_keys(wanted);
    if exists (select from pg_index i where indrelid = wanted::regclass and indisunique and not exists (
            select from pg_attribute where attrelid = indrelid and attname = by and attnum = any(indkey))) then
        raise exception 'a unique key of % lacks %', wanted, by;
    end if;
    insert into spread (name, kind, beside) values (wanted, by, colocate_with);
end $$;
"""
_KEYS = "select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint where contype = 'f'"


async def keys(url: str) -> set[tuple[str, ...]]:
    async with session(url) as connection:
        return {tuple(row) for row in await connection.fetch(_KEYS)}


async def test_the_plan_runs_and_keeps_the_foreign_keys(shared_postgres: Shared):
    """Each statement in its order on stand-ins with Citus's rules: all tables beside `users`, all keys as before."""
    async with shared_postgres.new_database(TEMPLATE) as url:
        before = await keys(url)
        async with session(url) as connection:
            await connection.execute(_STANDIN)
            for statement in await distribution.plan(connection):
                await connection.execute(statement)
            found = await connection.fetch("select name, kind, beside from spread order by place")
        assert await keys(url) == before
    distributed = {row["name"]: row["beside"] for row in found if row["kind"] == "project_id"}
    assert distributed.pop("users") == "default"
    assert set(distributed.values()) == {"users"}
    assert next(row["name"] for row in found if row["kind"] == "reference") == "projects"


async def test_without_citus_nothing_is_changed(
    shared_postgres: Shared, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], environment
):
    """A plain Postgres is told apart before anything is touched; a dry run prints the plan there too."""
    async with shared_postgres.new_database(TEMPLATE) as url:
        for name, value in (environment | {"DATABASE_URL": url}).items():
            monkeypatch.setenv(name, value)
        before = await keys(url)
        assert await asyncio.to_thread(main, ["migrate", "--distribute"]) == 2
        assert "has no extension citus" in capsys.readouterr().err
        assert await asyncio.to_thread(main, ["--json", "migrate", "--distribute", "--dry-run"]) == 0
        printed = json.loads(capsys.readouterr().out)["plan"]
        assert await keys(url) == before
    assert "select create_distributed_table('users', 'project_id')" in printed
    assert len(printed) == 2 * len(before) + 45
