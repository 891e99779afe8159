"""Write the heartbeat: a file for `python -m worker check`, and a line a minute in the log."""

import asyncio
import logging
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from service import event_loop_monitor, json_logging
from service.outages import Outage
from service.queue import JobQueue
from worker.metrics import Metrics
from worker.relays import RelayPool
from worker.relays.routing import Relays
from worker.sms.webhook import Sender
from worker.worker_name import WorkerName

log = logging.getLogger(__name__)
INTERVAL = 5.0
_LOG_INTERVAL = 60.0


@dataclass(slots=True)
class Heartbeat:
    """Heartbeat of one worker. It asks neither relay nor database: their outage is no reason to restart a worker."""

    path: Path
    identity: WorkerName
    relay: RelayPool | Relays
    job_queue: JobQueue
    metrics: Metrics
    sms: Sender | None = None
    _logged_at: float = field(default_factory=time.monotonic)
    _outage: Outage = field(init=False)

    def __post_init__(self) -> None:
        self._outage = Outage(
            str(self.path),
            "heartbeat",
            fell="The worker can't write its heartbeat file",
            back="The worker writes its heartbeat file again",
        )

    async def run(self) -> None:
        """Write the file every few seconds until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(event_loop_monitor.monitor(lambda: self.metrics.add("event_loop_stalls")))
            while True:
                self.write()
                await asyncio.sleep(INTERVAL)

    def write(self) -> None:
        snapshot = self.snapshot()
        if time.monotonic() - self._logged_at >= _LOG_INTERVAL:
            self._logged_at = time.monotonic()
            log.info("The worker's counters", extra={"event": "worker.metrics"} | snapshot)
        new = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            new.write_bytes(orjson.dumps(snapshot))
            new.replace(self.path)
            self.identity.touch()
        except OSError as error:
            self._outage.record_failure(
                f"{error.strerror}: mend WORKER_HEARTBEAT, or `check` takes this worker for dead"
            )
        else:
            self._outage.record_success(sure=True)

    def snapshot(self) -> dict[str, Any]:
        """Return all metrics, flat; by host:port each relay's breaker and mails a minute, and the webhook's breaker."""
        return {
            "worker": self.identity.name,
            "enqueues_failed": self.job_queue.failed_enqueues,
            "relays": self.relay.states(),
            "relays_per_minute": self.relay.rates(),
            "sms": {self.sms.name: self.sms.state} if self.sms else {},
            "lines_dropped": json_logging.dropped_lines(),
            **self.metrics.snapshot(),
        }

    def stop(self) -> None:
        self.path.unlink(missing_ok=True)
