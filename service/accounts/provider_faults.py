"""Faults of providers as clients are told of them, and as the operator reads of them in the log."""

import logging

from service.errors import AccountError, OAuth2ProviderError, OAuth2ProviderFailure
from service.identity_providers.faults import ProviderError, ProviderFailure, ProviderFault, ProviderUnavailable
from service.identity_providers.provider import Provider

log = logging.getLogger(__name__)
_MESSAGE = 200


def refusal(provider: Provider, fault: ProviderFault) -> AccountError:
    """Make the error for the client of a fault, and log it."""
    record(provider, fault)
    if isinstance(fault, ProviderError):
        return refused(provider, fault.code)
    return OAuth2ProviderFailure(
        _cut(f"{provider.title} couldn't complete sign-in ({_reason(fault).rstrip('.')}). Please try again.")
    )


def record(provider: Provider, fault: ProviderFault) -> None:
    """Tell the operator of a fault."""
    log.warning(
        "A sign-in by a provider failed",
        extra={
            "event": "provider.sign_in_failed",
            "project": provider.project_id,
            "provider": provider.name,
            "fault": type(fault).__name__,
            "reason": _reason(fault),
        },
    )


def _reason(fault: ProviderFault) -> str:
    return fault.reason if isinstance(fault, ProviderFailure | ProviderUnavailable) else "it refused"


def refused(provider: Provider, code: str, description: str = "") -> OAuth2ProviderError:
    """Make the error for what a provider said, which is text of its own: cut, and without anything but characters."""
    said = f"{code}: {description}" if description else code
    return OAuth2ProviderError(_cut(f"The {provider.title} OAuth2 provider returned an error: {said}"))


def _cut(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:_MESSAGE]
