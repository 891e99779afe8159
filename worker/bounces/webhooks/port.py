"""HTTP listener for providers' webhooks, beside a worker's deliveries: POST /ses, /mailgun, /postmark and so on."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from service import database_health
from service.crypto.key_derivation import KeyRing
from service.db import Pool
from service.outages import Outage
from service.store.delivery_reports import DeliveryReport
from worker.bounces.intake import record
from worker.bounces.webhooks.notification import ForgedCall, MalformedCall, Notification, Provider
from worker.bounces.webhooks.sns import CannotFetch
from worker.listening import serve
from worker.metrics import Metrics

log = logging.getLogger(__name__)
_LONGEST_BODY = 1024 * 1024
# Seconds by which a signature may be of later than Postgres's clock, and those that a body may take to come.
_AHEAD, _PATIENCE = 300.0, 15.0
# Bodies in memory at a time. Further calls wait: a stranger may delay reports, but not take what mails are sent with.
_AT_ONCE = 50


@dataclass(slots=True)
class WebhookIntake:
    """Takes calls in; `days` is how long a mailbox that refuses our mail gets none."""

    pool: Pool
    ring: KeyRing = field(repr=False)
    days: int
    providers: Mapping[str, Provider]
    metrics: Metrics
    patience: float = _PATIENCE
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def receive(self, request: web.Request) -> web.Response:
        """Answer 204 when every report of a call is recorded; otherwise the provider calls again."""
        name = request.match_info["provider"]
        provider = self.providers.get(name)
        if provider is None:
            return _answer(404, "no such provider is set up")
        async with self._slots:
            return await self._take(name, provider, request)

    async def _take(self, name: str, provider: Provider, request: web.Request) -> web.Response:
        try:
            call = Notification(
                {key.lower(): value for key, value in request.headers.items()}, await self._body(request)
            )
            await self._check(provider, call)
            await self._record(await provider.read(call))
        except ForgedCall as refusal:
            return self._refuse(name, 401, str(refusal))
        except MalformedCall as refusal:
            return self._refuse(name, 400, str(refusal))
        except CannotFetch as fault:
            return self._put_off(name, str(fault))
        except web.HTTPException:
            raise
        except Exception as error:
            if not self.pool.note(error):
                log.exception(
                    "A webhook could not be taken", extra={"event": "bounce_webhook.failed", "provider": name}
                )
            return self._put_off(name, type(error).__name__)
        return web.Response(status=204)

    async def _body(self, request: web.Request) -> bytes:
        try:
            async with asyncio.timeout(self.patience):
                return await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout from None

    async def _check(self, provider: Provider, call: Notification) -> None:
        """Raise ForgedCall for a call that is not the provider's, or is older than it may be."""
        signed_at = await provider.verify(call)
        if signed_at is None:
            return
        age = await database_health.read_clock(self.pool) - signed_at
        if not -_AHEAD <= age <= provider.longest:
            raise ForgedCall("its signature is too old" if age > 0 else "its signature is of a time to come")

    async def _record(self, reports: list[DeliveryReport]) -> None:
        for report in reports:
            await record(self.pool, self.ring, report, days=self.days)
            self.metrics.add(f"reports_{report.outcome}")
        if not reports:
            self.metrics.add("reports_ignored")

    def _refuse(self, provider: str, status: int, fault: str) -> web.Response:
        self.metrics.add("reports_refused")
        facts = {"provider": provider, "status": status, "fault": fault}
        log.warning("A webhook was refused", extra={"event": "bounce_webhook.refused"} | facts)
        return _answer(status, fault)

    def _put_off(self, provider: str, fault: str) -> web.Response:
        facts = {"provider": provider, "fault": fault}
        log.warning(
            "A webhook can't be taken now; the provider calls again", extra={"event": "bounce_webhook.put_off"} | facts
        )
        return _answer(503, "it can't be recorded now")


def _answer(status: int, message: str) -> web.Response:
    return web.json_response({"message": message, "code": status}, status=status)


@dataclass(slots=True)
class WebhookPort:
    """The port. A worker that can't have it sends mails all the same, and goes on trying."""

    host: str
    port: int
    intake: WebhookIntake
    _outage: Outage = field(init=False)

    def __post_init__(self) -> None:
        self._outage = Outage(
            f"{self.host}:{self.port}",
            "bounce_webhook_port",
            fell="The worker can't listen for webhooks",
            back="The worker listens for webhooks now",
        )

    async def run(self) -> None:
        """Serve until cancelled."""
        app = web.Application(client_max_size=_LONGEST_BODY)
        app.router.add_post("/{provider}", self.intake.receive)
        await serve(app, self.host, self.port, self._outage, setting="BOUNCE_WEBHOOK_PORT")
