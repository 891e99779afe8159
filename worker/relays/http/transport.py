"""A provider's HTTP API as the way to a relay server."""

import asyncio

import aiohttp

from service import request_errors
from service.response_bodies import read_up_to
from service.smtp_deadlines import Deadlines
from worker import request_progress
from worker.relays.envelope import Envelope
from worker.relays.http.answers import judge
from worker.relays.http.calls import CALLS, Call
from worker.relays.outcomes import Accepted, DeliveryFailure, TemporaryFailure
from worker.relays.smtp_url import SmtpUrl
from worker.request_progress import RequestProgress

# Seconds for an answer, whatever the deadlines of SMTP are: well within a lease.
_LONGEST = 30.0
# Bytes of an answer that are read.
_MOST = 65_536


class HttpTransport:
    """Connections to one provider. Redirects are not followed, and no proxy is asked: credentials are for this host."""

    def __init__(self, server: SmtpUrl, connections: int, deadlines: Deadlines) -> None:
        self.closed = False
        self._server, self._connections = server, connections
        self._connect, self._patience = min(deadlines.connect, _LONGEST), min(deadlines.dot, _LONGEST)
        self._session: aiohttp.ClientSession | None = None
        self._base = f"{'http' if server.tls == 'none' else 'https'}://{server.authority}"

    @property
    def greeted(self) -> int:
        return 0

    async def send(self, envelope: Envelope) -> Accepted | DeliveryFailure:
        """Check the lease, and post. What leaves after that may be taken, whatever comes."""
        if self.closed:
            return TemporaryFailure(0, "the relay is closing", "connect")
        try:
            call = CALLS[self._server.provider](self._server, envelope)
            allowed = envelope.before_data is None or await envelope.before_data()
        except Exception as error:  # noqa: BLE001 - every error becomes a DeliveryFailure
            return TemporaryFailure(0, f"the check before DATA failed with {type(error).__name__}", "fence", "ours")
        if not allowed:
            return TemporaryFailure(0, "the check before DATA said no", "fence", "ours")
        return await self._post(call)

    async def _post(self, call: Call) -> Accepted | DeliveryFailure:
        """Post a mail and judge the answer; never raises but CancelledError."""
        progress = RequestProgress()
        try:
            async with (
                asyncio.timeout(self._patience),
                self._http().post(
                    self._base + call.path, data=call.body, headers=call.headers, allow_redirects=False,
                    trace_request_ctx=progress,
                ) as answer,
            ):  # fmt: skip
                body = await read_up_to(answer, _MOST)
                found = {name.lower(): value for name, value in answer.headers.items()}
                return judge(self._server.name, answer.status, body, found)
        except Exception as error:  # noqa: BLE001 - every error becomes a DeliveryFailure
            return _of_error(error, sent=progress.sent)

    async def probe(self) -> DeliveryFailure | None:
        """Ask for the provider's front page: any answer shows that it is reached."""
        try:
            async with asyncio.timeout(self._patience), self._http().get(self._base, allow_redirects=False):
                return None
        except Exception as error:  # noqa: BLE001 - as above
            return _of_error(error, sent=False)

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections),
                timeout=aiohttp.ClientTimeout(total=self._patience, sock_connect=self._connect),
                trace_configs=[request_progress.trace_config()],
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
            )
        return self._session

    async def close_unused(self) -> None:
        """Do nothing: the library closes what is idle."""

    def abort_idle(self) -> None:
        """Do nothing: a connection that was cut is not used again."""

    async def close(self) -> None:
        self.closed = True
        if self._session is not None:
            await self._session.close()


def _of_error(error: Exception, *, sent: bool) -> TemporaryFailure:
    fault = request_errors.of(error)
    if fault.stage == "tls":
        return TemporaryFailure(0, fault.text, "tls", "ours")
    return TemporaryFailure(0, fault.text, "dot" if sent and fault.stage == "exchange" else "connect")
