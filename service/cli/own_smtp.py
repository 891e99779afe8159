"""SMTP servers of projects: the password is read, the URL is checked as a worker reads it, and sealed."""

import argparse
import sys
from dataclasses import dataclass
from getpass import getpass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from service.cli.commands import PartialFailure, UsageError, add_command, database
from service.crypto.sealing import CannotUnseal
from service.crypto.secret import Secret
from service.store import project_relays

if TYPE_CHECKING:
    from service.settings import Settings

_TEXT = "encrypt the passwords of projects' SMTP servers under the first of SECRET_KEYS, before another is taken away"


@dataclass(frozen=True, slots=True)
class Server:
    """A server by host:port, and its whole URL."""

    name: str
    url: Secret


def add(words: Any) -> None:
    add_command(words, "reseal", _reseal, _TEXT)


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


async def _reseal(_arguments: argparse.Namespace, settings: "Settings") -> object:
    resealed, refused = [], []
    async with database(settings) as pool:
        for relay in await project_relays.list_all(pool):
            try:
                if await project_relays.reseal(pool, settings.key_ring, relay):
                    resealed.append(relay.project_id)
            except CannotUnseal as fault:
                refused.append(f"{relay.project_id}: {fault}; set --smtp-url again")
    answer = {"resealed": resealed, "refused": refused}
    if refused:
        raise PartialFailure(answer, exists_only=False)
    return answer
