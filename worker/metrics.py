"""Counters and histograms of a worker, and the values that its page reads elsewhere."""

import time
from collections import Counter as Tally
from collections.abc import Awaitable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from service.metrics import Definition, Values
from service.store.outbox import Backlog
from service.store.outbox_claims import Claim
from worker import metric_definitions as known
from worker.metric_definitions import COUNTERS
from worker.relays import Accepted, PermanentFailure, TemporaryFailure

if TYPE_CHECKING:
    from service.store.security_log import LogPartitions
    from service.store.webhooks import EndpointState

NAMES = tuple(COUNTERS)


class Metrics:
    """Metrics of one worker, with its mails' backlog as it was last read."""

    def __init__(self, backlog: Backlog | None = None) -> None:
        self.registry = CollectorRegistry()
        self._families: dict[Definition, Counter] = {}
        self._children = {name: self._child(*place) for name, place in COUNTERS.items()}
        self._delivery = known.DELIVERY.histogram(self.registry)
        self._sending = known.SENDING.histogram(self.registry)
        self._timers: dict[tuple[str, ...], Histogram] = {}
        self._backlog, self._backlog_at = backlog, time.monotonic()
        self.events_lag = self.checkpoints_overdue = 0.0
        self.log_partitions: LogPartitions | None = None
        self.webhooks: list[EndpointState] = []

    def _child(self, definition: Definition, labels: tuple[str, ...]) -> Counter:
        family = self._families.get(definition)
        if family is None:
            family = self._families[definition] = definition.counter(self.registry)
        return family.labels(*labels) if labels else family

    def add(self, name: str, number: int = 1) -> None:
        """Raise a counter. Raises KeyError for a name that is not reported."""
        self._children[name].inc(number)

    async def observe_send(self, claim: Claim, sending: Awaitable[Accepted]) -> Accepted:
        """Await the handing over of a mail, and record how long it took and how old the mail is. Raises as it does."""
        began = time.monotonic()
        try:
            accepted = await sending
        except (PermanentFailure, TemporaryFailure) as failure:
            outcome = "refused" if isinstance(failure, PermanentFailure) else "failed"
            self._timer(self._sending, relay_label(failure.server), outcome).observe(time.monotonic() - began)
            raise
        self._timer(self._sending, relay_label(accepted.server), "accepted").observe(time.monotonic() - began)
        self._timer(self._delivery, claim.letter).observe(max(0.0, time.time() - claim.created_at.timestamp()))
        return accepted

    def _timer(self, family: Histogram, *labels: str) -> Histogram:
        """Return a child, which is kept: `labels()` costs more than the rest."""
        child = self._timers.get(labels)
        if child is None:
            child = self._timers[labels] = family.labels(*labels)
        return child

    @property
    def backlog(self) -> Backlog | None:
        return self._backlog

    @backlog.setter
    def backlog(self, backlog: Backlog) -> None:
        self._backlog, self._backlog_at = backlog, time.monotonic()

    @property
    def since_start(self) -> dict[str, int]:
        """Return all counters."""
        samples = {
            (sample.name, tuple(sample.labels.values())): int(sample.value)
            for family in self._families.values()
            for metric in family.collect()
            for sample in metric.samples
        }
        return {name: samples[definition.name, labels] for name, (definition, labels) in COUNTERS.items()}

    def snapshot(self) -> dict[str, Any]:
        """Return all counters and the backlog, flat."""
        backlog = {} if self.backlog is None else {f"backlog_{name}": at for name, at in asdict(self.backlog).items()}
        return self.since_start | backlog

    def read_backlog(self) -> Values:
        """Return the backlog for the page; nothing before it was read."""
        if self._backlog is None:
            return {}
        log = self.log_partitions
        of_log: Values = (
            {known.LOG_DEFAULT_ROWS: log.default_rows, known.LOG_PARTITIONS_AHEAD: log.ahead} if log else {}
        )
        of_webhooks = Tally(each.state for each in self.webhooks)
        return {
            **of_log,
            known.WEBHOOKS: {(state,): of_webhooks[state] for state in ("enabled", "failing", "disabled")},
            known.WEBHOOKS_OVERDUE: max((each.overdue for each in self.webhooks), default=0.0),
            known.PENDING: self._backlog.pending,
            known.SENDING_NOW: self._backlog.sending,
            known.OLDEST: self._backlog.oldest,
            known.OVERDUE: self._backlog.overdue,
            known.EVENTS_LAG: self.events_lag,
            known.CHECKPOINTS_OVERDUE: self.checkpoints_overdue,
            known.BACKLOG_AGE: time.monotonic() - self._backlog_at,
        }


def relay_label(name: str) -> str:
    """Return a relay's label: projects may have thousands of their own."""
    return "project" if is_own(name) else name or "none"


def is_own(name: str) -> bool:
    """Return whether a relay, by its name, is a project's."""
    return "/" in name
