"""Post an event to a webhook: signed, without redirects, to addresses that may be dialled, within bounds of time.

Whatever a webhook answers, no more is read than what comes with its headers; its text goes nowhere.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from uuid import UUID

import aiohttp

from service import failpoints, request_errors
from service.crypto import webhook_signatures
from service.crypto.secret import Secret
from service.outbound_addresses import Network, OutboundSockets

# Seconds for a connection, and for the whole exchange.
CONNECT, PATIENCE = 5.0, 15.0
# No webhook is waited for longer: about the longest wait between two attempts.
LONGEST_PAUSE = 86_400.0
GONE = 410


@dataclass(frozen=True, slots=True)
class Answer:
    """Outcome of an attempt: `status` is None without an answer; `pause` are seconds that the webhook asks for."""

    status: int | None
    fault: str = ""
    pause: float = 0.0

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class WebhookClient:
    """Connections of one process; over plain http it reaches the given networks alone."""

    def __init__(self, networks: Sequence[Network], patience: float = PATIENCE) -> None:
        self._networks, self._patience = networks, patience
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def post(self, url: str, event_id: UUID, body: bytes, secrets: Sequence[Secret]) -> Answer:
        """Post an event, signed under each of the secrets; never raises for what the webhook does."""
        headers = _headers(event_id, body, secrets)
        if failpoints.armed:
            await failpoints.reach("webhook.post.before")
        try:
            async with (
                asyncio.timeout(self._patience),
                self._session(url).post(url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                answer = _judge(response.status, response.headers.get("Retry-After", ""))
        except Exception as error:  # noqa: BLE001 - any error is a failed attempt
            answer = Answer(None, _describe(error))
        if failpoints.armed:
            await failpoints.reach("webhook.post.after")
        return answer

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()

    def _session(self, url: str) -> aiohttp.ClientSession:
        secure = url.lower().startswith("https:")
        if secure not in self._sessions:
            sockets = OutboundSockets(self._networks, public=secure)
            self._sessions[secure] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(socket_factory=sockets, use_dns_cache=False, limit=0),
                timeout=aiohttp.ClientTimeout(total=self._patience, sock_connect=CONNECT),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
            )
        return self._sessions[secure]


def _headers(event_id: UUID, body: bytes, secrets: Sequence[Secret]) -> dict[str, str]:
    moment = int(time.time())
    return {
        "Content-Type": "application/json",
        "User-Agent": "accounts",
        "webhook-id": str(event_id),
        "webhook-timestamp": str(moment),
        "webhook-signature": " ".join(
            webhook_signatures.sign(secret, str(event_id), moment, body) for secret in secrets
        ),
    }


def _judge(status: int, retry_after: str) -> Answer:
    if 200 <= status < 300:
        return Answer(status)
    fault = "it redirects" if 300 <= status < 400 else "it is gone" if status == GONE else f"it answered {status}"
    return Answer(status, fault, _pause(retry_after))


def _pause(retry_after: str) -> float:
    """Read Retry-After, seconds or a date (RFC 9110, 10.2.3); 0 for anything else."""
    if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 10:
        return min(float(retry_after), LONGEST_PAUSE)
    try:
        at = parsedate_to_datetime(retry_after)
        seconds = at.replace(tzinfo=at.tzinfo or UTC).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_PAUSE)


def _describe(error: Exception) -> str:
    """Describe an error; one of the sockets says that an address may not be dialled."""
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, PermissionError):
        return "its address is not public"
    return request_errors.of(error).text
