"""Intake of what comes back of our mails: bounces, delays and complaints, by pipe or LMTP (docs/bounces.md)."""
