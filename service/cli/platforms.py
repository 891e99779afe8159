"""Platforms of a project: hosts of its pages and links, and its apps."""

import argparse
from typing import TYPE_CHECKING, Any

from service.cli.command_table import COMMANDS
from service.cli.commands import NotFound, UsageError, add_command, add_group, database, find_project
from service.cli.projects import values
from service.cli.projects.show import shown
from service.cli.tables import Listing
from service.db import Pool
from service.store import projects

if TYPE_CHECKING:
    from service.settings import Settings


def add(verbs: Any) -> None:
    words = add_group(verbs, "platforms", COMMANDS["platforms"].text)
    add_command(words, "list", _list, "list a project's platforms").add_argument("project")
    for name, act, text in (
        ("add", _add, "allow a hostname or *.suffix, or an app"),
        ("remove", _remove, "forbid it again"),
    ):
        made = add_command(words, name, act, text)
        made.add_argument("project")
        made.add_argument("platform", help="a hostname, *.suffix; with --kind app an app's id, or its own origin")
        made.add_argument("--kind", choices=("web", "app"), default="web", help="web if not given")


async def _list(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        project = await find_project(pool, arguments.project)
    rows = [{"kind": "web", "platform": hostname} for hostname in project.hostnames]
    rows += [{"kind": "app", "platform": app} for app in project.apps]
    return Listing(rows, ("kind", "platform"))


async def _add(arguments: argparse.Namespace, settings: "Settings") -> object:
    platform = _platform(arguments)
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        if arguments.kind == "app":
            await projects.add_app(pool, arguments.project, app=platform)
        else:
            await projects.add_platform(pool, arguments.project, hostname=platform)
        return await shown(pool, arguments.project)


async def _remove(arguments: argparse.Namespace, settings: "Settings") -> object:
    """Remove a platform, also one in the form of earlier releases, which would not be accepted now."""
    async with database(settings) as pool:
        if not await _find_and_remove(pool, arguments):
            raise NotFound(f"{arguments.project} has no platform {arguments.platform}")
        return await shown(pool, arguments.project)


async def _find_and_remove(pool: Pool, arguments: argparse.Namespace) -> bool:
    typed = arguments.platform.lower()
    try:
        forms = {_platform(arguments), typed}
    except UsageError:
        forms = {typed}
    for form in forms:
        if arguments.kind == "app":
            gone = await projects.remove_app(pool, arguments.project, app=form)
        else:
            gone = await projects.remove_platform(pool, arguments.project, hostname=form)
        if gone:
            return True
    return False


def _platform(arguments: argparse.Namespace) -> str:
    """Parse the platform. Raises UsageError."""
    try:
        return values.platform(arguments.platform, arguments.kind)
    except ValueError as fault:
        raise UsageError(str(fault)) from None
