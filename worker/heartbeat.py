"""Shows that a worker lives and how it fares: a file for `python -m worker check`, and a line a minute in the log."""

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
from worker.smtp import RelayPool
from worker.worker_name import WorkerName

log = logging.getLogger(__name__)
BEAT = 5.0
_LINE = 60.0


@dataclass(slots=True)
class Heartbeat:
    """A relay or a database that hangs is no reason to be started anew, so it asks neither."""

    path: Path
    identity: WorkerName
    relay: RelayPool
    job_queue: JobQueue
    counts: Metrics
    _line_at: float = field(default_factory=time.monotonic)
    _outage: Outage = field(init=False)

    def __post_init__(self) -> None:
        self._outage = Outage(
            str(self.path), fell="the heartbeat could not be written", back="the heartbeat is written again"
        )

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(event_loop_monitor.monitor(lambda: self.counts.add("loop_held_up")))
            while True:
                self.write()
                await asyncio.sleep(BEAT)

    def write(self) -> None:
        told = self.snapshot()
        if time.monotonic() - self._line_at >= _LINE:
            self._line_at = time.monotonic()
            log.info("counts", extra=told)
        new = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            new.write_bytes(orjson.dumps(told))
            new.replace(self.path)
            self.identity.touch()
        except OSError as error:
            self._outage.record_failure(
                f"{error.strerror}: mend WORKER_HEARTBEAT, or `check` takes this worker for dead"
            )
        else:
            self._outage.record_success(sure=True)

    def snapshot(self) -> dict[str, Any]:
        """Everything that is counted, flat, and of each relay, by host:port, its breaker and its mails a minute."""
        own = {
            "worker": self.identity.name,
            "bells_missed": self.job_queue.failed_enqueues,
            "relays": self.relay.states(),
        }
        own["relays_per_minute"] = self.relay.rates()
        return own | {"lines_dropped": json_logging.dropped_lines()} | self.counts.snapshot()

    def stop(self) -> None:
        self.path.unlink(missing_ok=True)
