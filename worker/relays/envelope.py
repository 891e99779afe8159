"""One mail as a relay server gets it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

LeaseCheck = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Envelope:
    """Checked sender and recipient, the message, and the check that its lease is still this worker's."""

    sender: bytes
    recipient: bytes
    message: bytes = field(repr=False)
    before_data: LeaseCheck | None
