"""Metrics of a process for Prometheus: their definitions, and the page that shows them.

Counters and histograms are the library's. What another part of the process knows anyway (a pool, a queue, an outage) is
read there when the page is asked for. No label holds an address, a user, an IP address or a URL.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import prometheus_client
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service import json_logging
from service.db import Pool
from service.outages import Peers
from service.queue import JobQueue
from service.version import COMMIT, VERSION

# A series more for each child, which nobody asks for.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # the library ships no type here

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric, under its name on the page; `buckets` are a histogram's."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    text: str
    labels: Labels = ()
    buckets: tuple[float, ...] = ()

    def counter(self, registry: CollectorRegistry) -> Counter:
        return Counter(self.name, self.text, self.labels, registry=registry)

    def histogram(self, registry: CollectorRegistry) -> Histogram:
        return Histogram(self.name, self.text, self.labels, buckets=self.buckets, registry=registry)

    @property
    def series(self) -> tuple[str, ...]:
        """Names under which Prometheus keeps it."""
        if self.kind != "histogram":
            return (self.name,)
        return f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count"


def counter(name: str, text: str, *labels: str) -> Definition:
    return Definition(name, "counter", text, labels)


def gauge(name: str, text: str, *labels: str) -> Definition:
    return Definition(name, "gauge", text, labels)


def histogram(name: str, text: str, *labels: str, buckets: Sequence[float]) -> Definition:
    return Definition(name, "histogram", text, labels, tuple(buckets))


# Metrics of every process, of the API and of a worker.
BUILD = gauge(
    "accounts_build_info",
    "1, with the version of the code and its commit; `unknown` in a checkout.",
    "version",
    "commit",
)
POOL_CONNECTIONS = gauge("accounts_db_pool_connections", "Connections to Postgres that are open.", "state")
POOL_WAITING = gauge("accounts_db_pool_waiting", "Callers that wait for a connection to Postgres now.")
POOL_WAITS = counter("accounts_db_pool_waits_total", "Callers that found no connection free and waited for one.")
POOL_WAITED = counter("accounts_db_pool_wait_seconds_total", "Seconds that they waited for one, together.")
DB_FAULTS = counter("accounts_db_faults_total", "Statements that failed by a fault of Postgres.", "fault")
PEER_UP = gauge("accounts_peer_up", "0 while Postgres or Redis is away, as its callers see it, else 1.", "peer")
ENQUEUES_DONE = counter("accounts_enqueues_done_total", "Rows whose job was handed to Redis.")
ENQUEUES_FAILED = counter(
    "accounts_enqueues_failed_total", "Jobs that could not be handed to Redis; the poller finds their rows."
)
LINES_DROPPED = counter("accounts_log_lines_dropped_total", "Log lines that could not be written.")
STALLS = counter("accounts_event_loop_stalls_total", "Times that the event loop was held up for more than a second.")
# The library's own; it names them.
OF_PROCESS = (
    counter("process_cpu_seconds_total", "Processor time used, in seconds."),
    gauge("process_resident_memory_bytes", "Resident memory."),
    gauge("process_virtual_memory_bytes", "Virtual memory."),
    gauge("process_start_time_seconds", "Start of the process, in seconds since 1970."),
    gauge("process_open_fds", "Open file descriptors."),
    gauge("process_max_fds", "File descriptors that it may open."),
)
SHARED = (
    BUILD, POOL_CONNECTIONS, POOL_WAITING, POOL_WAITS, POOL_WAITED, DB_FAULTS, PEER_UP, ENQUEUES_DONE, ENQUEUES_FAILED,
    LINES_DROPPED, STALLS, *OF_PROCESS,
)  # fmt: skip

Values = Mapping[Definition, float | Mapping[Labels, float]]


def of_process(pool: Pool, peers: Peers, job_queue: JobQueue) -> Values:
    """Read what every process knows."""
    return {
        BUILD: {(VERSION, COMMIT): 1},
        POOL_CONNECTIONS: {("idle",): pool.idle, ("busy",): pool.opened - pool.idle},
        POOL_WAITING: pool.waiting,
        POOL_WAITS: pool.waits,
        POOL_WAITED: pool.waited,
        DB_FAULTS: {(fault,): count for fault, count in pool.faults.items()},
        PEER_UP: {("postgres",): not peers.postgres.ongoing, ("redis",): not peers.redis.ongoing},
        ENQUEUES_DONE: job_queue.enqueued,
        ENQUEUES_FAILED: job_queue.failed_enqueues,
        LINES_DROPPED: json_logging.dropped_lines(),
    }


class Readings(Collector):
    """Metrics that are read from the parts of a process, in its event loop: a thread must not look at them."""

    def __init__(self, *sources: Callable[[], Values]) -> None:
        self._sources = sources
        self._families: list[Metric] = []

    def refresh(self) -> None:
        self._families = [_family(each, value) for read in self._sources for each, value in read().items()]

    def collect(self) -> Iterable[Metric]:
        return self._families


def _family(definition: Definition, value: float | Mapping[Labels, float]) -> Metric:
    make = CounterMetricFamily if definition.kind == "counter" else GaugeMetricFamily
    family = make(definition.name, definition.text, labels=definition.labels)
    for labels, number in (value if isinstance(value, Mapping) else {(): value}).items():
        family.add_metric(labels, number)
    return family


class MetricsPage:
    """Handler of GET /metrics, in Prometheus's text format or OpenMetrics, as it is asked for."""

    def __init__(self, registry: CollectorRegistry, *sources: Callable[[], Values]) -> None:
        self._registry, self._readings = registry, Readings(*sources)
        registry.register(self._readings)
        ProcessCollector(registry=registry)

    async def show(self, request: web.Request) -> web.Response:
        """Render in a thread: hundreds of series take tens of milliseconds, which requests would wait for."""
        self._readings.refresh()
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        body = await asyncio.to_thread(encode, self._registry)
        # The compressor, too, runs in a thread from that size on.
        response = web.Response(body=body, headers={"Content-Type": content_type}, zlib_executor_size=1024)
        response.enable_compression()
        return response
