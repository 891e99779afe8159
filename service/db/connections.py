"""One connection to Postgres: to the listed host that takes writes, with the deadlines of a session.

An address may list several hosts, `postgres://user:password@one,two/name`, as libpq has it. They are asked at once:
one after the other, a host that drops packets would cost all the time that a request has.
"""

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
from asyncpg.connect_utils import SessionAttribute

from service import endpoints
from service.db.error_mapping import from_os_error

if TYPE_CHECKING:
    _Connection = asyncpg.Connection[asyncpg.Record]
else:  # the class takes no parameter when it runs
    _Connection = asyncpg.Connection

# Upper bounds in seconds: for a free connection, for a statement, for a lock, between the statements
# of a transaction, for a new connection (docs/operations.md). A statement that the server does
# not cut short itself is cut off half a second later: server or network hang.
# A lock is waited for a little longer than Postgres waits before it looks for a deadlock (deadlock_timeout, 1 s):
# else each would be reported as a lock that took too long, and never be resolved by another run.
# A new connection has as long as the answer to a statement. On a busy machine this process may stand still for two
# seconds, and must not take that for an outage of Postgres. A request with less time left has its own deadline.
ACQUIRE, STATEMENT, LOCK, IDLE_IN_TRANSACTION = 1.0, 3.0, 1.25, 5.0
HUNG = CONNECT = STATEMENT + 0.5
# A session's settings, as Postgres shows them in pg_settings. A pooler in transaction mode drops them.
SESSION = {
    "jit": "off",
    "statement_timeout": str(int(STATEMENT * 1000)),
    "lock_timeout": str(int(LOCK * 1000)),
    "idle_in_transaction_session_timeout": str(int(IDLE_IN_TRANSACTION * 1000)),
}
# Option of a URL. Off is for poolers that know no prepared statements: asyncpg then sends each one with its values.
PREPARED_STATEMENTS = "prepared_statements"
_CACHED_STATEMENTS = 100


class Connection(_Connection):
    """Connection whose socket errors become errors of Postgres, in statements and transactions."""

    async def fetchrow(self, query: str, *args: Any, **options: Any) -> Any:
        try:
            return await super().fetchrow(query, *args, **options)
        except OSError as error:
            raise from_os_error(error) from error

    async def fetch(self, query: str, *args: Any, **options: Any) -> Any:
        try:
            return await super().fetch(query, *args, **options)
        except OSError as error:
            raise from_os_error(error) from error

    async def fetchmany(self, query: str, args: Any, **options: Any) -> Any:
        try:
            return await super().fetchmany(query, args, **options)
        except OSError as error:
            raise from_os_error(error) from error

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        try:
            return await super().execute(query, *args, **options)
        except OSError as error:
            raise from_os_error(error) from error


async def open_session(url: str, *, name: str) -> Connection:
    """Open a connection for the service's statements, within CONNECT seconds."""
    settings = {"application_name": name, "timezone": "UTC"} | SESSION
    try:
        async with asyncio.timeout(CONNECT):
            return await _set_codecs(await _dial(url, settings))
    except OSError as error:
        raise from_os_error(error) from error


async def _set_codecs(connection: Connection) -> Connection:
    """Set JSON columns to be read as objects."""
    try:
        await connection.set_type_codec(
            "jsonb",
            schema="pg_catalog",
            encoder=lambda value: orjson.dumps(value, default=str).decode(),
            decoder=orjson.loads,
        )
    except BaseException:
        connection.terminate()
        raise
    return connection


async def connect(url: str) -> Connection:
    """Open a connection outside any pool and without a session's deadlines, for migrations."""
    try:
        async with asyncio.timeout(CONNECT):
            return await _dial(url, {}, patience=None)
    except OSError as error:
        raise from_os_error(error) from error


def hosts(url: str) -> list[str]:
    """Split an address into one for each host that it lists."""
    scheme, slashes, rest = url.partition("://")
    end = next((place for place, letter in enumerate(rest) if letter in "/?#"), len(rest))
    user, at, places = rest[:end].rpartition("@")
    return [f"{scheme}{slashes}{user}{at}{place}{rest[end:]}" for place in places.split(",")]


async def _dial(url: str, settings: dict[str, str], *, patience: float | None = HUNG) -> Connection:
    """Connect to the first host that takes writes; raises the error of the last one if none does."""
    calls = [asyncio.create_task(_call(host, settings, patience)) for host in hosts(url)]
    reached: Connection | None = None
    fault: BaseException | None = None
    try:
        for call in asyncio.as_completed(calls):
            try:
                reached = await call
                break
            except Exception as error:  # noqa: BLE001 - an error of one host does not rule out the others
                fault = error
    finally:
        for task in calls:
            task.cancel()
            task.add_done_callback(lambda done: _close_quietly(done, reached))
    if reached is None:
        raise fault or OSError("no host is listed")
    return reached


async def _call(host: str, settings: dict[str, str], patience: float | None) -> Connection:
    """Connect to one host. Postgres 14 and newer report by themselves if they take writes, without a round trip."""
    address, prepared = endpoints.take_option(host, PREPARED_STATEMENTS)
    connection: Connection = await asyncpg.connect(
        address,
        timeout=CONNECT,
        command_timeout=patience,
        statement_cache_size=0 if prepared == "off" else _CACHED_STATEMENTS,
        server_settings=settings,
        target_session_attrs=SessionAttribute.read_write,
        connection_class=Connection,
    )
    return connection


def _close_quietly(call: "asyncio.Task[Connection]", kept: Connection | None) -> None:
    """Close a second host's connection, or one that came too late."""
    if not call.cancelled() and call.exception() is None and call.result() is not kept:
        call.result().terminate()
