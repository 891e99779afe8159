"""Checks of a user's fields on the command line: the API's own. Imports the web stack."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.api.prefs import Prefs, serialize
from service.errors import ArgumentInvalid
from service.http.api_version import MODERN, ApiVersion
from service.http.fields import Hidden, Labels, Name, NewEmail, NewPassword, NewUserId, Phone
from service.http.request_body import Body, validate
from service.store.projects import Project


class Given(Body):
    id: NewUserId | None = None
    email: NewEmail | None = None
    name: Name | None = None
    labels: Labels | None = None
    password: NewPassword | None = None


class Line(Body):
    """A line of an import; `hash` is checked where it is stored."""

    id: NewUserId | None = None
    email: NewEmail | None = None
    name: Name | None = None
    verified: bool = False
    phone: Phone | None = None
    phone_verified: bool = False
    labels: Labels | None = None
    prefs: Prefs | None = None
    blocked: bool = False
    hash: Hidden | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """Context of a command: the rules of the modern API version."""

    project: Project
    api_version: ApiVersion = MODERN


def check(project: Project, given: Mapping[str, Any]) -> dict[str, Any]:
    """Check fields under their API names, None for a missing one; raises ArgumentInvalid."""
    return dict(validate(Command(project), Given, given))


def check_line(project: Project, given: Mapping[str, Any]) -> Line:
    """Check a line. Raises ArgumentInvalid."""
    line = validate(Command(project), Line, given)
    if line.email is None and line.phone is None:
        raise ArgumentInvalid("a user needs an email or a phone")
    return line


def prefs_text(line: Line) -> str:
    """Return preferences as they are stored. Raises ArgumentInvalid for too much."""
    return serialize(line.prefs or {}, "{}", merge=False)
