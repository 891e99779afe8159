"""Connections to Postgres, and the pool that shares them.

asyncpg's own pool hands out the newest connection first and resets each one, which cost 40 % of the read rate
and most of its tail (design.md 14). Ours is first in, first out, and resets nothing: no statement here
changes the state of a session.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson

from service.errors import Overloaded

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:  # the class takes no parameter when it runs
    Connection = asyncpg.Connection

# What each wait costs at most, in seconds: for a free connection, for a statement, for a lock (reliability.md B9).
ACQUIRE, STATEMENT, LOCK, IDLE_IN_TRANSACTION, CONNECT = 1.0, 3.0, 1.0, 5.0, 5.0


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
        late = asyncio.get_running_loop().call_later(self._patience, _give_up, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            # It came while we were being cancelled: pass it on.
            if turn.done() and not turn.cancelled() and not turn.exception():
                self._hand_on(turn.result())
            raise
        finally:
            late.cancel()

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
        return await self._once("fetchrow", query, args)

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        rows: list[Any] = await self._once("fetch", query, args)
        return rows

    async def execute(self, query: str, *args: Any) -> str:
        tag: str = await self._once("execute", query, args)
        return tag

    async def _once(self, method: str, query: str, args: tuple[Any, ...]) -> Any:
        """One statement, with the care of `connection` but not its price: a generator for every query."""
        connection = await self.acquire()
        try:
            answer = await getattr(connection, method)(query, *args)
        except BaseException as error:
            cut = isinstance(error, asyncio.CancelledError | OSError | asyncpg.InterfaceError)
            self.release(connection, broken=cut or connection.is_in_transaction())
            raise
        self.release(connection, broken=connection.is_in_transaction())
        return answer

    async def close(self) -> None:
        while self._idle:
            await self._idle.popleft().close(timeout=1)
            self._open -= 1


def _give_up(turn: "asyncio.Future[Connection | None]") -> None:
    """A timer of the loop costs a third of asyncio.timeout, and under load every request waits its turn."""
    if not turn.done():
        turn.set_exception(Overloaded(retry_after=1))


async def connect(url: str) -> Connection:
    """A connection outside any pool and without its deadlines, for migrations."""
    connection: Connection = await asyncpg.connect(url, timeout=CONNECT)
    return connection


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """Everything inside happens or nothing does; jobs are rung for below the block, never inside."""
    async with pool.connection() as connection, connection.transaction():
        yield connection
