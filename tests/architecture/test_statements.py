"""SQL is held to the schema, to the dataclass that its header names, and to the noun that runs it."""

import ast
import importlib
import re
import types
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from service.db import SQL, Pool, Queries, Statement
from testkit.sources import modules

_HEADER = re.compile(r"-- name: (\w+)\([^)]*\)(?: -> \w+(?P<count>[?*])?)?$", re.MULTILINE)
# What asyncpg makes of a column, by Postgres's name for its type.
_PYTHON = {
    "text": str, "varchar": str, "bool": bool, "int2": int, "int4": int, "int8": int, "float8": float,
    "bytea": bytes, "jsonb": dict, "timestamptz": "datetime", "uuid": "UUID", "text[]": list, "uuid[]": list,
    "bytea[]": list, "int8[]": list,
}  # fmt: skip
_NOUNS = sorted(path.stem for path in (SQL / "queries").glob("*.sql"))
_STATEMENTS = [(noun, statement) for noun in _NOUNS for statement in Queries(noun).statements.values()]
each_statement = pytest.mark.parametrize(
    ("noun", "statement"), _STATEMENTS, ids=[f"{noun}.{statement.name}" for noun, statement in _STATEMENTS]
)


@dataclass(frozen=True)
class Use:
    """One call of a statement: the method of Queries, and the dataclass given to it."""

    name: str
    method: str
    row: str | None


def uses(tree: ast.Module) -> list[Use]:
    """Statements that a noun runs: _sql.one(conn, "name", Row, …) and the like, or _sql.statements["name"]."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="_sql"), attr="one" | "all" | "many" | "stream" as method),
                args=[_, ast.Constant(value=str(name)), row, *_],
            ):
                found.append(Use(name, method, ast.unparse(row)))
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="_sql"), attr="value" | "run" as method),
                args=[_, ast.Constant(value=str(name)), *_],
            ):
                found.append(Use(name, method, None))
            case ast.Subscript(
                value=ast.Attribute(value=ast.Name(id="_sql"), attr="statements"), slice=ast.Constant(value=str(name))
            ):
                found.append(Use(name, "text", None))
            case _:
                pass
    return found


def home_of(noun: str) -> str:
    """The module that runs a noun's statements; what Postgres is asked about itself is run by the door to it."""
    homes = (f"service.store.{noun}", f"service.db.{noun}", f"service.{noun}")
    return next(name for name in homes if name in modules("service"))


def row_of(noun: str, statement: Statement) -> type:
    """The dataclass that a header names; it stands in the noun of the same name."""
    found = getattr(importlib.import_module(home_of(noun)), statement.row or "", None)
    assert is_dataclass(found), f"{home_of(noun)} has no dataclass {statement.row}, which {statement.name} answers"
    assert isinstance(found, type)
    return found


@each_statement
async def test_the_schema_understands_it(pool: Pool, noun: str, statement: Statement):
    """Every statement is prepared against the migrated schema: no misspelt table, column or cast survives."""
    async with pool.connection() as connection:
        prepared = await connection.prepare(statement.sql)
        assert len(prepared.get_parameters()) == len(statement.params), "a parameter of the header is not used"


@each_statement
async def test_its_columns_are_the_fields(pool: Pool, noun: str, statement: Statement):
    """Rows are built by position: names, order and types of the columns are those of the dataclass."""
    async with pool.connection() as connection:
        columns = (await connection.prepare(statement.sql)).get_attributes()
    if statement.row is None:
        assert len(columns) <= 1, "a statement with several columns names the dataclass that holds them"
        return
    row = row_of(noun, statement)
    assert [column.name for column in columns] == [field.name for field in fields(row)]
    hints = get_type_hints(row)
    wrong = [
        f"{column.name} is {column.type.name}, its field {hints[column.name]}"
        for column in columns
        if _name(_PYTHON[column.type.name]) != _name(_without_none(hints[column.name]))
    ]
    assert not wrong, wrong


def _without_none(hint: Any) -> Any:
    """A hint in its plainest form: `str | None` and a Literal of words as str, list[str] as list."""
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = [part for part in get_args(hint) if part is not type(None)]
    if get_origin(hint) is Literal:
        return str
    return get_origin(hint) or hint


def _name(kind: Any) -> str:
    return kind if isinstance(kind, str) else kind.__name__


@each_statement
def test_its_noun_runs_it(noun: str, statement: Statement):
    """No statement is left over, and it is run as its header says: `?` by one, `*` by all, with that dataclass."""
    found = [use for use in uses(modules("service")[home_of(noun)]) if use.name == statement.name]
    assert found, f"{home_of(noun)} does not run {statement.name}"
    many = dict(_HEADER.findall((SQL / "queries" / f"{noun}.sql").read_text()))[statement.name] == "*"
    wanted = {"value", "run", "text"} if statement.row is None else {"all", "many", "stream"} if many else {"one"}
    assert {use.method for use in found} <= wanted, found
    assert {use.row for use in found} <= {statement.row}, found


@pytest.mark.parametrize("noun", _NOUNS)
def test_a_noun_runs_only_what_stands_there(noun: str):
    """A misspelt statement is found here and not by the first request that needs it."""
    assert {use.name for use in uses(modules("service")[home_of(noun)])} <= Queries(noun).statements.keys()


@pytest.mark.parametrize("noun", _NOUNS)
def test_no_header_is_missed(noun: str):
    """A header that the reader does not recognise would make its statement part of the one before."""
    text = (SQL / "queries" / f"{noun}.sql").read_text()
    assert text.count("-- name:") == len(Queries(noun).statements) == len(_HEADER.findall(text))


async def test_two_swapped_columns_would_be_found(pool: Pool):
    """The comparison looks at the order: that is what a positional row depends on."""
    swapped = Statement("swapped", (), "Applied", "select checksum, version from schema_migrations")
    with pytest.raises(AssertionError):
        await test_its_columns_are_the_fields(pool, "migrations", swapped)
