"""Reasons why a mail or an SMS that a worker has claimed is not sent."""

from dataclasses import dataclass

from service.store.outbox import FinalState


@dataclass(frozen=True, slots=True)
class NothingToSend(Exception):
    """It ends in `state` without being sent; `fault` is the reason."""

    state: FinalState
    fault: str


class CannotSendYet(Exception):
    """It can't be sent before an operator changes something; the message says what."""
