"""Proof Key for Code Exchange (RFC 7636), with S256 alone."""

import hashlib
from base64 import urlsafe_b64encode

from service.crypto.secret import Secret


def challenge(verifier: Secret) -> str:
    return urlsafe_b64encode(hashlib.sha256(verifier.reveal().encode()).digest()).rstrip(b"=").decode()
