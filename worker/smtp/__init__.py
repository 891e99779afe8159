"""Send mails over SMTP, or a provider's HTTP API: reused connections to one relay server or several, with failover."""

from service.smtp_deadlines import Deadlines
from worker.smtp.circuit_breaker import OURS, State
from worker.smtp.outcomes import Accepted, Cause, DeliveryFailure, PermanentFailure, TemporaryFailure
from worker.smtp.relay import RateReservation, RelayPool
from worker.smtp.relay_budget import RelayBudget
from worker.smtp.smtp_url import SmtpUrl, parse_urls
from worker.smtp.step_check import MEND, StepResult, check_steps, failed, shortened

__all__ = [
    "MEND",
    "OURS",
    "Accepted",
    "Cause",
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
