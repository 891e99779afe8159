"""Identifiers, made in Python so that they are known before a transaction begins."""

import secrets
import time
from uuid import UUID

from uuid_utils.compat import uuid7


def new() -> str:
    """Make 20 lower-case hex characters: 44 bits of milliseconds, 36 random bits, so that indexes grow at one end."""
    return f"{time.time_ns() // 1_000_000 & 0xFFF_FFFF_FFFF:011x}{secrets.randbits(36):09x}"


def new_uuid() -> UUID:
    """Make a version 7 UUID, for rows that a job names."""
    return uuid7()


def given(requested: str | None) -> str:
    """Return the id that a client chose, or a new one for `unique()` and for none."""
    return requested if requested and requested != "unique()" else new()
