"""SMTP servers of projects: the password is read, the URL is checked as a worker reads it, and sealed."""

import argparse
import sys
from dataclasses import dataclass
from getpass import getpass
from urllib.parse import quote, unquote, urlsplit

from service.cli.commands import UsageError
from service.crypto.secret import Secret


@dataclass(frozen=True, slots=True)
class Server:
    """A server by host:port, and its whole URL."""

    name: str
    url: Secret


def read(arguments: argparse.Namespace) -> Server:
    """Read the password that belongs to --smtp-url. Raises UsageError for what no worker could use."""
    password = ""
    if needs_password(arguments.smtp_url):
        password = getpass("SMTP password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    return server(arguments, arguments.smtp_url, password)


def needs_password(url: str) -> bool:
    """Tell whether a URL names a user."""
    return "@" in urlsplit(url).netloc


def server(arguments: argparse.Namespace, url: str, password: str) -> Server:
    """Put the password into a URL, and check it as a worker reads it. Raises UsageError."""
    user, at, host = urlsplit(url).netloc.rpartition("@")
    if at:
        url = url.replace(f"{user}@{host}", f"{user}:{quote(password, safe='')}@{host}", 1)
    try:
        # The entry point passes the worker's function in: nothing here knows SMTP.
        return Server(arguments.smtp_server_of(url), Secret(url))
    except ValueError as fault:
        raise UsageError(f"--smtp-url: {fault}") from None


def split_password(url: Secret) -> tuple[str, str]:
    """Return a URL without its password, and the password."""
    text = url.reveal()
    parts = urlsplit(text)
    user, at, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    return (text.replace(parts.netloc, f"{name}@{host}", 1), unquote(password)) if at else (text, "")
