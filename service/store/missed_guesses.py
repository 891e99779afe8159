"""Counting of guesses at tokens and challenges that are not there: each writes a row, as any other guess does."""

import secrets

_SLOTS = 64


def pick_slot() -> int:
    """Return the row that counts a guess: one of many, so that two guesses hardly ever wait for each other."""
    return secrets.randbelow(_SLOTS)
