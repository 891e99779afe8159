"""Keys of an Appwrite project, from files or the environment: a command line is no place for them."""

import os
from pathlib import Path

from service.cli.commands import UsageError
from service.crypto.secret import Secret

KEY, DUMP_KEY = "APPWRITE_API_KEY", "APPWRITE_OPENSSL_KEY"


def secret(path: str | None, variable: str) -> Secret | None:
    """Read a secret from a file, or else from the environment. Raises UsageError."""
    try:
        text = Path(path).read_text() if path else os.environ.get(variable, "")
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or 'it is not text'}") from None
    text = text.strip()
    if path and not text:
        raise UsageError(f"{path} is empty")
    if not (text.isascii() and text.isprintable()):
        raise UsageError(f"{path or variable} holds no key: a key is one line of ASCII")
    return Secret(text) if text else None
