"""List and show projects with their settings."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from service.cli.commands import NotFound, database, find_project
from service.cli.projects import options
from service.cli.tables import Listing
from service.db import Executor
from service.store import branding, project_relays, projects
from service.store.branding import Branding
from service.store.projects import Project

if TYPE_CHECKING:
    from service.settings import Settings

# Settings that say how letters and pages look; the logo is a file.
FACE = {option.name for option in options.BRANDING} - {"logo"}


async def list_projects(_arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        faces = {face.project_id: face for face in await branding.list_all(pool)}
        servers = {relay.project_id: relay.server for relay in await project_relays.list_all(pool)}
        found = await projects.list_all(pool)
    rows = [_facts(project, faces[project.id], servers.get(project.id, "")) for project in found if project.id in faces]
    return Listing(rows, ("id", "name", "locale", "hostnames", "apps", "created_at"))


async def show_project(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        return await shown(pool, arguments.id)


async def shown(pool: Executor, project_id: str) -> dict[str, Any]:
    """Return all settings of a project. Raises NotFound."""
    project, face = await find_project(pool, project_id), await branding.find(pool, project_id)
    if face is None:
        raise NotFound(f"no project {project_id}")
    relay = await project_relays.find(pool, project_id)
    return _facts(project, face, relay.server if relay else "")


def _facts(project: Project, face: Branding, server: str) -> dict[str, Any]:
    shown = {name: value for name, value in asdict(face).items() if name in FACE}
    return asdict(project) | shown | {"logo": face.logo_type or "", "smtp_url": server}
