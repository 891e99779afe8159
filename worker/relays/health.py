"""Judge one server by its outcomes: open and close its breaker, adapt its rate, alert an operator."""

import asyncio
import logging
from collections.abc import Hashable
from dataclasses import dataclass, field

from worker.relays.circuit_breaker import CircuitBreaker, is_counted
from worker.relays.envelope import Envelope
from worker.relays.outcomes import GREETING, Accepted, DeliveryFailure
from worker.relays.rate_limiter import FLOOR, AdaptiveRate

log = logging.getLogger(__name__)
# The alert that stands until the rate is without limit again, whatever is sent meanwhile.
_PACE = ("pace", 0, b"pace")
# Different recipients after which an operator is alerted, and seconds until that kind is counted again.
RECIPIENTS = 3
QUIET = 86_400.0


@dataclass(slots=True)
class SenderRefusals:
    """Refusals that name no cause: counted as ours once enough recipients met the same kind.

    Times are the loop's. A success doesn't clear the count: one letter in ten may be refused.
    """

    _met: dict[Hashable, set[bytes]] = field(default_factory=dict)
    _quiet_until: dict[Hashable, float] = field(default_factory=dict)

    def record(self, kind: Hashable, recipient: bytes, now: float) -> bool:
        """Count a refusal; return whether there are enough of its kind, once a day for each kind."""
        if now < self._quiet_until.get(kind, 0.0):
            return False
        met = self._met.setdefault(kind, set())
        met.add(recipient)
        if len(met) < RECIPIENTS:
            return False
        del self._met[kind]
        self._quiet_until[kind] = now + QUIET
        return True


@dataclass(slots=True)
class ServerHealth:
    """State of one server; `opened` is set when its breaker opens.

    Two events are shared by all servers: `recovered` is set when a breaker closes, `rates_changed` when the time of the
    next mail may have changed.
    """

    name: str
    breaker: CircuitBreaker
    recovered: asyncio.Event
    rates_changed: asyncio.Event
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    throttle: AdaptiveRate = field(default_factory=AdaptiveRate)
    last_refusal: str = ""
    _sender_refusals: SenderRefusals = field(default_factory=SenderRefusals)
    # Stage, code and, where only one sender is concerned, that sender, of each fault already reported to an operator.
    _reported: set[tuple[str, int, bytes]] = field(default_factory=set)

    def accepts_mail(self, now: float) -> bool:
        """Return whether the breaker is closed, or its probe is overdue and a mail may stand in for it."""
        return self.breaker.state == "closed" or self.breaker.probe_overdue(now)

    def record_success(self, outcome: Accepted | DeliveryFailure, mail: Envelope) -> None:
        """Record that the server accepted a mail, or refused one recipient."""
        if self._reported:
            self._reported = {each for each in self._reported if each[2] not in (b"", mail.sender)}
        if self.breaker.record_success():
            self.record_recovery()
        if isinstance(outcome, Accepted) and self.throttle.record_accepted(asyncio.get_running_loop().time()):
            self._reported.discard(_PACE)
            self.rates_changed.set()
            log.info(
                "The relay is sent mails without a rate limit again",
                extra={"event": "relay.rate_restored", "server": self.name},
            )

    def record_failure(self, fault: DeliveryFailure, mail: Envelope | None, began: float) -> bool:
        """Record a failure that is not the recipient's, of a mail or a probe; return whether it opened the breaker."""
        now = asyncio.get_running_loop().time()
        sender, recipient = (mail.sender, mail.recipient) if mail else (b"", b"")
        facts = {"server": self.name, "stage": fault.stage, "code": fault.code, "fault": fault.text}
        if fault.cause == "pace":
            self._reduce_rate(fault, began, now, facts)
        elif self._is_new_fault(fault, sender, recipient, now):
            self._alert_operator(facts)
        # An open circuit stays open until the server greets, whatever it replies instead.
        counts = is_counted(fault) or self.breaker.state != "closed"
        if not counts or not self.breaker.record_failure(fault, now, sender=sender, recipient=recipient):
            return False
        log.warning("The relay fails; the worker sends it no mails", extra={"event": "relay.circuit_open"} | facts)
        self.opened.set()
        self.rates_changed.set()
        return True

    def record_recovery(self) -> None:
        log.info("The relay works again", extra={"event": "relay.circuit_closed", "server": self.name})
        self.recovered.set()
        self.rates_changed.set()

    def _is_new_fault(self, fault: DeliveryFailure, sender: bytes, recipient: bytes, now: float) -> bool:
        """Return whether to alert an operator: once for each kind of fault of ours until that works again."""
        if fault.cause != "ours":
            return False
        if fault.suspected:
            return self._sender_refusals.record((fault.stage, fault.code, sender), recipient, now)
        news = (fault.stage, fault.code, b"" if fault.stage in GREETING else sender)
        known = news in self._reported
        self._reported.add(news)
        return not known

    def _reduce_rate(self, refusal: DeliveryFailure, began: float, now: float, facts: dict[str, object]) -> None:
        """Reduce the rate; alert an operator if the refusal is permanent or the least rate is still too much."""
        before = self.throttle.rate
        self.last_refusal = refusal.text
        if not self.throttle.reduce(began, now):
            return
        self.rates_changed.set()
        rate = self.throttle.rate or FLOOR
        if before is None:
            log.warning(
                "The relay asked for fewer mails; the worker sends it fewer a minute",
                extra={"event": "relay.rate_lowered"} | facts | {"per_minute": round(rate, 1)},
            )
        if (refusal.code >= 500 or rate <= FLOOR) and _PACE not in self._reported:
            self._reported.add(_PACE)
            self._alert_operator(facts)

    @staticmethod
    def _alert_operator(facts: dict[str, object]) -> None:
        log.error(
            "The relay refuses the worker's mails; an operator has to act", extra={"event": "relay.refused"} | facts
        )
