"""Deliver events to the webhooks of projects, by Standard Webhooks 1.0 (docs/webhooks.md)."""
