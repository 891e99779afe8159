"""Tables and statements as an engine sees them that spreads the projects' rows over nodes (docs/scale.md)."""

import re
import tomllib
from pathlib import Path

from service.db import SQL, Queries, Statement
from service.store.distribution import PLAN

LEDGER = Path(__file__).with_name("distribution.toml")
# Stays on the coordinator.
LOCAL = {"windows", "window_resets", "void_guesses", "schema_migrations"}
_MADE = re.compile(r"^create (?:unlogged )?table (\w+)", re.MULTILINE)
_TABLE = re.compile(r"\b(?:insert into ([a-z_]+)|(?:from|join|update|using)\s+(?:only\s+)?([a-z_]+)\b(?!\s*\())")
_LOCKS = re.compile(r"\bfor (?:(?:no )?key )?(?:update|share)\b")
_WRITES = re.compile(r"\b(?:insert into|update [a-z]|delete from)")
_FUNCTION = re.compile(
    r"^CREATE OR REPLACE FUNCTION public\.(\w+)\(.*?AS \$function\$(.*?)\$function\$", re.MULTILINE | re.DOTALL
)


def used(sql: str) -> set[str]:
    """Names in the places of tables."""
    return {written or read for written, read in _TABLE.findall(sql)}


def spread(function: str) -> set[str]:
    """Tables that the plan makes reference or distributed tables."""
    return set(re.findall(rf"^select {function}\('(\w+)'", PLAN.read_text(), re.MULTILINE))


REFERENCE, DISTRIBUTED = spread("create_reference_table"), spread("create_distributed_table")
TABLES = set(_MADE.findall((SQL / "schema.sql").read_text()))
# Functions that read or write distributed tables.
_READERS = {name for name, body in _FUNCTION.findall((SQL / "schema.sql").read_text()) if DISTRIBUTED & used(body)}
READERS = _READERS | {
    name
    for name, body in _FUNCTION.findall((SQL / "schema.sql").read_text())
    if re.search(rf"\b(?:{'|'.join(_READERS)})\(", body)
}


def names_project(statement: Statement) -> bool:
    """Tell whether it is about the rows of one project, given as a parameter, and so about one shard."""
    if "project_id" not in statement.params:
        return False
    place = rf"\${statement.params.index('project_id') + 1}(?:::text)?(?!\d)"
    if re.search(rf"{place} is null\b", statement.sql):
        return False
    compared = rf"project_id = {place}|\(project_id, [^)]*\) = \({place}|select {place}(?: as project_id)?,"
    return bool(re.search(rf"{compared}|values\s*\({place}", statement.sql))


def fault_of(statement: Statement) -> str | None:
    """Return what Citus makes of it: None is one shard, `every_shard` works at a cost, the others it refuses."""
    if not used(statement.sql) & TABLES & DISTRIBUTED:
        return None
    found = {
        "function_on_a_shard": re.search(rf"\b(?:{'|'.join(READERS)})\(", statement.sql),
        "writes_here_and_there": re.search(rf"\b(?:into|update|from) (?:{'|'.join(LOCAL)})\b", statement.sql),
    }
    if not names_project(statement):
        found |= {
            "locks_on_every_shard": _LOCKS.search(statement.sql),
            "writes_twice_on_every_shard": len(_WRITES.findall(statement.sql)) > 1,
            "every_shard": True,
        }
    return next((fault for fault, there in found.items() if there), None)


def ledger() -> dict[str, str]:
    """The known exceptions: fault by the name of the statement."""
    found = tomllib.loads(LEDGER.read_text())
    return {name: fault for fault, names in found.items() for name in names}


def faults() -> dict[str, str]:
    return {
        f"{path.stem}.{statement.name}": fault
        for path in sorted((SQL / "queries").glob("*.sql"))
        for statement in Queries(path.stem).statements.values()
        if (fault := fault_of(statement))
    }
