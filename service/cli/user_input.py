"""Checks of a user's fields on the command line: the API's own. Imports the web stack."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.http.api_version import MODERN, ApiVersion
from service.http.fields import Hidden, Labels, Name, NewEmail, NewPassword, NewUserId
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
    email: NewEmail
    name: Name | None = None
    verified: bool = False
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
    return validate(Command(project), Line, given)
