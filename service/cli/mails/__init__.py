"""`python -m service mails list|show|retry|cancel|status|test`: inspect and steer the outbox by hand."""
