"""The way out: reused connections to one SMTP server or several, and how a mail can fare there."""

from service.settings import Deadlines
from worker.smtp.answers import Accepted, Cause, Refused, TryLater, Undelivered
from worker.smtp.breaker import OURS, State
from worker.smtp.relay import Relay, Turn
from worker.smtp.server import Server, parse_urls
from worker.smtp.trial import try_out

__all__ = [
    "OURS", "Accepted", "Cause", "Deadlines", "Refused", "Relay", "Server", "State", "TryLater", "Turn",
    "Undelivered", "parse_urls", "try_out",
]  # fmt: skip
