"""Errors of the HTTP requests that this service makes, in words that quote nothing of what was sent, or where to."""

import ssl
from dataclasses import dataclass
from typing import Literal

import aiohttp


@dataclass(frozen=True, slots=True)
class RequestError:
    """`stage` is how far the request came; up to "tls" nothing of it has left."""

    stage: Literal["connect", "tls", "exchange"]
    text: str


def of(error: Exception) -> RequestError:
    """Describe any error of a request."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError | ssl.SSLError):
        return RequestError("tls", "its certificate or encryption is not to be trusted")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return RequestError("connect", "its host name can't be resolved")
    if isinstance(error, aiohttp.ClientConnectorError):
        return RequestError("connect", "it can't be reached")
    if isinstance(error, aiohttp.InvalidURL):
        return RequestError("connect", "its URL can't be used")
    if isinstance(error, TimeoutError):
        return RequestError("exchange", "it gave no answer in time")
    return RequestError("exchange", f"the exchange failed: {type(error).__name__}")
