"""Reasons why a mail or an SMS that a worker has claimed is not sent."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class NothingToSend(Exception):
    """It ends in `state` without being sent; `fault` is the reason."""

    state: Literal["failed", "expired", "cancelled", "void"]
    fault: str


class Suppressed(Exception):
    """Its recipient's mailbox has refused our mail before, or reported it as spam."""


class CannotSendYet(Exception):
    """It can't be sent before an operator changes something; the message says what."""
