"""Pool of connections to Postgres.

asyncpg's own pool hands out the newest connection first and resets each one, which cost 40 % of the read rate and most
of its tail (docs/decisions/0014-speed-by-shape.md). This one is first in, first out, and resets nothing: no statement
here changes the state of a session.
"""

import asyncio
import logging
import re
from collections import Counter, deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from typing import Any

from service import outages
from service.db.connections import ACQUIRE, Connection, open_session
from service.db.error_mapping import OUTAGES, DatabaseFault, OutcomeUnknown, TooManyConnections, classify, find_fault
from service.db.explanations import fault as fault_in_words
from service.db.retries import mark_committed
from service.errors import Overloaded
from service.outages import Outage

log = logging.getLogger(__name__)
# Bound on waiting callers: with a slow server the pool sheds here what it could only answer too late.
WAITING = 1000
# Seconds without new connections after Postgres had none left, and between two attempts while the pool has
# none at all.
_MODEST, _AGAIN = 0.5, 0.1
_SELECT = re.compile(r"\s*select\b", re.IGNORECASE)
_STATEMENTS = 1024


class Pool:
    """At most `size` connections, opened when first needed; a connection that was cut or cancelled is not reused."""

    def __init__(
        self, url: str, *, size: int, name: str = "accounts", patience: float = ACQUIRE, outage: Outage | None = None
    ) -> None:
        """Create a pool. Pools of one process share an `outage`, so that the log has one line."""
        self._url, self._size, self._name, self._patience = url, size, name, patience
        self._outage = outage or outages.of_postgres(url)
        self._idle: deque[Connection] = deque()
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._open = 0
        self._known: set[Connection] = set()
        self._expired: set[Connection] = set()
        self._modest_until = 0.0
        # For metrics: callers that had to wait, their seconds, and faults by name.
        self.waits, self.waited = 0, 0.0
        self.faults: Counter[str] = Counter({fault.name.lower(): 0 for fault in DatabaseFault})

    @property
    def opened(self) -> int:
        return self._open

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def acquire(self) -> Connection:
        """Return a connection; Overloaded if none comes free within `patience` seconds."""
        until = 0.0
        while True:
            while self._idle:
                connection = self._idle.popleft()
                if not connection.is_closed():
                    return connection
                self._forget(connection)
            until = until or asyncio.get_running_loop().time() + self._patience
            if self._open < self._size and not self._is_within_share():
                if opened := await self._extend(until):
                    return opened
            elif handed := await self._wait_for_turn(until):
                return handed

    def _is_within_share(self) -> bool:
        return self._open > 0 and asyncio.get_running_loop().time() < self._modest_until

    async def _extend(self, until: float) -> Connection | None:
        """Open a connection; None if Postgres has none left, as long as it makes sense to wait."""
        self._open += 1
        try:
            connection = await open_session(self._url, name=self._name)
        except BaseException as error:
            self._open -= 1
            self._pass_to_next(None)
            self._count(classify(error))
            now = asyncio.get_running_loop().time()
            if not isinstance(error, TooManyConnections) or now >= until:
                self.note(error)
                raise
            self._modest_until = now + _MODEST
        else:
            self._known.add(connection)
            self._answered()
            return connection
        if not self._open:
            await asyncio.sleep(_AGAIN)
        return None

    async def _wait_for_turn(self, until: float) -> Connection | None:
        """Wait for the next connection that comes back; None where a broken one left room for a new one."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        if len(self._waiting) >= WAITING:
            raise Overloaded(retry_after=1)
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Connection | None] = loop.create_future()
        self._waiting.append(turn)
        late, since = loop.call_at(until, _abort, turn), loop.time()
        self.waits += 1
        try:
            return await turn
        except asyncio.CancelledError:
            # It came during the cancellation: pass it on.
            if turn.done() and not turn.cancelled() and not turn.exception():
                self._pass_to_next(turn.result())
            raise
        finally:
            late.cancel()
            self.waited += loop.time() - since

    def _count(self, fault: DatabaseFault | None) -> None:
        if fault:
            self.faults[fault.name.lower()] += 1

    def _pass_to_next(self, connection: Connection | None) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        if connection is not None:
            self._idle.append(connection)

    def release(self, connection: Connection, *, broken: bool = False) -> None:
        """Hand a connection back; a broken one is cut off at once, since waiting for a hung server takes long."""
        if broken or connection.is_closed() or (self._expired and connection in self._expired):
            self._forget(connection)
            self._pass_to_next(None)
        else:
            self._pass_to_next(connection)

    def discard(self, connection: Connection, error: BaseException | None) -> None:
        """Hand a connection back after that error, which may concern the others too."""
        if error is None:
            self._answered()
        fault = classify(error) if error else None
        self._count(fault)
        if fault is DatabaseFault.READ_ONLY and connection not in self._expired:
            self.expire()
        if fault is DatabaseFault.LOST:
            self._close_idle()  # an error that cut this one or made it hang did the same to those, as a rule
        left = error is not None and not isinstance(error, Exception)  # its query may still run
        broken = left or fault is DatabaseFault.LOST or connection.is_closed() or connection.is_in_transaction()
        self.release(connection, broken=broken)

    def note(self, error: BaseException) -> bool:
        """Tell whether this is a lasting fault of Postgres; the log has one line while it lasts."""
        fault = classify(error)
        if fault in OUTAGES:
            self._outage.record_failure(fault_in_words(error))
        elif find_fault(error):
            log.warning("Postgres is too busy", extra={"event": "postgres.overloaded", "cause": type(error).__name__})
        return find_fault(error) is not None

    def _answered(self) -> None:
        if self._outage.ongoing:
            self._outage.record_success()

    def expire(self) -> None:
        """Retire all present connections, for they lead to a server that is not the primary any more."""
        self._close_idle()
        self._expired = set(self._known)

    def _close_idle(self) -> None:
        while self._idle:
            self._forget(self._idle.popleft())

    def _forget(self, connection: Connection) -> None:
        connection.terminate()
        self._open -= 1
        self._known.discard(connection)
        self._expired.discard(connection)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection for several statements."""
        connection = await self.acquire()
        try:
            yield connection
        except BaseException as error:
            self.discard(connection, error)
            raise
        self.discard(connection, None)

    def fetchrow(self, query: str, *args: Any) -> Coroutine[Any, Any, Any]:
        return self._once("fetchrow", query, args)

    def fetch(self, query: str, *args: Any) -> Coroutine[Any, Any, list[Any]]:
        return self._once("fetch", query, args)

    def fetchmany(self, query: str, args: Sequence[Sequence[Any]]) -> Coroutine[Any, Any, list[Any]]:
        return self._once("fetchmany", query, (args,))

    def execute(self, query: str, *args: Any) -> Coroutine[Any, Any, str]:
        return self._once("execute", query, args)

    async def _once(self, method: str, query: str, args: tuple[Any, ...]) -> Any:
        """Run one statement, with the care of `connection` but without the cost of a generator.

        A read whose connection turns out to be lost is run again. A write is not: raises OutcomeUnknown.
        """
        connection = await self.acquire()
        try:
            answer = await getattr(connection, method)(query, *args)
        except BaseException as error:
            self.discard(connection, error)
            if classify(error) is not DatabaseFault.LOST:
                raise
            if not _is_read(query):
                mark_committed()
                raise OutcomeUnknown from error
            if isinstance(error, TimeoutError):
                raise
        else:
            self._answered()
            self.release(connection, broken=connection.is_in_transaction())
            if not _is_read(query):
                mark_committed()
            return answer
        async with self.connection() as another:
            return await getattr(another, method)(query, *args)

    async def close(self) -> None:
        """Close all connections, within a second; those that hang are cut off."""
        parting = list(self._idle)
        self._idle.clear()
        await asyncio.gather(*(_disconnect(connection) for connection in parting))
        for connection in parting:
            self._forget(connection)


@lru_cache(_STATEMENTS)
def _is_read(query: str) -> bool:
    """Tell a read; statements are few, and each one is asked about at each run."""
    return _SELECT.match(query) is not None


async def _disconnect(connection: Connection) -> None:
    with suppress(Exception):  # cut off those that were not closed in order
        await connection.close(timeout=1)


def _abort(turn: "asyncio.Future[Connection | None]") -> None:
    """End a wait. A timer of the loop costs a third of asyncio.timeout, and under load every request waits its turn."""
    if not turn.done():
        turn.set_exception(Overloaded(retry_after=1))
