"""Send mails over SMTP: reused connections to one relay server or several, with failover."""

from service.settings import Deadlines
from worker.smtp.circuit_breaker import OURS, State
from worker.smtp.connection_check import check_connections
from worker.smtp.outcomes import Accepted, Cause, DeliveryFailure, PermanentFailure, TemporaryFailure
from worker.smtp.relay import RateReservation, RelayPool
from worker.smtp.smtp_url import SmtpUrl, parse_urls

__all__ = [
    "OURS",
    "Accepted",
    "Cause",
    "Deadlines",
    "DeliveryFailure",
    "PermanentFailure",
    "RateReservation",
    "RelayPool",
    "SmtpUrl",
    "State",
    "TemporaryFailure",
    "check_connections",
    "parse_urls",
]  # fmt: skip
