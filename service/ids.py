"""Identifiers, made in Python so that they are known before a transaction begins."""

import time
from uuid import UUID

from uuid_utils import uuid4
from uuid_utils.compat import uuid7


def new() -> str:
    """Make 20 lower-case hex characters: 44 bits of milliseconds, 36 random bits, so that indexes grow at one end.

    The bits are the first of a UUID. Its generator asks the system for a seed and not for each id, as every request
    needs one.
    """
    return f"{time.time_ns() // 1_000_000 & 0xFFF_FFFF_FFFF:011x}{uuid4().hex[:9]}"


def new_uuid() -> UUID:
    """Make a version 7 UUID, for rows that a job names."""
    return uuid7()


def given(requested: str | None) -> str:
    """Return the id that a client chose, or a new one for `unique()` and for none."""
    return requested if requested and requested != "unique()" else new()
