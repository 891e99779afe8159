"""Hashes of the security log's chain: each covers its row and the hash before it (docs/security-log.md).

What is hashed is the JSON of a list, without spaces: RFC 8785 makes the same bytes of texts, whole numbers and nulls.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import orjson

SALT = 16
Previous = tuple[str, int, bytes]


def start(project_id: str, month: str, previous: Previous | None) -> bytes:
    """Return the hash before the first row; `previous` is where the chain of an earlier month stood then."""
    earlier, number, before = previous or (None, None, None)
    return _hash(["security log", project_id, month, earlier, number, _hex(before)])


def personal_digest(salt: bytes, values: Sequence[str | None]) -> bytes:
    """Digest a row's personal values, which can be erased without breaking the chain."""
    return hashlib.sha256(salt + orjson.dumps(values)).digest()


def link(before: bytes, number: int, event_id: UUID, at: datetime, name: str, personal: bytes) -> bytes:  # noqa: PLR0917 - the parts in their order
    """Return a row's hash."""
    time = at.astimezone(UTC).isoformat(timespec="microseconds")
    return _hash([_hex(before), number, str(event_id), time, name, _hex(personal)])


def _hash(parts: list[str | int | None]) -> bytes:
    return hashlib.sha256(orjson.dumps(parts)).digest()


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
