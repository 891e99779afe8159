"""Statements as Postgres has analysed them, held to what Citus's planner refuses in changes of spread tables.

The rules are those of `ModifyQuerySupported` in its multi_router_planner.c, read and not run.
"""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from asyncpg import Connection, Record

_TOKEN = re.compile(r'[{}()]|"(?:[^"\\]|\\.)*"|(?:[^\s{}()\\]|\\.)+')
_INSERT, _UPDATE, _DELETE = "3", "2", "4"
# Fields that name the function of a node.
_FUNCTIONS = ("funcid", "opfuncid", "aggfnoid", "winfnoid")


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the tree: its kind, and what its fields hold: nodes, lists and words."""

    kind: str
    fields: dict[str, Any]


def parse(text: str) -> Any:
    """Parse what `debug_print_parse` prints."""
    tokens = iter(_TOKEN.findall(text))
    return _value(next(tokens), tokens)


def _value(token: str, tokens: Iterator[str]) -> Any:
    if token == "(":
        found = []
        while (token := next(tokens)) != ")":
            found.append(_value(token, tokens))
        return found
    if token != "{":
        return token
    node, name = Node(next(tokens), {}), ""
    while (token := next(tokens)) != "}":
        if token.startswith(":"):
            name = token[1:]
            node.fields[name] = None
        elif node.fields.get(name) is None:
            node.fields[name] = _value(token, tokens)
    return node


def walk(value: Any, *, into_queries: bool = True) -> Iterator[Node]:
    """Yield the nodes of a tree, those of queries within it only if they are wanted."""
    if isinstance(value, list):
        for each in value:
            yield from walk(each, into_queries=into_queries)
    elif isinstance(value, Node):
        yield value
        for each in value.fields.values():
            if into_queries or not (isinstance(each, Node) and each.kind == "QUERY"):
                yield from walk(each, into_queries=into_queries)


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules of the planner; `spread` are relations by number, `volatility` that of functions: i, s or v."""

    spread: frozenset[str]
    volatility: dict[str, str]

    def broken(self, tree: Any) -> set[str]:
        """Name the rules that a statement breaks."""
        found = set[str]()
        for query in walk(tree):
            if query.kind == "QUERY" and query.fields["commandType"] in (_INSERT, _UPDATE, _DELETE):
                target = query.fields["rtable"][int(query.fields["resultRelation"]) - 1]
                if target.fields.get("relid") in self.spread:
                    found |= set(self._broken_by(query))
        return found

    def _broken_by(self, query: Node) -> Iterator[str]:
        returning = query.fields["returningList"]
        if self._mutable(returning):
            yield "returning: a function that is not immutable"
        if query.fields["commandType"] == _INSERT:
            conflict = query.fields["onConflict"]
            if isinstance(conflict, Node) and self._mutable(
                [conflict.fields[name] for name in ("arbiterWhere", "onConflictSet", "onConflictWhere")]
            ):
                yield "on conflict: a function that is not immutable"
            if query.fields["hasSubLinks"] == "true" and not any(
                each.fields.get("rtekind") == "1" for each in query.fields["rtable"]
            ):
                yield "insert: a subquery among the values"
            return
        jointree = query.fields["jointree"].fields["quals"]
        changed = query.fields["targetList"] if query.fields["commandType"] == _UPDATE else []
        for part in (changed, jointree):
            if any(self._of(node) == "v" for node in walk(part)):
                yield "a volatile function"
            for node in walk(part, into_queries=False):
                if node.kind in {"CASEEXPR", "CASE", "COALESCEEXPR", "COALESCE"} and self._mutable(node):
                    yield "case or coalesce: a function that is not immutable"
                if self._of(node) == "s" and any(each.kind == "VAR" for each in walk(node, into_queries=False)):
                    yield "a stable function of a column"

    def _mutable(self, part: Any) -> bool:
        return any(self._of(node) in {"s", "v"} for node in walk(part))

    def _of(self, node: Node) -> str:
        """Return the volatility of a node's function."""
        if node.kind == "SQLVALUEFUNCTION":
            return "s"
        return next(
            (self.volatility[node.fields[name]] for name in _FUNCTIONS if node.fields.get(name, "0") != "0"), "i"
        )


class Analyser:
    """A session of Postgres that tells how it reads statements."""

    def __init__(self, connection: "Connection[Record]") -> None:
        self._connection = connection
        self._told: list[str] = []

    async def __aenter__(self) -> Self:
        self._connection.add_log_listener(self._listen)
        await self._connection.execute(
            "set debug_print_parse = on; set debug_pretty_print = off; set client_min_messages = log"
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.execute("reset debug_print_parse; reset debug_pretty_print; reset client_min_messages")
        self._connection.remove_log_listener(self._listen)

    def _listen(self, _connection: object, message: Any) -> None:
        if message.message.startswith("parse tree"):
            self._told.append(message.detail)

    async def tree(self, sql: str) -> Any:
        self._told.clear()
        await self._connection.prepare(sql)
        while not self._told:  # noqa: ASYNC110 - listeners are called in the next rounds of the loop
            await asyncio.sleep(0)
        return parse(self._told[0])


async def rules_of(connection: "Connection[Record]", tables: set[str]) -> Rules:
    """Read the numbers of tables and the volatility of all functions."""
    relations = await connection.fetch("select oid::text from pg_class where relname = any($1)", [*tables])
    functions = await connection.fetch("select oid::text, provolatile::text from pg_proc")
    return Rules(frozenset(row[0] for row in relations), {row[0]: row[1] for row in functions})
