"""Proof Key for Code Exchange (RFC 7636), with S256 alone."""

import hashlib
import secrets
from base64 import urlsafe_b64encode

from service.crypto.secret import Secret


def new_verifier() -> Secret:
    """Make 256 random bits, as 43 characters."""
    return Secret(secrets.token_urlsafe(32))


def challenge(verifier: Secret) -> str:
    return urlsafe_b64encode(hashlib.sha256(verifier.reveal().encode()).digest()).rstrip(b"=").decode()
