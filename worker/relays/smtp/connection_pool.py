"""Pool the open sessions of one server, each used by one mail at a time, the last used first."""

import asyncio
import ssl
from dataclasses import dataclass
from weakref import WeakSet

import aiosmtplib

from service.smtp_deadlines import Deadlines
from worker.relays.outcomes import DeliveryFailure, TemporaryFailure
from worker.relays.smtp.error_mapping import of_error
from worker.relays.smtp.oauth import AccessTokens
from worker.relays.smtp.session import SmtpSession
from worker.relays.smtp_url import SmtpUrl

# Seconds without use after which a connection is closed: the server may limit their number.
_LONGEST_REST = 60.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Connections at a time, mails over each, and idle seconds after which one is tested before its next use."""

    connections: int
    mails: int
    idle: float


class ConnectionPool:
    """Sessions of one server: opened, lent out, released."""

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
    def greeted(self) -> int:
        """Number of open sessions that the server has greeted, in use or idle."""
        return sum(each.alive and each.stage not in ("connect", "banner") for each in self._opened)

    async def acquire_idle(self) -> SmtpSession | None:
        """Take the most recently used session that still works; only after long idling a NOOP tests it."""
        while self._idle:
            connection = self._idle.pop()
            if connection.mails >= self._bounds.mails:
                await connection.quit()
                continue
            idle_for = asyncio.get_running_loop().time() - connection.used_at
            fresh = idle_for < self._bounds.idle
            if connection.alive and (fresh or await connection.accepts(b"NOOP")):
                return connection
            connection.abort()
        return None

    async def open(self) -> SmtpSession | DeliveryFailure:
        """Open a session that is ready for MAIL: encrypted exactly as configured, and signed in."""
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
        except Exception as error:  # noqa: BLE001 - every error becomes a DeliveryFailure
            fault = of_error(error, connection.stage)
        except BaseException:
            connection.abort()
            raise
        else:
            return connection
        connection.abort()
        return fault

    def release(self, connection: SmtpSession) -> None:
        if self.closed:
            connection.abort()
        elif connection.alive:
            connection.used_at = asyncio.get_running_loop().time()
            self._idle.append(connection)

    async def close_unused(self) -> None:
        """End sessions that have been idle for long."""
        oldest = asyncio.get_running_loop().time() - _LONGEST_REST
        while self._idle and self._idle[0].used_at < oldest:
            await self._idle.pop(0).quit()

    async def close(self) -> None:
        """End every idle session; busy ones end with their mail, later mails get TemporaryFailure."""
        self.closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.quit() for connection in idle))

    def abort_idle(self) -> None:
        """Close idle connections without QUIT, after the server failed."""
        while self._idle:
            self._idle.pop().abort()


def _access_tokens(server: SmtpUrl) -> AccessTokens | None:
    if server.oauth is None:
        return None
    return AccessTokens(server.oauth, server.username)
