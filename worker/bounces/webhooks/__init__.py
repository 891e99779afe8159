"""Webhooks of mail providers: who may call is proved by each provider's own signature (docs/bounces.md)."""
