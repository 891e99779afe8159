"""The parts of one worker, built from its settings and handed to each other."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from service.metrics import MetricsPage, of_process
from service.rate_limiter.redis_windows import RedisWindows
from service.relay_reports import RelayReporter
from service.settings import Settings
from service.store.rate_limit_windows import Store
from worker.bounces import http_relays
from worker.bounces.return_path import ReturnPath
from worker.concurrency import DeliverySlots
from worker.context import WorkerContext
from worker.delivery import Delivery
from worker.dispatcher import Dispatcher
from worker.health import HealthPort, WorkerHealth
from worker.heartbeat import Heartbeat
from worker.leases import Leases
from worker.outcomes import OutcomeRecorder
from worker.poller import OutboxPoller
from worker.queue_consumer import QueueConsumer
from worker.relays import RelayBudget, RelayPool, SmtpUrl, parse_urls
from worker.relays.routing import Relays
from worker.security_log import SecurityLogWriter
from worker.sent_journal import SentJournal
from worker.sms.delivery import SmsDelivery
from worker.sms.poller import SmsPoller
from worker.sms.webhook import Sender, sender_of
from worker.webhooks.client import WebhookClient
from worker.webhooks.delivery import WebhookDelivery
from worker.webhooks.dispatcher import WebhookDispatcher


@dataclass(frozen=True, slots=True)
class Senders:
    """Relays of mails, the webhook of SMS where there is one, and the client of projects' webhooks."""

    relays: Relays
    sms: Sender | None
    webhooks: WebhookClient

    async def close(self) -> None:
        await self.relays.close()
        if self.sms:
            await self.sms.close()
        await self.webhooks.close()


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Finders of due mails, SMS and events, and those that carry them out."""

    recorder: OutcomeRecorder
    slots: DeliverySlots
    log_writer: SecurityLogWriter
    sms_delivery: SmsDelivery
    sms_poller: SmsPoller
    dispatcher: Dispatcher
    poller: OutboxPoller
    consumer: QueueConsumer
    webhooks: WebhookDispatcher


class Listener(Protocol):
    """Part that runs beside the deliveries until it is cancelled."""

    async def run(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Monitoring:
    """Heartbeat, report of relays, health port and listeners for bounces; each runs beside the deliveries."""

    heartbeat: Heartbeat
    reports: RelayReporter
    health_port: HealthPort
    listeners: tuple[Listener, ...]

    def __iter__(self) -> Iterator[Listener]:
        return iter((self.heartbeat, self.reports, self.health_port, *self.listeners))


@dataclass(frozen=True, slots=True)
class Parts:
    context: WorkerContext
    senders: Senders
    deliveries: Deliveries
    monitoring: Monitoring


def build(context: WorkerContext, stop: asyncio.Event) -> Parts:
    """Build the parts; none works yet. Raises ValueError, OSError for an SMTP_URL that can't be used."""
    settings, pool = context.settings, context.pool
    recorder = OutcomeRecorder(
        pool, Leases(pool, context.identity.name), SentJournal(context.identity.journal), context.metrics
    )
    shared = relay_of(settings, _budget(context))
    http_relays.warn(parse_urls(settings.smtp_url.get_secret_value()), settings)
    relays = Relays(pool, settings.key_ring, shared, partial(_own_relay, settings), settings.helo)
    sms = sender_of(settings.sms_url.get_secret_value(), settings.key_ring)
    senders = Senders(relays, sms, WebhookClient(settings.reachable_networks))
    return Parts(context, senders, _deliveries(context, senders, recorder), _monitoring(context, senders, stop))


def _deliveries(context: WorkerContext, senders: Senders, recorder: OutcomeRecorder) -> Deliveries:
    settings, pool, worker = context.settings, context.pool, context.identity.name
    ring, redis_url = settings.key_ring, settings.redis_url.get_secret_value()
    slots = DeliverySlots(settings.worker_jobs)
    webhooks = WebhookDispatcher(pool, WebhookDelivery(pool, senders.webhooks, context.metrics), ring, worker, slots)
    log_writer = SecurityLogWriter(pool, webhooks.wake)
    delivery = Delivery(
        pool, senders.relays, context.job_queue, ring, settings.mail_from, settings.public_url, slots, recorder,
        return_path_of(settings), bool(settings.bounce_postmark_auth.get_secret_value()),
    )  # fmt: skip
    sms_delivery = SmsDelivery(pool, senders.sms, ring, worker, slots, context.metrics)
    sms_poller, dispatcher = SmsPoller(pool, sms_delivery), Dispatcher(delivery)
    return Deliveries(
        recorder,
        slots,
        log_writer,
        sms_delivery,
        sms_poller,
        dispatcher,
        OutboxPoller(
            pool, delivery, log_writer, settings.log_months, settings.mail_days, dispatcher, settings.event_days
        ),
        QueueConsumer(redis_url, dispatcher, sms_poller, log_writer, settings.worker_jobs, worker, context.peers.redis),
        webhooks,
    )


def _monitoring(context: WorkerContext, senders: Senders, stop: asyncio.Event) -> Monitoring:
    settings, peers, metrics = context.settings, context.peers, context.metrics
    identity, job_queue = context.identity, context.job_queue
    health = WorkerHealth(peers, senders.relays, senders.sms, stop)
    page = MetricsPage(
        metrics.registry, metrics.read_backlog, health.read, lambda: of_process(context.pool, peers, job_queue)
    )
    return Monitoring(
        Heartbeat(settings.worker_heartbeat, identity, senders.relays, job_queue, metrics, senders.sms),
        RelayReporter(context.redis, identity.name, senders.relays.states, peers.redis),
        HealthPort(settings.host, settings.worker_health_port, health, page),
        tuple(_listeners(context)),
    )


def return_path_of(settings: Settings) -> ReturnPath | None:
    return ReturnPath(settings.bounce_address, settings.key_ring) if settings.bounce_address else None


def _listeners(context: WorkerContext) -> Iterator[Listener]:
    """Build the listeners for bounces that have a port; others load nothing. Raises InvalidSettings."""
    settings, path = context.settings, return_path_of(context.settings)
    ring, days = settings.key_ring, settings.suppression_days
    if path and settings.bounce_lmtp_port:
        from worker.bounces.intake import BounceIntake  # noqa: PLC0415 - a listener that is off loads nothing
        from worker.bounces.lmtp import LmtpPort  # noqa: PLC0415 - as above

        intake = BounceIntake(context.pool, path, ring, days)
        yield LmtpPort(settings.host, settings.bounce_lmtp_port, intake, context.metrics)
    if settings.bounce_webhook_port:
        from worker.bounces.webhooks.port import WebhookIntake, WebhookPort  # noqa: PLC0415 - as above
        from worker.bounces.webhooks.providers import providers_of  # noqa: PLC0415 - as above

        webhooks = WebhookIntake(context.pool, ring, days, providers_of(settings, path), context.metrics)
        yield WebhookPort(settings.host, settings.bounce_webhook_port, webhooks)


def _budget(context: WorkerContext) -> RelayBudget | None:
    """Build the budget that all workers share; there is none without SMTP_PER_MINUTE."""
    settings = context.settings
    if not settings.smtp_per_minute:
        return None
    names = sorted(server.name for server in parse_urls(settings.smtp_url.get_secret_value()))
    windows = RedisWindows(context.redis, context.peers.redis)
    return RelayBudget(settings.smtp_per_minute, ",".join(names), windows, Store(context.pool))


def relay_of(settings: Settings, budget: RelayBudget | None = None) -> RelayPool:
    """Build the relay pool. Raises ValueError for an unusable SMTP_URL, OSError for a `ca` file without certificate."""
    servers = parse_urls(settings.smtp_url.get_secret_value(), helo=settings.helo)
    return RelayPool(
        *servers,
        connections=settings.smtp_connections,
        per_minute=settings.smtp_per_minute,
        budget=budget,
        deadlines=settings.smtp_timeouts,
    )


def _own_relay(settings: Settings, server: SmtpUrl, recovered: asyncio.Event) -> RelayPool:
    """Build a project's own relay: the limits a minute are the shared relay's, its own are found by its answers."""
    http_relays.warn([server], settings)
    return RelayPool(
        server, connections=settings.smtp_connections, deadlines=settings.smtp_timeouts, recovered=recovered
    )
