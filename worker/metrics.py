"""Count a worker's work since its start, and keep the last backlog; for the heartbeat file and the log."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from service.store.outbox import Backlog

# Each is reported from the start, so that a monitor sees 0 and no gap.
NAMES = (
    "attempts", "sent", "failed", "expired", "cancelled", "void",
    "waits_server", "waits_recipient", "waits_ours", "waits_pace",
    # Leases of others that ran out; attempts without a reply after the final dot; sent, but recorded by no worker.
    "leases_taken_over", "duplicates_suspected", "sent_unrecorded",
    "journal_entries_replayed", "journal_entries_unreadable", "mails_recovered", "mails_released", "mails_rescheduled",
    "sms_attempts", "sms_sent", "sms_failed", "sms_expired", "sms_cancelled", "sms_void", "sms_waits",
    "polls", "mails_polled", "redis_keys_repaired", "event_loop_stalls",
)  # fmt: skip


@dataclass(slots=True)
class Metrics:
    """Counters since the start, and `backlog` as it was last read."""

    since_start: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(NAMES, 0)))
    backlog: Backlog | None = None

    def add(self, name: str, number: int = 1) -> None:
        """Raise a counter. Raises KeyError for a name that is not reported."""
        if name not in NAMES:
            raise KeyError(name)
        self.since_start[name] += number

    def snapshot(self) -> dict[str, Any]:
        """Return all counters and the backlog, flat."""
        backlog = {} if self.backlog is None else {f"backlog_{name}": at for name, at in asdict(self.backlog).items()}
        return dict(self.since_start) | backlog
