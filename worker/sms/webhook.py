"""Hand SMS over to the operator's webhook: a signed POST that may be repeated, and a breaker for one that is dead.

2xx is taken; 429, 5xx and no answer are tried again; any other answer is final. The faults have the stages of SMTP:
`connect` until the request is on its way, `dot` after that (worker/relays/outcomes.py).
"""

import asyncio
import hashlib
import hmac
import logging
import time
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp
import orjson

from service import failpoints, request_errors
from service.crypto import key_derivation
from service.crypto.key_derivation import KeyRing
from service.settings import LOG_SMS
from worker import request_progress
from worker.relays.circuit_breaker import CircuitBreaker
from worker.relays.outcomes import DeliveryFailure, PermanentFailure, TemporaryFailure
from worker.request_progress import RequestProgress

log = logging.getLogger(__name__)
# Seconds for a connection, and for the whole exchange: well within an SMS's lease.
CONNECT, PATIENCE = 5.0, 10.0
# No pause that a webhook asks for is longer: its SMS would all expire.
_LONGEST_PAUSE = 120.0


@dataclass(frozen=True, slots=True)
class Message:
    """An SMS as the webhook gets it. `id` stays the same when it is sent again."""

    id: str
    to: str
    text: str = field(repr=False)
    kind: str
    project: str


class Sender(Protocol):
    """Way of SMS: the webhook, or the log of a developer's machine."""

    name: str

    @property
    def state(self) -> str: ...
    def is_open(self) -> bool: ...
    async def send(self, message: Message) -> int: ...
    async def close(self) -> None: ...


def sender_of(url: str, ring: KeyRing) -> Sender | None:
    """Make the way of SMS_URL; None for no SMS."""
    if not url:
        return None
    return LogSender() if url == LOG_SMS else Webhook(url, ring)


class LogSender:
    """Writes SMS into the log, codes too. The settings allow it in development only."""

    name, state = LOG_SMS, "closed"

    def is_open(self) -> bool:
        return True

    async def send(self, message: Message) -> int:
        facts = {"to": message.to, "text": message.text, "project": message.project}
        log.info("An SMS for a developer", extra={"event": "sms.logged"} | facts)
        return 0

    async def close(self) -> None:
        pass


class Webhook:
    """The operator's webhook. Redirects are not followed, and no proxy is asked: the code is for this host alone."""

    def __init__(self, url: str, ring: KeyRing) -> None:
        self._url, self._keys = url, [*key_derivation.sms_keys(ring).values()]
        self.name = host_of(url)
        self._breaker = CircuitBreaker()
        self._paused_until = 0.0
        self._session: aiohttp.ClientSession | None = None

    @property
    def state(self) -> str:
        return self._breaker.state

    def is_open(self) -> bool:
        """Return whether an SMS may be sent now: the webhook works, or it is time to try one."""
        now = asyncio.get_running_loop().time()
        return now >= self._paused_until and (self._breaker.state == "closed" or self._breaker.probe_overdue(now))

    async def send(self, message: Message) -> int:
        """Send, and return the status of a success. Raises PermanentFailure, TemporaryFailure."""
        now = asyncio.get_running_loop().time()
        if now < self._paused_until or not self._breaker.allows(now):
            raise TemporaryFailure(0, "the webhook has failed again and again", "connect", "server", self.name)
        if failpoints.armed:
            await failpoints.reach("sms.webhook.before")
        try:
            status = await self._post(message)
        except DeliveryFailure as fault:
            self._record(fault, message)
            raise
        if failpoints.armed:
            await failpoints.reach("sms.webhook.after")
        self._record_success()
        return status

    def _record_success(self) -> None:
        if self._breaker.record_success():
            log.info("The webhook for SMS works again", extra={"event": "sms.webhook_back", "server": self.name})

    async def _post(self, message: Message) -> int:
        body = orjson.dumps(
            {"id": message.id, "to": message.to, "text": message.text, "kind": message.kind, "project": message.project}
        )
        headers = {"Content-Type": "application/json", "Idempotency-Key": message.id, **self._signature(body)}
        trace = RequestProgress()
        try:
            async with (
                asyncio.timeout(PATIENCE),
                self._http().post(
                    self._url, data=body, headers=headers, allow_redirects=False, trace_request_ctx=trace
                ) as answer,
            ):
                status, pause = answer.status, answer.headers.get("Retry-After", "")
        except Exception as error:  # noqa: BLE001 - any error is a failed attempt
            raise _of_error(error, sent=trace.sent, server=self.name) from None
        return self._judge(status, pause)

    def _judge(self, status: int, pause: str) -> int:
        if 200 <= status < 300:
            return status
        if status == 429:
            seconds = float(pause) if pause.isascii() and pause.isdigit() and len(pause) < 6 else 0.0
            now = asyncio.get_running_loop().time()
            self._paused_until = max(self._paused_until, now + min(seconds, _LONGEST_PAUSE))
            raise TemporaryFailure(status, "the webhook asked to wait", "dot", "pace", self.name)
        if status >= 500:
            raise TemporaryFailure(status, "the webhook failed", "dot", "server", self.name)
        raise PermanentFailure(status, "the webhook refused the SMS", "dot", "recipient", self.name)

    def _record(self, fault: DeliveryFailure, message: Message) -> None:
        if fault.cause not in ("server", "ours"):
            self._record_success()
            return
        now = asyncio.get_running_loop().time()
        if self._breaker.record_failure(fault, now, recipient=message.id.encode()):
            log.error(
                "The webhook for SMS fails; the worker sends it none",
                extra={"event": "sms.webhook_away", "server": self.name, "fault": str(fault)},
            )

    def _signature(self, body: bytes) -> dict[str, str]:
        """Sign under each of SECRET_KEYS, so that the receiver may change its key after the keys were rotated."""
        now = str(int(time.time()))
        return {"X-Signature": ",".join((f"t={now}", *(f"v1={sign(key, now, body)}" for key in self._keys)))}

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=PATIENCE, connect=CONNECT),
                trace_configs=[request_progress.trace_config()],
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def sign(key: str, moment: str, body: bytes) -> str:
    return hmac.new(key.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()


def host_of(url: str) -> str:
    """Return host and port, for logs: the path may hold a secret."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _of_error(error: Exception, *, sent: bool, server: str) -> TemporaryFailure:
    fault = request_errors.of(error)
    return TemporaryFailure(0, fault.text, "dot" if sent and fault.stage == "exchange" else "connect", "server", server)
