"""`python -m service mails list|show|retry|cancel|status|test`: inspect and steer the outbox by hand."""

from service.cli.mails.output import serve
from service.cli.mails.parser import add, add_outbox

__all__ = ["add", "add_outbox", "serve"]
