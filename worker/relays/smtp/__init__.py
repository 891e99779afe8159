"""SMTP: sessions, their pool, and what replies mean."""
