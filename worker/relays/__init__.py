"""Send mails over SMTP (`smtp/`) or a provider's HTTP API (`http/`), by one relay server or several, with failover."""

from service.smtp_deadlines import Deadlines
from worker.relays.budget import RelayBudget
from worker.relays.circuit_breaker import OURS, State
from worker.relays.outcomes import Accepted, DeliveryFailure, PermanentFailure, TemporaryFailure
from worker.relays.pool import RateReservation, RelayPool
from worker.relays.smtp_url import SmtpUrl, parse_urls
from worker.relays.step_check import StepResult, check_steps, failed, shortened

__all__ = [
    "OURS",
    "Accepted",
    "Deadlines",
    "DeliveryFailure",
    "PermanentFailure",
    "RateReservation",
    "RelayBudget",
    "RelayPool",
    "SmtpUrl",
    "State",
    "StepResult",
    "TemporaryFailure",
    "check_steps",
    "failed",
    "parse_urls",
    "shortened",
]  # fmt: skip
