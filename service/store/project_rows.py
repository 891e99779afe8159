"""Rows of several projects: found for all of them at once, locked and changed project by project.

An engine that spreads the projects over nodes locks rows of one project at a time only (docs/scale.md).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ProjectRows:
    """Rows of one project, by id."""

    project_id: str
    ids: list[Any]


@dataclass(frozen=True, slots=True)
class UserRows:
    """Rows of one project, whose ids are unique to a user."""

    project_id: str
    user_ids: list[str]
    ids: list[Any]


async def delete_by_project(found: Sequence[ProjectRows | UserRows], delete: Callable[..., Awaitable[int]]) -> int:
    """Delete rows; return how many were found, or 0 if others hold all of them, so that nobody looks again at once."""
    deleted = 0
    for rows in found:
        deleted += await delete(**asdict(rows))
    return sum(len(rows.ids) for rows in found) if deleted else 0
