"""What may be said of a user on the command line: the API's own checks. Loads the web stack."""

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
    """A line of an import; `hash` is judged where it is kept."""

    id: NewUserId | None = None
    email: NewEmail
    name: Name | None = None
    verified: bool = False
    hash: Hidden | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """The rules of a command are the modern era's."""

    project: Project
    api_version: ApiVersion = MODERN


def check(project: Project, given: Mapping[str, Any]) -> dict[str, Any]:
    """The same under the same names, None for what was not given; raises ArgumentInvalid."""
    return dict(validate(Command(project), Given, given))


def check_line(project: Project, given: Mapping[str, Any]) -> Line:
    """Raises ArgumentInvalid."""
    return validate(Command(project), Line, given)
