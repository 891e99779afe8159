"""What a worker did since it started, and what is owed: for the heartbeat file, a line a minute, and whoever asks."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from service.store.outbox import Backlog

# Every one is told from the start, so that who watches sees a nought and no gap.
NAMES = (
    "attempts", "sent", "failed", "expired", "cancelled", "void",
    "waits_server", "waits_recipient", "waits_ours", "waits_pace",
    # Leases of others that ran out; tries whose answer never came after the final dot; sent, and marked by nobody.
    "leases_taken_over", "duplicates_suspected", "sent_unmarked",
    "receipts_replayed", "receipts_garbled", "mails_taken_back", "mails_handed_back", "mails_hastened",
    "sweeps", "mails_swept", "redis_keys_mended", "loop_held_up",
)  # fmt: skip


@dataclass(slots=True)
class Metrics:
    """Only ever growing, but `backlog`, which is as it was seen last."""

    since_start: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(NAMES, 0)))
    backlog: Backlog | None = None

    def add(self, name: str, number: int = 1) -> None:
        """Raises KeyError for a name that nobody is told of."""
        if name not in NAMES:
            raise KeyError(name)
        self.since_start[name] += number

    def snapshot(self) -> dict[str, Any]:
        """All of it, flat."""
        backlog = {} if self.backlog is None else {f"backlog_{name}": at for name, at in asdict(self.backlog).items()}
        return dict(self.since_start) | backlog
