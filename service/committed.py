"""Facts of a unit of work that are counted after its COMMIT."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class Committed:
    """Letters of mails, kinds of tokens issued, and kinds of tokens used with the time of their issue."""

    letters: list[str] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    used: list[tuple[str, datetime]] = field(default_factory=list)
