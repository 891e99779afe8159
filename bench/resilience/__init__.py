"""Figures of docs/reliability.md and docs/security.md: one module a figure, each a command that ends."""
