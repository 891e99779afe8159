"""Rows of a project lie on one node: tables, keys and statements are held to that, without an engine that spreads."""

import pytest

from service.db import SQL, Pool, Queries, Statement
from testkit.postgres import session
from tests.architecture.distribution import (
    DISTRIBUTED,
    LOCAL,
    READERS,
    REFERENCE,
    TABLES,
    fault_of,
    faults,
    ledger,
)
from tests.architecture.query_trees import Analyser, rules_of

_KEYS = """
select c.relname as table_name, i.indexrelid::regclass::text as name, array(
    select attname::text from pg_attribute where attrelid = c.oid and attnum = any(i.indkey)
) as columns
from pg_index i join pg_class c on c.oid = i.indrelid
where i.indisunique and c.relnamespace = 'public'::regnamespace and not c.relispartition
"""
_FOREIGN = """
select conrelid::regclass::text as table_name, confrelid::regclass::text as target, conname as name,
    array(select attname::text from unnest(conkey) with ordinality k (n, place)
        join pg_attribute on attrelid = conrelid and attnum = n order by place) as columns,
    array(select attname::text from unnest(confkey) with ordinality k (n, place)
        join pg_attribute on attrelid = confrelid and attnum = n order by place) as targets
from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace and conparentid = 0
"""


def test_every_table_has_its_place():
    """A new table is put into sql/distribute.sql, or is named as one of the coordinator's."""
    assert TABLES == REFERENCE | DISTRIBUTED | LOCAL
    assert len(TABLES) == len(REFERENCE) + len(DISTRIBUTED) + len(LOCAL)
    assert len(DISTRIBUTED) >= 23


async def test_unique_keys_have_the_project(pool: Pool):
    """A node can't know the keys of another: uniqueness is a project's own, or it could not be kept."""
    keys = [row for row in await pool.fetch(_KEYS) if row["table_name"] in DISTRIBUTED]
    assert len(keys) >= len(DISTRIBUTED)
    assert not [row["name"] for row in keys if "project_id" not in row["columns"]]


async def test_foreign_keys_stay_within_a_project(pool: Pool):
    """They lead to what is on the same node: to rows of the same project, or to a reference table."""
    found = await pool.fetch(_FOREIGN)
    wrong = [row["name"] for row in found if not _fits(row)]
    assert len(found) > 20
    assert not wrong


def _fits(row) -> bool:
    if row["target"] in REFERENCE:
        return row["table_name"] in REFERENCE | DISTRIBUTED
    pairs = set(zip(row["columns"], row["targets"], strict=True))
    return row["table_name"] in DISTRIBUTED and row["target"] in DISTRIBUTED and ("project_id", "project_id") in pairs


async def test_triggers_are_known(pool: Pool):
    """Citus takes triggers of spread tables by a setting only: docs/scale.md names those that there are."""
    query = "select tgrelid::regclass::text, tgname from pg_trigger where not tgisinternal"
    found = {(row[0], row[1]) for row in await pool.fetch(query)}
    assert found == {("users", "users_texts"), ("users", "users_texts_changed")}


def test_statements_name_their_project():
    """Each is about one project, or stands in distribution.toml with what that means; what is mended leaves it."""
    found = faults()
    known = ledger()
    assert {name: fault for name, fault in found.items() if known.get(name) != fault} == {}, "name the project"
    assert sorted(known.keys() - found.keys()) == [], "strike these from distribution.toml"


async def test_changes_are_of_the_kind_that_citus_plans(database: str):
    """No statement that changes a spread table breaks a rule of Citus's planner."""
    async with session(database) as connection, Analyser(connection) as analyser:
        rules = await rules_of(connection, DISTRIBUTED | REFERENCE)
        found = [
            f"{path.stem}.{statement.name}"
            for path in sorted((SQL / "queries").glob("*.sql"))
            for statement in Queries(path.stem).statements.values()
            if rules.broken(await analyser.tree(statement.sql))
        ]
    assert found == []


@pytest.mark.parametrize(
    ("sql", "broken"),
    [
        ("update users set name = 'x' where project_id = $1 returning id", set()),
        ("update users set updated_at = now() - interval '1 day' where project_id = $1", set()),
        ("update users set name = (select max(at)::text from logs where project_id = $1) where project_id = $1", set()),
        ("update users set updated_at = created_at + interval '1 day' where project_id = $1",
         {"a stable function of a column"}),
        ("update users set updated_at = case when mfa then now() end where project_id = $1",
         {"case or coalesce: a function that is not immutable"}),
        ("delete from users where project_id = $1 and created_at < coalesce($2::timestamptz, now())",
         {"case or coalesce: a function that is not immutable"}),
        ("update users set updated_at = clock_timestamp() where project_id = $1", {"a volatile function"}),
        ("update users set name = 'x' where project_id = $1 returning (select json_agg(id) from targets)",
         {"returning: a function that is not immutable"}),
        ("insert into event_feeds (project_id) values ((select 'x'))", {"insert: a subquery among the values"}),
        ("insert into event_feeds (project_id) select 'x' where exists (select)", set()),
        ("insert into acts values ($1, $2) on conflict (project_id, id) do update set created_at = now()",
         {"on conflict: a function that is not immutable"}),
        ("with a as (delete from acts where created_at < clock_timestamp()) select 1", {"a volatile function"}),
        ("update schema_migrations set version = random() * 9", set()),
    ],
)  # fmt: skip
async def test_the_rules_find_what_they_are_there_for(database: str, sql: str, broken: set[str]):
    """Each rule is broken by one statement, and by no tables of the coordinator."""
    async with session(database) as connection, Analyser(connection) as analyser:
        assert (await rules_of(connection, DISTRIBUTED | REFERENCE)).broken(await analyser.tree(sql)) == broken


def test_a_function_that_calls_one_that_reads_is_found():
    """Functions are followed through each other, and those that read no spread table are none of them."""
    assert {"registered_targets", "targets_of", "has_other_way_in", "make_user"} <= READERS
    assert not READERS & {"uuid_at", "claim_number", "count_call", "keep_log_partitions"}


@pytest.mark.parametrize(
    ("params", "sql", "fault"),
    [
        (("project_id", "id"), "select name from users where project_id = $1 and id = $2", None),
        (("id",), "select name from users where id = $1", "every_shard"),
        (("id", "project_id"), "select name from users where project_id = $1 and id = $2", "every_shard"),
        (("project_id",), "select id from sms where $1::text is null or project_id = $1", "every_shard"),
        (("project_id", "id"), "insert into acts (project_id, id) values ($1, $2)", None),
        (("id",), "select 1 from mails where id = $1 for update skip locked", "locks_on_every_shard"),
        (("id",), "with m as (update mails set state = 'x' where id = $1) insert into mail_events select 1 from m",
         "writes_twice_on_every_shard"),
        (("project_id",), "with v as (update void_guesses set guesses = 1) delete from tokens where project_id = $1",
         "writes_here_and_there"),
        (("project_id",), "select targets_of(project_id, id, has_targets) from users where project_id = $1",
         "function_on_a_shard"),
        (("name",), "select calls from windows where name = $1", None),
        (("id",), "select name from projects where id = $1", None),
    ],
)  # fmt: skip
def test_the_checker_sees_what_it_is_there_to_see(params: tuple[str, ...], sql: str, fault: str | None):
    """A project that is compared is one shard; all else has its name."""
    assert fault_of(Statement("any", params, None, sql)) == fault
