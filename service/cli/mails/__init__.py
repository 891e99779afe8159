"""`python -m service mails list|show|retry|cancel|status`: inspect and steer the outbox by hand."""

from service.cli.mails.output import serve
from service.cli.mails.parser import add

__all__ = ["add", "serve"]
