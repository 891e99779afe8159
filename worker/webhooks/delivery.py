"""Deliver one event to a webhook that this worker has claimed: post it, record the outcome."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from service.crypto.secret import Secret
from service.db import Pool
from service.store import webhooks
from service.store.webhooks import Claim, Endpoint
from worker import retries
from worker.metrics import Metrics
from worker.webhooks import payload
from worker.webhooks.client import GONE, Answer, WebhookClient

log = logging.getLogger(__name__)
# Longer than an exchange; a worker that was paused for half of it posts nothing.
LEASE = 40.0
# Seconds before each further attempt, as Standard Webhooks has them: three days in all.
SCHEDULE = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
FAILING_DAYS = 5
_SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """Delivery of one event at a time."""

    pool: Pool
    client: WebhookClient
    metrics: Metrics

    async def deliver(self, claim: Claim, endpoint: Endpoint, secrets: Sequence[Secret], claimed_at: float) -> None:
        """Post a claimed event and record the outcome; `claimed_at` is the time before the claim."""
        found = claim.delivery
        body = payload.render(found.type, found.at, found.project_id, found.user_id)
        if time.monotonic() - claimed_at > LEASE / 2:
            await webhooks.release(self.pool, claim, seconds=0)
            return
        answer = await self.client.post(endpoint.url, found.event_id, body, secrets)
        if answer.delivered:
            await self._deliver(claim, answer)
        elif answer.status == GONE:
            # What it is owed waits for an operator.
            await self._reschedule(claim, answer, 0)
            await self._disable(claim, "it answered 410 Gone", webhooks.disable)
        else:
            await self._fail(claim, answer)
            if endpoint.failing_seconds > FAILING_DAYS * _SECONDS_A_DAY:
                await self._disable(claim, f"it has failed for {FAILING_DAYS} days", self._disable_failing)

    async def _deliver(self, claim: Claim, answer: Answer) -> None:
        if await self._write(claim, lambda: webhooks.end(self.pool, claim, state="delivered", status=answer.status)):
            self.metrics.add("webhooks_delivered")

    async def _fail(self, claim: Claim, answer: Answer) -> None:
        """Have it tried again at its time; after the last of them it has failed."""
        attempts = claim.delivery.attempts
        if attempts < len(SCHEDULE):
            await self._reschedule(claim, answer, max(retries.jittered(SCHEDULE[attempts]), answer.pause))
            return

        async def write() -> bool:
            return await webhooks.end(self.pool, claim, state="failed", status=answer.status, fault=answer.fault)

        if await self._write(claim, write):
            self.metrics.add("webhooks_failed")
            log.error(
                "An event was not delivered to a webhook in three days; `webhooks replay` posts it once more",
                extra={"event": "webhook.failed"} | _facts(claim, answer),
            )

    async def _reschedule(self, claim: Claim, answer: Answer, seconds: float) -> None:
        async def write() -> bool:
            return await webhooks.reschedule(
                self.pool, claim, seconds=seconds, status=answer.status, fault=answer.fault
            )

        if await self._write(claim, write):
            self.metrics.add("webhooks_waits")
            log.warning(
                "An event waits for another attempt at a webhook",
                extra={"event": "webhook.rescheduled"} | _facts(claim, answer),
            )

    async def _disable(self, claim: Claim, reason: str, disable: Callable[..., Awaitable[bool]]) -> None:
        place = {"project_id": claim.delivery.project_id, "endpoint_id": claim.delivery.endpoint_id}
        if await disable(self.pool, **place, reason=reason):
            self.metrics.add("webhooks_disabled")
            log.error(
                "A webhook was disabled; `webhooks enable` posts again, `webhooks replay` what came meanwhile",
                extra={"event": "webhook.disabled", "project": place["project_id"], "webhook": place["endpoint_id"]}
                | {"reason": reason},
            )

    async def _disable_failing(self, pool: Pool, project_id: str, endpoint_id: str, *, reason: str) -> bool:
        return await webhooks.disable_failing(pool, project_id, endpoint_id, reason=reason, days=FAILING_DAYS)

    async def _write(self, claim: Claim, act: Callable[[], Awaitable[bool]]) -> bool:
        """Write an outcome; False if the lane was claimed since: the event is then posted once more."""
        written = await retries.retry_while_leased(act, LEASE)
        if not written:
            log.warning(
                "Another worker has claimed the event for a webhook; this attempt is not recorded",
                extra={"event": "webhook.lease_lost"} | _facts(claim),
            )
        return written


def _facts(claim: Claim, answer: Answer | None = None) -> dict[str, object]:
    found = claim.delivery
    facts: dict[str, object] = {
        "project": found.project_id,
        "webhook": found.endpoint_id,
        "number": found.number,
        "id": str(found.event_id),
    }
    return facts | ({"code": answer.status, "fault": answer.fault} if answer else {})
