"""Metrics of the API."""

from collections import Counter
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Histogram

from service.http import auth_metrics
from service.http.auth_metrics import AuthMetrics
from service.metrics import SHARED, STALLS, Labels, MetricsPage, Values, counter, gauge, histogram, of_process

if TYPE_CHECKING:
    from service.http.connections import HttpServer
    from service.http.context import Services
    from service.http.readiness import Readiness
    from service.outages import Peers
    from service.rate_limiter import Decision

# The buckets of OpenTelemetry's http.server.request.duration.
_REQUESTS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_HASHES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
DURATION = histogram(
    "accounts_http_request_duration_seconds",
    "Requests that were answered, by the handler's name; `none` is no route.",
    "route",
    "method",
    "status",
    buckets=_REQUESTS,
)
ERRORS = counter("accounts_http_errors_total", "Requests that were refused, by the type of the error.", "route", "type")
CONNECTIONS = gauge("accounts_http_connections", "Connections of clients.")
MOST_CONNECTIONS = gauge("accounts_http_connections_max", "Connections that the process may hold.")
REFUSED = counter(
    "accounts_http_refused_total",
    "What never reached a handler: a connection too many (`full`), bytes that are not HTTP (`malformed`); and answers "
    "that their clients did not read (`unread`).",
    "why",
)
HASH = histogram("accounts_hash_seconds", "Hashes of passwords that were made or verified.", buckets=_HASHES)
HASH_WAITING = gauge("accounts_hash_waiting", "Requests that wait for a thread that hashes.")
HASH_REFUSED = counter("accounts_hash_refused_total", "Requests that got 503 because hashing had no room for them.")
LIMITS = counter(
    "accounts_limits_total", "Decisions of rate limits, those that were not enforced too.", "rule", "verdict"
)
FALLBACKS = counter("accounts_limits_fallbacks_total", "Calls whose rate limits were counted without Redis.")
FALLBACK_SECONDS = counter(
    "accounts_limits_fallback_seconds_total", "Seconds for which Redis was not asked for rate limits, since it failed."
)
CLOCK = gauge("accounts_clock_offset_seconds", "Seconds that Postgres's clock is ahead of this machine's.")
READY = gauge("accounts_ready", "1 if /ready says 200, by the last check.")
DEFINITIONS = (
    DURATION, ERRORS, CONNECTIONS, MOST_CONNECTIONS, REFUSED, HASH, HASH_WAITING, HASH_REFUSED, LIMITS, FALLBACKS,
    FALLBACK_SECONDS, CLOCK, READY, *auth_metrics.DEFINITIONS, *SHARED,
)  # fmt: skip

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


class ApiMetrics:
    """Counters and histograms of an API process. Children are kept: `labels()` costs more than the rest."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._duration, self._errors = DURATION.histogram(self.registry), ERRORS.counter(self.registry)
        self.auth = AuthMetrics(self.registry)
        self.hash, self.stalls = HASH.histogram(self.registry), STALLS.counter(self.registry)
        self._durations: dict[tuple[str, str, int], Histogram] = {}
        # Read when the page is asked for: the library's own counters lock, and a request makes half a dozen decisions.
        self._decisions: Counter[tuple[str, bool]] = Counter()

    def record_request(self, route: str, method: str, status: int, seconds: float, error: str | None) -> None:
        """Record an answer; a method or a path that a client made up has no series of its own."""
        key = route, method, status
        child = self._durations.get(key)
        if child is None:
            key = route, method if method in _METHODS else "other", status
            child = self._durations[key] = self._duration.labels(*map(str, key))
        child.observe(seconds)
        self.auth.record_request(route, status, error)
        if error:
            self._errors.labels(route, error).inc()

    def record_decision(self, decision: "Decision") -> None:
        self._decisions[decision.rule, decision.allowed] += 1

    def read(self) -> Values:
        """Read what is counted here without the library."""
        verdicts = {True: "allowed", False: "refused"}
        return {
            LIMITS: {(rule, verdicts[allowed]): count for (rule, allowed), count in self._decisions.items()},
            **self.auth.read(),
        }


def page(
    counts: ApiMetrics, services: "Services", server: "HttpServer", readiness: "Readiness", peers: "Peers"
) -> MetricsPage:
    return MetricsPage(
        counts.registry,
        counts.read,
        lambda: _of_api(services, server, readiness),
        lambda: of_process(services.pool, peers, services.job_queue),
    )


def _of_api(services: "Services", server: "HttpServer", readiness: "Readiness") -> Values:
    """Read what the parts of the API know."""
    refused: dict[Labels, float] = {(why,): count for why, count in server.refused.items()}
    return {
        CONNECTIONS: len(server.connections),
        MOST_CONNECTIONS: server.max_connections,
        REFUSED: refused,
        HASH_WAITING: services.passwords.waiting,
        HASH_REFUSED: services.passwords.refused,
        FALLBACKS: services.limits.redis.fallbacks,
        FALLBACK_SECONDS: services.limits.redis.fallback_seconds,
        CLOCK: readiness.clock.offset,
        READY: readiness.is_ready,
    }
