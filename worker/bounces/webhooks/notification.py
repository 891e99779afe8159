"""A call of a provider, and the parts that all of them share."""

import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import orjson

from service.store.delivery_reports import PERMANENT, DeliveryReport
from worker.bounces.return_path import ReturnPath

# An enhanced status (RFC 3463) that says more than permanent or not.
_STATUS = re.compile(r"\b5\.(?!0\.0\b)\d{1,3}\.\d{1,3}\b")
_MESSAGE_ID = re.compile(r"<?([0-9a-f]{32})@[^@\s]{1,253}", re.IGNORECASE)


class ForgedCall(Exception):
    """It is not proved that the provider makes this call; the message says why, for whoever sets it up."""


class MalformedCall(Exception):
    """The provider's call has another form than documented."""


@dataclass(frozen=True, slots=True)
class Notification:
    """A call: its headers, by names in small letters, and its bytes, which signatures are about."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def header(self, name: str) -> str:
        return self.headers.get(name, "")

    def json(self) -> Any:
        """Raise MalformedCall for anything but JSON; nesting is bounded by the parser."""
        try:
            return orjson.loads(self.body)
        except ValueError:
            raise MalformedCall("the body is no JSON") from None


class Provider(Protocol):
    """A provider of mail."""

    @property
    def longest(self) -> float:
        """Age in seconds up to which it may repeat a call with the signature that it had."""

    async def verify(self, call: Notification) -> float | None:
        """Return when the call was signed, in seconds since 1970; None if it does not say. Raises ForgedCall."""

    async def read(self, call: Notification) -> list[DeliveryReport]:
        """List the reports on mails of ours in a verified call. Raises MalformedCall."""


def equal(one: str, other: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def signed_at(text: str) -> float:
    """Read a time in seconds since 1970. Raises ForgedCall."""
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise ForgedCall("it has no time")
    return float(text)


def inner(value: Any, *path: str | int) -> Any:
    """Return the value at a path; None where anything in it has another form."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and len(value) > step:
            value = value[step]
        else:
            return None
    return value


def text(value: Any, *path: str | int) -> str:
    found = inner(value, *path)
    return found if isinstance(found, str) else ""


def records(value: Any, *path: str | int) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list."""
    found = inner(value, *path)
    yield from (each for each in found if isinstance(each, dict)) if isinstance(found, list) else ()


def is_gone(said: str, *, otherwise: bool) -> bool:
    """Tell whether the mailbox takes no mail, by the status in a reply; `otherwise` where it has none."""
    statuses = _STATUS.findall(said[:2000])
    return any(each in PERMANENT for each in statuses) if statuses else otherwise


def mail_of(return_path: ReturnPath | None, *names: str) -> UUID | None:
    """Find the mail of ours by its return path, its Message-ID or its bare id, whichever is given first."""
    for name in names:
        if return_path and (mail_id := return_path.mail_of(name)):
            return mail_id
        if found := _MESSAGE_ID.match(name):
            return UUID(hex=found[1])
        if len(name) == 32 and re.fullmatch("[0-9a-f]{32}", name):
            return UUID(hex=name)
    return None
