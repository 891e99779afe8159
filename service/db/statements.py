"""Statements read by name from sql/queries, each under its signature."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import orjson

from service import failpoints
from service.db.error_mapping import reach
from service.project_files import ROOT

if TYPE_CHECKING:
    from service.db.connections import Connection

SQL = ROOT / "sql"
Row = TypeVar("Row")
# Rows that a cursor fetches at a time.
_FETCHED = 1000

_HEADER = re.compile(r"-- name: (?P<name>\w+)\((?P<params>[^)]*)\)(?: -> (?P<row>\w+)[?*]?)?\n")
_PARAM = re.compile(r"(?<![:\w]):([a-z_]+)")


class Executor(Protocol):
    """A pool or a connection: both run statements."""

    async def fetchrow(self, query: str, *args: Any) -> Any: ...
    async def fetch(self, query: str, *args: Any) -> list[Any]: ...
    async def fetchmany(self, query: str, args: Sequence[Sequence[Any]]) -> list[Any]: ...
    async def execute(self, query: str, *args: Any) -> str: ...


@dataclass(frozen=True, slots=True)
class Statement:
    name: str
    params: tuple[str, ...]
    row: str | None
    sql: str

    def call(self, facts: dict[str, Any]) -> list[Any]:
        """Return the statement and its values, in the order of its parameters."""
        if len(facts) != len(self.params):
            raise TypeError(f"{self.name} takes {self.params}, got {tuple(facts)}")
        return [self.sql, *[facts[param] for param in self.params]]


class Queries:
    """Statements of one noun: sql/queries/<noun>.sql, each under its signature."""

    def __init__(self, noun: str) -> None:
        self.statements = {statement.name: statement for statement in _read(SQL / "queries" / f"{noun}.sql")}

    async def one(self, conn: Executor, name: str, row: type[Row], /, **facts: Any) -> Row | None:
        """Return the first row, its columns in the order of the dataclass's fields (a test holds them together)."""
        record = await self._execute(conn.fetchrow, name, facts)
        return None if record is None else row(*record)

    async def all(self, conn: Executor, name: str, row: type[Row], /, **facts: Any) -> list[Row]:
        return [row(*record) for record in await self._execute(conn.fetch, name, facts)]

    async def many(self, conn: Executor, name: str, row: type[Row], /, runs: Sequence[dict[str, Any]]) -> list[Row]:
        """Run a statement with each of these facts, in one round trip and one transaction; return all rows."""
        calls = [self.statements[name].call(facts) for facts in runs]
        if not calls:
            return []
        call = [calls[0][0], [values for _, *values in calls]]
        records = await (_with_failpoints(name, conn.fetchmany, call) if failpoints.armed else conn.fetchmany(*call))
        return [row(*record) for record in records]

    async def stream(
        self, conn: "Connection", name: str, row: type[Row], /, *, timeout: float, **facts: Any
    ) -> AsyncIterator[Row]:
        """Yield rows by a cursor, inside a transaction: they are never in memory all at once."""
        query = self.statements[name].call(facts)
        async for record in conn.cursor(*query, prefetch=_FETCHED, timeout=timeout):
            yield row(*record)

    async def value(self, conn: Executor, name: str, /, **facts: Any) -> Any:
        """Return the first column of the first row, or None."""
        record = await self._execute(conn.fetchrow, name, facts)
        return None if record is None else record[0]

    async def run(self, conn: Executor, name: str, /, **facts: Any) -> int:
        """Return how many rows the statement touched."""
        tag = await self._execute(conn.execute, name, facts)
        return int(tag.rpartition(" ")[2])

    async def expected(self, conn: Executor, name: str, /, **facts: Any) -> int:
        """Return how many rows the planner expects a statement with a limit to find without it; 0 if it can't tell."""
        sql, *values = self.statements[name].call(facts)
        record = await conn.fetchrow(f"explain (format json) {sql}", *values)
        nodes = [orjson.loads(record[0])[0]["Plan"]]
        while nodes and nodes[-1]["Node Type"] != "Limit":
            nodes += nodes.pop().get("Plans", [])
        return int(nodes[-1]["Plans"][0]["Plan Rows"]) if nodes else 0

    def _execute(self, ask: Callable[..., Awaitable[Any]], name: str, facts: dict[str, Any]) -> Awaitable[Any]:
        call = self.statements[name].call(facts)
        return _with_failpoints(name, ask, call) if failpoints.armed else ask(*call)


async def _with_failpoints(name: str, ask: Callable[..., Awaitable[Any]], call: list[Any]) -> Any:
    await reach(f"db.{name}.before")
    answer = await ask(*call)
    await reach(f"db.{name}.after")
    return answer


def _read(path: Path) -> list[Statement]:
    text = path.read_text()
    headers = list(_HEADER.finditer(text))
    ends = [header.start() for header in headers[1:]] + [len(text)]
    return [_statement(header, text[header.end() : end]) for header, end in zip(headers, ends, strict=True)]


def _statement(header: re.Match[str], body: str) -> Statement:
    params = tuple(param.strip() for param in header["params"].split(",") if param.strip())
    numbers = {param: f"${number}" for number, param in enumerate(params, 1)}
    code = "\n".join(line for line in body.splitlines() if not line.startswith("--"))
    sql = _PARAM.sub(lambda match: numbers[match[1]], code).strip().rstrip(";")
    return Statement(header["name"], params, header["row"], sql)
