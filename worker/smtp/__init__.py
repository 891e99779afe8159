"""The way out: reused connections to one SMTP server or several, and how a mail can fare there."""

from service.settings import Deadlines
from worker.smtp.circuit_breaker import OURS, State
from worker.smtp.connection_check import try_out
from worker.smtp.outcomes import Accepted, Cause, Refused, TryLater, Undelivered
from worker.smtp.relay import Relay, Turn
from worker.smtp.smtp_url import Server, parse_urls

__all__ = [
    "OURS", "Accepted", "Cause", "Deadlines", "Refused", "Relay", "Server", "State", "TryLater", "Turn",
    "Undelivered", "parse_urls", "try_out",
]  # fmt: skip
