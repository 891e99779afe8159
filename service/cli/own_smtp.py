"""SMTP servers of projects: the password is read, the URL is checked as a worker reads it, and sealed."""

import argparse
import sys
from dataclasses import dataclass
from getpass import getpass
from urllib.parse import quote, urlsplit

from service.cli.commands import UsageError
from service.crypto.secret import Secret


@dataclass(frozen=True, slots=True)
class Server:
    """A server by host:port, and its whole URL."""

    name: str
    url: Secret


def read(arguments: argparse.Namespace) -> Server:
    """Read the password that belongs to --smtp-url. Raises UsageError for what no worker could use."""
    text = arguments.smtp_url
    user, at, host = urlsplit(text).netloc.rpartition("@")
    if at:
        password = getpass("SMTP password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
        text = text.replace(f"{user}@{host}", f"{user}:{quote(password, safe='')}@{host}", 1)
    try:
        # The entry point passes the worker's function in: nothing here knows SMTP.
        return Server(arguments.smtp_server_of(text), Secret(text))
    except ValueError as fault:
        raise UsageError(f"--smtp-url: {fault}") from None
