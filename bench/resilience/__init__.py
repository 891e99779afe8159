"""The figures that docs/reliability.md and docs/security.md give: one module a figure, each a command that ends."""
