"""How well one server is: what each outcome says of it, its breaker, its pace, and when an operator is called."""

import asyncio
import logging
from dataclasses import dataclass, field

from worker.smtp.adaptive_rate import FLOOR, AdaptiveRate
from worker.smtp.circuit_breaker import CircuitBreaker, is_counted
from worker.smtp.outcomes import GREETING, Accepted, DeliveryFailure
from worker.smtp.sender_refusals import SenderRefusals
from worker.smtp.session import Envelope

log = logging.getLogger(__name__)
CALL = "the mail server needs an operator"
# The call that stands until the pace is without limit again, whatever is sent meanwhile.
_PACE = ("pace", 0, b"pace")


@dataclass(slots=True)
class ServerHealth:
    """`opened` is set when the breaker opens.

    The other two are shared by all servers: `recovered` is set when a breaker closes, `paced` when mails may have to
    wait otherwise than they were told.
    """

    name: str
    breaker: CircuitBreaker
    recovered: asyncio.Event
    paced: asyncio.Event
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    throttle: AdaptiveRate = field(default_factory=AdaptiveRate)
    last_refusal: str = ""
    _suspects: SenderRefusals = field(default_factory=SenderRefusals)
    # Stage, code and, where only one is concerned, the sender of each fault that an operator was called for.
    _told: set[tuple[str, int, bytes]] = field(default_factory=set)

    def takes_mail(self, now: float) -> bool:
        """Whether the breaker is closed, or nobody probes the server."""
        return self.breaker.state == "closed" or self.breaker.probe_overdue(now)

    def did_well(self, outcome: Accepted | DeliveryFailure, mail: Envelope) -> None:
        """It took a mail, or answered for a recipient."""
        if self._told:
            self._told = {each for each in self._told if each[2] not in (b"", mail.sender)}
        if self.breaker.record_success():
            self.is_back()
        if isinstance(outcome, Accepted) and self.throttle.accepted(asyncio.get_running_loop().time()):
            self._told.discard(_PACE)
            self.paced.set()
            log.info("the mail server is given any number of mails again", extra={"server": self.name})

    def failed(self, fault: DeliveryFailure, mail: Envelope | None, began: float) -> bool:
        """Something that is not the recipient's; without a mail it met a probe. Whether that opened the breaker."""
        now = asyncio.get_running_loop().time()
        sender, recipient = (mail.sender, mail.recipient) if mail else (b"", b"")
        facts = {"server": self.name, "stage": fault.stage, "code": fault.code, "fault": fault.text}
        if fault.cause == "pace":
            self._slow(fault, began, now, facts)
        elif self._is_news(fault, sender, recipient, now):
            log.error(CALL, extra=facts)
        # One that is left alone stays so until it greets, whatever it says instead.
        counts = is_counted(fault) or self.breaker.state != "closed"
        if not counts or not self.breaker.record_failure(fault, now, sender=sender, recipient=recipient):
            return False
        log.warning("the mail server is left alone", extra=facts)
        self.opened.set()
        self.paced.set()
        return True

    def is_back(self) -> None:
        log.info("the mail server is back", extra={"server": self.name})
        self.recovered.set()
        self.paced.set()

    def _is_news(self, fault: DeliveryFailure, sender: bytes, recipient: bytes, now: float) -> bool:
        """Whether an operator is called: once for each kind of fault of ours until that works again."""
        if fault.cause != "ours":
            return False
        if fault.suspected:
            return self._suspects.are_enough((fault.stage, fault.code, sender), recipient, now)
        news = (fault.stage, fault.code, b"" if fault.stage in GREETING else sender)
        known = news in self._told
        self._told.add(news)
        return not known

    def _slow(self, refusal: DeliveryFailure, began: float, now: float, facts: dict[str, object]) -> None:
        """Fewer mails from now on. An operator is called where it says never, or where next to none is too many."""
        before = self.throttle.rate
        self.last_refusal = refusal.text
        if not self.throttle.slow(began, now):
            return
        self.paced.set()
        rate = self.throttle.rate or FLOOR
        if before is None:
            log.warning("the mail server is given fewer mails", extra=facts | {"per_minute": round(rate, 1)})
        if (refusal.code >= 500 or rate <= FLOOR) and _PACE not in self._told:
            self._told.add(_PACE)
            log.error(CALL, extra=facts)
