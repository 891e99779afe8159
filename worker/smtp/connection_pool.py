"""The open connections to one server, each used by one mail at a time, the last used first."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakSet

import aiosmtplib

from service.settings import Deadlines
from worker.smtp.error_mapping import of_error
from worker.smtp.outcomes import TryLater, Undelivered
from worker.smtp.session import Connection
from worker.smtp.smtp_url import Server

if TYPE_CHECKING:
    from worker.smtp.oauth import AccessTokens

# Seconds of rest after which a connection is given back to the server, which may count them.
_LONGEST_REST = 60.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Connections at a time, mails over each, and seconds of rest after which one must prove that it lives."""

    connections: int
    mails: int
    idle: float


class Connections:
    """Makes them, lends them, takes them back."""

    def __init__(self, server: Server, bounds: Bounds, deadlines: Deadlines) -> None:
        """Raise OSError when the server's `ca` file holds no certificate."""
        self.closed = False
        self._server = server
        self._bounds = bounds
        self._deadlines = deadlines
        self._idle: list[Connection] = []
        self._opened: WeakSet[Connection] = WeakSet()
        self._tokens = _access_tokens(server)
        self._context = None if server.tls == "none" else ssl.create_default_context(cafile=server.ca)

    @property
    def welcomed(self) -> int:
        """How many the server has greeted and not ended yet, whether in use or idle."""
        return sum(each.alive and each.stage not in ("connect", "banner") for each in self._opened)

    async def waiting(self) -> Connection | None:
        """The connection used last that still lives; a round trip proves it only after a long rest."""
        while self._idle:
            connection = self._idle.pop()
            if connection.mails >= self._bounds.mails:
                await connection.part()
                continue
            rested = asyncio.get_running_loop().time() - connection.used_at
            fresh = rested < self._bounds.idle
            if connection.alive and (fresh or await connection.accepts(b"NOOP")):
                return connection
            connection.drop()
        return None

    async def open(self) -> Connection | Undelivered:
        """A connection ready for MAIL FROM: TLS as configured, never less, and signed in."""
        if self.closed:
            return TryLater(0, "the relay is closing", "connect")
        server = self._server
        smtp = aiosmtplib.SMTP(
            hostname=server.host,
            local_hostname=server.helo or "localhost",
            use_tls=server.tls == "implicit",
            start_tls=False,
            tls_context=self._context,
            timeout=None,
        )
        connection = Connection(smtp, self._deadlines)
        self._opened.add(connection)
        try:
            await connection.greet(server, self._tokens)
        except Exception as error:  # noqa: BLE001 - whatever it was, it becomes one of our answers
            fault = of_error(error, connection.stage)
        except BaseException:
            connection.drop()
            raise
        else:
            return connection
        connection.drop()
        return fault

    def put_back(self, connection: Connection) -> None:
        if self.closed:
            connection.drop()
        elif connection.alive:
            connection.used_at = asyncio.get_running_loop().time()
            self._idle.append(connection)

    async def tidy(self) -> None:
        """Say goodbye on connections that nobody has needed for long."""
        oldest = asyncio.get_running_loop().time() - _LONGEST_REST
        while self._idle and self._idle[0].used_at < oldest:
            await self._idle.pop(0).part()

    async def close(self) -> None:
        """Say goodbye on every idle connection; busy ones end with their mail, later mails get TryLater."""
        self.closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.part() for connection in idle))

    def drop_idle(self) -> None:
        """Without a word: the server is not well."""
        while self._idle:
            self._idle.pop().drop()


def _access_tokens(server: Server) -> "AccessTokens | None":
    if server.oauth is None:
        return None
    from worker.smtp.oauth import AccessTokens  # noqa: PLC0415 - aiohttp takes 20 MB that only such a relay needs

    return AccessTokens(server.oauth, server.username)
