"""sql/schema.sql, the whole schema for reading, is what the migrations make."""

import pytest

from service.db import Pool
from testkit.schema import FILE, schema


async def test_the_schema_file_is_what_the_migrations_make(pool: Pool):
    """Whoever writes a migration runs `python -m testkit.schema` and reads what it has become."""
    async with pool.connection() as connection:
        assert await schema(connection) == FILE.read_text(), "run `python -m testkit.schema`"


@pytest.mark.parametrize(
    "statement",
    [
        "create table extra (id int)",
        "alter table users add column extra int",
        "alter table users alter column name drop not null",
        "alter table users alter column name set default 'x'",
        "alter table users drop constraint users_email_check",
        "drop index users_by_age",
        "alter table users set (fillfactor = 90)",
        "create function extra() returns int language sql as 'select 1'",
    ],
)
async def test_a_difference_is_found(pool: Pool, statement: str):
    """Columns, constraints, indexes, storage and functions are compared."""
    async with pool.connection() as connection:
        block = connection.transaction()
        await block.start()
        await connection.execute(statement)
        assert await schema(connection) != FILE.read_text()
        await block.rollback()


async def test_an_object_of_a_new_kind_is_not_left_out_in_silence(pool: Pool):
    """A view would be missing from the file: the command says so."""
    async with pool.connection() as connection:
        block = connection.transaction()
        await block.start()
        await connection.execute("create view extra as select 1")
        with pytest.raises(LookupError, match="extra"):
            await schema(connection)
        await block.rollback()
