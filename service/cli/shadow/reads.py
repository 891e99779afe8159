"""Reads of a shadow run, one JSON object a line: a path, and who asks on each side."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from service.cli.commands import UsageError

# Reads alone: some paths of a GET would do something.
_PATH = re.compile(
    r"/account(?:/(?:prefs|sessions|sessions/current|logs|identities|mfa/factors))?"
    r"|/users(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,35}(?:/(?:prefs|sessions|logs|targets|identities|memberships))?)?"
)
_LIVED = re.compile(r"/(?:sessions|sessions/current|logs|identities|memberships)$")
_HEADERS = {"session": "X-Appwrite-Session", "jwt": "X-Appwrite-JWT"}


@dataclass(frozen=True, slots=True)
class ShadowRequest:
    """A read; headers are None where the API key of the side asks."""

    path: str
    query: list[tuple[str, str]]
    there: dict[str, str] | None = field(default=None, repr=False)
    here: dict[str, str] | None = field(default=None, repr=False)

    @property
    def shape(self) -> bool:
        """Tell whether the two can only be alike in form: each system has sessions and logs of its own."""
        return bool(_LIVED.search(self.path))


def read(path: str) -> Iterator[ShadowRequest]:
    """Read a file. Raises UsageError, which names the line and none of its values."""
    try:
        lines = Path(path).read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _request(orjson.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError) as fault:
                told = fault if type(fault) is ValueError else "it is no request in JSON"
                raise UsageError(f"{path}: line {number}: {told}") from None


def of_user(user_id: object) -> ShadowRequest:
    """Make the read of one user. Raises UsageError."""
    path = f"/users/{user_id}"
    if not _PATH.fullmatch(path):
        raise UsageError("the source has a user whose id is malformed")
    return ShadowRequest(path, [])


def _request(given: dict[str, Any]) -> ShadowRequest:
    path, queries = given["path"], given.get("queries", [])
    if not _PATH.fullmatch(path):
        raise ValueError("only reads of /account and /users are sent")
    query = [("queries[]", each if isinstance(each, str) else orjson.dumps(each).decode()) for each in queries]
    if path.startswith("/users"):
        return ShadowRequest(path, query)
    return ShadowRequest(path, query, _headers(given["there"]), _headers(given["here"]))


def _headers(given: dict[str, str]) -> dict[str, str]:
    """Make the header of a session's secret or a JWT."""
    ((kind, secret),) = given.items()
    if not (secret.isascii() and secret.isprintable() and secret):
        raise ValueError("a session or JWT is one line of ASCII")
    return {_HEADERS[kind]: secret}
