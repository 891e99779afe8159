"""Report of an import: counts, and the ids of users that were not taken."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Report:
    """Outcome of an import; `skipped` has the ids of those that were not taken, by reason."""

    imported: int = 0
    updated: int = 0
    left: int = 0
    without_password: int = 0
    devices_left_out: int = 0
    skipped: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def read(self) -> int:
        return self.imported + self.updated + self.left + sum(map(len, self.skipped.values()))

    def line(self) -> str:
        told = f"{self.imported} imported, {self.updated} updated, {self.left} were here"
        return f"{told}, {sum(map(len, self.skipped.values()))} skipped"

    def answer(self, *, dry_run: bool) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in ("imported", "updated", "left")}
        more = {"without_password": self.without_password, "devices_left_out": self.devices_left_out}
        return ({"dry_run": True} if dry_run else {}) | counts | more | {"skipped": dict(self.skipped)}
