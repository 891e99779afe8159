"""The way out: a pool of reused connections to one SMTP server, and the two answers a mail can meet there."""

from worker.smtp.answers import Refused, TryLater, Undelivered
from worker.smtp.relay import Deadlines, Relay
from worker.smtp.server import Server, parse_url

__all__ = ["Deadlines", "Refused", "Relay", "Server", "TryLater", "Undelivered", "parse_url"]
