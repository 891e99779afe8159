"""The operators' desk: `python -m worker mails list|show|retry|cancel|status` looks after the outbox by hand."""

from worker.desk.answers import serve
from worker.desk.words import add

__all__ = ["add", "serve"]
