"""`python -m service import appwrite`: users of an Appwrite project, from its API or a dump (docs/moving.md)."""
