"""`python -m service shadow`: the same reads to an Appwrite project and to this service, compared (docs/moving.md)."""
