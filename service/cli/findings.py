"""Findings of the commands that check a setup."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from service.cli.tables import Listing

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding; `warn` is for what suits a trial and not production, or may pass by itself."""

    about: str
    state: State
    message: str


def listing(found: Sequence[Finding]) -> Listing:
    """Return the answer of a command: one line a finding."""
    return Listing([asdict(each) for each in found], ("state", "about", "message"))
