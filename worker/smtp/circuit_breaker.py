"""Leaves a server alone that fails again and again, until a probe finds it well."""

from dataclasses import dataclass, field
from typing import Literal

from worker.smtp.outcomes import GREETING, DeliveryFailure

State = Literal["closed", "open", "half_open"]
TRIES = 5
REST = 10.0
# Where a fault of ours concerns the server and not one letter: whether it lets us in, and whether it lets us send.
OURS = GREETING | {"mail"}


def is_counted(fault: DeliveryFailure) -> bool:
    """Whether the server failed as a whole, and not for one recipient, one letter, or one connection that rested."""
    if fault.reused and fault.code in (0, 421):
        return False
    return fault.cause == "server" or (fault.cause == "ours" and fault.stage in OURS)


@dataclass(slots=True)
class CircuitBreaker:
    """Opens after `TRIES` failures in a row; then one probe each `REST` seconds. Times are the loop's."""

    rest: float = REST
    state: State = "closed"
    failures: int = 0
    probe_at: float = 0.0
    last: str = ""
    # Senders that were refused and recipients that were failed, since it last worked.
    _known: set[bytes] = field(default_factory=set)

    def allows(self, now: float) -> bool:
        """Whether a mail may go there. If nobody probes, a mail does it, one for each rest."""
        if self.state == "closed":
            return True
        if self.probe_overdue(now):
            self.probe_at = now
            return True
        return False

    def probe_overdue(self, now: float) -> bool:
        """Whether a probe is so late that nobody seems to make them."""
        return self.state == "open" and now > self.probe_at + self.rest

    def record_failure(
        self, fault: DeliveryFailure, now: float, *, sender: bytes = b"", recipient: bytes = b""
    ) -> bool:
        """Count a failure; whether it opened the breaker.

        A refused sender address, and a failure once a recipient was named, count once for each: others may pass.
        """
        self.last = str(fault)
        if self.state == "half_open":
            self.state, self.probe_at = "open", now + self.rest
        if self.state == "open" or not self._is_news(fault, sender, recipient):
            return False
        self.failures += 1
        if self.failures < TRIES:
            return False
        self.state, self.probe_at = "open", now + self.rest
        return True

    def _is_news(self, fault: DeliveryFailure, sender: bytes, recipient: bytes) -> bool:
        if fault.stage in GREETING or (fault.stage == "mail" and fault.cause != "ours"):
            return True
        whose = b"from " + sender if fault.stage == "mail" else b"to " + recipient
        known = whose in self._known
        self._known.add(whose)
        return not known

    def record_success(self) -> bool:
        """The server did its part for a mail; whether that closed the breaker."""
        was, self.state, self.failures = self.state, "closed", 0
        self._known.clear()
        return was != "closed"

    def half_close(self) -> None:
        """A probe went well. The next failure opens it again: to greet is less than to carry."""
        self.state, self.failures = "closed", TRIES - 1
        self._known.clear()
