"""The open connections to one server, each used by one mail at a time, the last used first."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakSet

import aiosmtplib

from service.settings import Deadlines
from worker.smtp.error_mapping import of_error
from worker.smtp.outcomes import DeliveryFailure, TemporaryFailure
from worker.smtp.session import SmtpSession
from worker.smtp.smtp_url import SmtpUrl

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


class ConnectionPool:
    """Makes them, lends them, takes them back."""

    def __init__(self, server: SmtpUrl, bounds: Bounds, deadlines: Deadlines) -> None:
        """Raise OSError when the server's `ca` file holds no certificate."""
        self.closed = False
        self._server = server
        self._bounds = bounds
        self._deadlines = deadlines
        self._idle: list[SmtpSession] = []
        self._opened: WeakSet[SmtpSession] = WeakSet()
        self._tokens = _access_tokens(server)
        self._context = None if server.tls == "none" else ssl.create_default_context(cafile=server.ca)

    @property
    def welcomed(self) -> int:
        """How many the server has greeted and not ended yet, whether in use or idle."""
        return sum(each.alive and each.stage not in ("connect", "banner") for each in self._opened)

    async def idle_session(self) -> SmtpSession | None:
        """The connection used last that still lives; a round trip proves it only after a long rest."""
        while self._idle:
            connection = self._idle.pop()
            if connection.mails >= self._bounds.mails:
                await connection.quit()
                continue
            rested = asyncio.get_running_loop().time() - connection.used_at
            fresh = rested < self._bounds.idle
            if connection.alive and (fresh or await connection.accepts(b"NOOP")):
                return connection
            connection.abort()
        return None

    async def open(self) -> SmtpSession | DeliveryFailure:
        """A connection ready for MAIL FROM: TLS as configured, never less, and signed in."""
        if self.closed:
            return TemporaryFailure(0, "the relay is closing", "connect")
        server = self._server
        smtp = aiosmtplib.SMTP(
            hostname=server.host,
            local_hostname=server.helo or "localhost",
            use_tls=server.tls == "implicit",
            start_tls=False,
            tls_context=self._context,
            timeout=None,
        )
        connection = SmtpSession(smtp, self._deadlines)
        self._opened.add(connection)
        try:
            await connection.greet(server, self._tokens)
        except Exception as error:  # noqa: BLE001 - whatever it was, it becomes one of our answers
            fault = of_error(error, connection.stage)
        except BaseException:
            connection.abort()
            raise
        else:
            return connection
        connection.abort()
        return fault

    def put_back(self, connection: SmtpSession) -> None:
        if self.closed:
            connection.abort()
        elif connection.alive:
            connection.used_at = asyncio.get_running_loop().time()
            self._idle.append(connection)

    async def tidy(self) -> None:
        """Say goodbye on connections that nobody has needed for long."""
        oldest = asyncio.get_running_loop().time() - _LONGEST_REST
        while self._idle and self._idle[0].used_at < oldest:
            await self._idle.pop(0).quit()

    async def close(self) -> None:
        """Say goodbye on every idle connection; busy ones end with their mail, later mails get TemporaryFailure."""
        self.closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.quit() for connection in idle))

    def drop_idle(self) -> None:
        """Without a word: the server is not well."""
        while self._idle:
            self._idle.pop().abort()


def _access_tokens(server: SmtpUrl) -> "AccessTokens | None":
    if server.oauth is None:
        return None
    from worker.smtp.oauth import AccessTokens  # noqa: PLC0415 - aiohttp takes 20 MB that only such a relay needs

    return AccessTokens(server.oauth, server.username)
