"""The one door to Postgres: a pool, transactions, and statements read by name from sql/queries.

asyncpg's own pool hands out the newest connection first and resets each one, which cost 40 % of the read rate
and most of its tail (design.md 14). Ours is first in, first out, and resets nothing: no statement here
changes the state of a session.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import asyncpg
import orjson

from service.errors import Overloaded

SQL = Path(__file__).parent.parent / "sql"
UniqueViolation = asyncpg.UniqueViolationError
Row = TypeVar("Row")

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:  # the class takes no parameter when it runs
    Connection = asyncpg.Connection

_HEADER = re.compile(r"-- name: (?P<name>\w+)\((?P<params>[^)]*)\)(?: -> (?P<row>\w+)[?*]?)?\n")
_PARAM = re.compile(r"(?<![:\w]):([a-z_]+)")
# What each wait costs at most, in seconds: for a free connection, for a statement, for a lock (reliability.md B9).
ACQUIRE, STATEMENT, LOCK, IDLE_IN_TRANSACTION, CONNECT = 1.0, 3.0, 1.0, 5.0, 5.0


class Executor(Protocol):
    """A pool or a connection: both run statements."""

    async def fetchrow(self, query: str, *args: Any) -> Any: ...
    async def fetch(self, query: str, *args: Any) -> list[Any]: ...
    async def execute(self, query: str, *args: Any) -> str: ...


class Pool:
    """At most `size` connections, opened when first needed; a connection that was cut or cancelled is not reused."""

    def __init__(self, url: str, *, size: int, name: str = "accounts", patience: float = ACQUIRE) -> None:
        self._url, self._size, self._name, self._patience = url, size, name, patience
        self._idle: deque[Connection] = deque()
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._open = 0

    async def acquire(self) -> Connection:
        """A connection within `patience` seconds, or Overloaded."""
        while True:
            while self._idle:
                connection = self._idle.popleft()
                if not connection.is_closed():
                    return connection
                self._open -= 1
            if self._open < self._size:
                return await self._connect()
            if handed := await self._turn():
                return handed

    async def _turn(self) -> Connection | None:
        """The next connection that comes back, or None where a broken one left room for a new one."""
        turn: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._patience):
                return await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # it came while we were being cancelled: pass it on
                self._hand_on(turn.result())
            if isinstance(error, TimeoutError):
                raise Overloaded(retry_after=1) from None
            raise

    def _hand_on(self, connection: Connection | None) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        if connection is not None:
            self._idle.append(connection)

    async def _connect(self) -> Connection:
        self._open += 1
        try:
            connection: Connection = await asyncpg.connect(
                self._url, timeout=CONNECT, command_timeout=STATEMENT + 1, server_settings=self._session()
            )
            await connection.set_type_codec(
                "jsonb",
                schema="pg_catalog",
                encoder=lambda value: orjson.dumps(value, default=str).decode(),
                decoder=orjson.loads,
            )
        except BaseException:
            self._open -= 1
            self._hand_on(None)
            raise
        return connection

    def _session(self) -> dict[str, str]:
        return {
            "application_name": self._name,
            "timezone": "UTC",
            "jit": "off",
            "statement_timeout": str(int(STATEMENT * 1000)),
            "lock_timeout": str(int(LOCK * 1000)),
            "idle_in_transaction_session_timeout": str(int(IDLE_IN_TRANSACTION * 1000)),
        }

    def release(self, connection: Connection, *, broken: bool = False) -> None:
        """Hand a connection back; a broken one is cut off at once, since waiting for a hung server takes long."""
        if broken or connection.is_closed():
            connection.terminate()
            self._open -= 1
            self._hand_on(None)
        else:
            self._hand_on(connection)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for several statements."""
        connection = await self.acquire()
        try:
            yield connection
        except (asyncio.CancelledError, OSError, asyncpg.InterfaceError):
            self.release(connection, broken=True)  # TimeoutError is an OSError: its query may still run
            raise
        except BaseException:
            self.release(connection, broken=connection.is_in_transaction())
            raise
        self.release(connection, broken=connection.is_in_transaction())

    async def fetchrow(self, query: str, *args: Any) -> Any:
        async with self.connection() as connection:
            return await connection.fetchrow(query, *args)

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        async with self.connection() as connection:
            return await connection.fetch(query, *args)

    async def execute(self, query: str, *args: Any) -> str:
        async with self.connection() as connection:
            return await connection.execute(query, *args)

    async def close(self) -> None:
        while self._idle:
            await self._idle.popleft().close(timeout=1)
            self._open -= 1


async def connect(url: str) -> Connection:
    """A connection outside any pool and without its deadlines, for migrations."""
    connection: Connection = await asyncpg.connect(url, timeout=CONNECT)
    return connection


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """Everything inside happens or nothing does; jobs are rung for below the block, never inside."""
    async with pool.connection() as connection, connection.transaction():
        yield connection


@dataclass(frozen=True, slots=True)
class Statement:
    name: str
    params: tuple[str, ...]
    row: str | None
    sql: str


class Queries:
    """The statements of one noun: sql/queries/<noun>.sql, each under its signature."""

    def __init__(self, noun: str) -> None:
        self.statements = {statement.name: statement for statement in _read(SQL / "queries" / f"{noun}.sql")}

    async def one(self, conn: Executor, name: str, row: type[Row], /, **facts: Any) -> Row | None:
        """The first row, its columns in the order of the dataclass's fields (a test holds them together)."""
        record = await conn.fetchrow(*self._call(name, facts))
        return None if record is None else row(*record)

    async def all(self, conn: Executor, name: str, row: type[Row], /, **facts: Any) -> list[Row]:
        return [row(*record) for record in await conn.fetch(*self._call(name, facts))]

    async def value(self, conn: Executor, name: str, /, **facts: Any) -> Any:
        """The first column of the first row, or None."""
        record = await conn.fetchrow(*self._call(name, facts))
        return None if record is None else record[0]

    async def run(self, conn: Executor, name: str, /, **facts: Any) -> int:
        """How many rows the statement touched."""
        tag = await conn.execute(*self._call(name, facts))
        return int(tag.rpartition(" ")[2])

    def _call(self, name: str, facts: dict[str, Any]) -> list[Any]:
        statement = self.statements[name]
        if len(facts) != len(statement.params):
            raise TypeError(f"{name} takes {statement.params}, got {tuple(facts)}")
        return [statement.sql, *(facts[param] for param in statement.params)]


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


def diagnose(error: BaseException) -> Overloaded | None:
    """The answer for an error that is Postgres's or the way's to it; None if it is a fault of ours."""
    if isinstance(error, asyncpg.PostgresError):
        transient = ("08", "25006", "40001", "40P01", "53", "55P03", "57")
        return Overloaded(retry_after=1) if (error.sqlstate or "").startswith(transient) else None
    if isinstance(error, OSError | asyncpg.InterfaceError):
        return Overloaded(retry_after=1)
    return None


def refusal(error: BaseException) -> str | None:
    """What Postgres said no to, in one line for an operator; None for an error that is not Postgres's."""
    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
        return str(error).partition("\n")[0]
    return None
