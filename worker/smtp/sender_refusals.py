"""Refusals that name nobody's fault: ours, once enough recipients met the same."""

from collections.abc import Hashable
from dataclasses import dataclass, field

# Different recipients after which an operator is called, and seconds until that kind is gathered anew.
RECIPIENTS = 3
QUIET = 86_400.0


@dataclass(slots=True)
class SenderRefusals:
    """Counts by kind of refusal. Times are the loop's. Successes don't clear it: one letter in ten may be refused."""

    _met: dict[Hashable, set[bytes]] = field(default_factory=dict)
    _quiet_until: dict[Hashable, float] = field(default_factory=dict)

    def are_enough(self, kind: Hashable, recipient: bytes, now: float) -> bool:
        """Note a refusal; whether it makes them enough. After that the kind is left alone for a day."""
        if now < self._quiet_until.get(kind, 0.0):
            return False
        met = self._met.setdefault(kind, set())
        met.add(recipient)
        if len(met) < RECIPIENTS:
            return False
        del self._met[kind]
        self._quiet_until[kind] = now + QUIET
        return True
