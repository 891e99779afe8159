"""Circuit breaker: stop using a server that keeps failing until a probe succeeds."""

from dataclasses import dataclass, field
from typing import Literal

from worker.relays.outcomes import GREETING, DeliveryFailure

State = Literal["closed", "open", "half_open"]
TRIES = 5
REST = 10.0
# Stages at which a fault of ours blocks every mail and not one letter: connection, sign-in, permission to send.
OURS = GREETING | {"mail"}


def is_counted(fault: DeliveryFailure) -> bool:
    """Return whether the server failed as a whole, not for one recipient, one letter, or one stale connection."""
    if fault.reused and fault.code in (0, 421):
        return False
    return fault.cause == "server" or (fault.cause == "ours" and fault.stage in OURS)


@dataclass(slots=True)
class CircuitBreaker:
    """Breaker that opens after `TRIES` failures in a row; then one probe each `rest` seconds. Times are the loop's."""

    rest: float = REST
    state: State = "closed"
    failures: int = 0
    probe_at: float = 0.0
    last: str = ""
    # Senders refused and recipients failed since the last success.
    _known: set[bytes] = field(default_factory=set)

    def allows(self, now: float) -> bool:
        """Return whether a mail may be sent. If probes are overdue a mail stands in for one, one each `rest`."""
        if self.state == "closed":
            return True
        if self.probe_overdue(now):
            self.probe_at = now
            return True
        return False

    def probe_overdue(self, now: float) -> bool:
        """Return whether a probe is so late that none seems to be running."""
        return self.state == "open" and now > self.probe_at + self.rest

    def record_failure(
        self, fault: DeliveryFailure, now: float, *, sender: bytes = b"", recipient: bytes = b""
    ) -> bool:
        """Count a failure; return whether it opened the breaker.

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
        """Record that the server did its part for a mail; return whether that closed the breaker."""
        was, self.state, self.failures = self.state, "closed", 0
        self._known.clear()
        return was != "closed"

    def half_close(self) -> None:
        """Close after a successful probe, but open again at the next failure: a greeting proves less than a mail."""
        self.state, self.failures = "closed", TRIES - 1
        self._known.clear()
