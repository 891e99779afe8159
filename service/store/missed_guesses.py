"""Guesses at a token or a challenge that is not there: counted in rows of the project: a write as well."""

import secrets

_SLOTS = 64


def pick_slot() -> int:
    """Return the row that counts a guess: one of many, so that two guesses hardly ever wait for each other."""
    return secrets.randbelow(_SLOTS)
