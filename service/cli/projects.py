"""Projects and the hostnames that their pages may have."""

import argparse
import re
from dataclasses import asdict, fields
from typing import Any

from service import projects
from service.cli.verbs import NoSuchThing, boolean, database, find_project, group, verb
from service.projects import Project
from service.settings import Settings

_PROJECT = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,35}")
_HOSTNAME = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\]")
# What `projects set` may change: every column but the id, the date, the hostnames and the limits.
CHANGEABLE = [field for field in fields(Project) if field.name not in ("id", "created_at", "limits", "hostnames")]


def add(verbs: Any) -> None:
    words = group(verbs, "projects", "create, list, show and change projects")
    create = verb(words, "create", _create, "create a project")
    create.add_argument("id", type=_project_id, help="1 to 36 of a-z A-Z 0-9 . _ -")
    create.add_argument("--name", help="what letters call it; the id if not given")
    verb(words, "list", _list, "list all projects")
    verb(words, "show", _show, "show one project").add_argument("id")
    change = verb(words, "set", _set, "change a project's rules")
    change.add_argument("id")
    for field in CHANGEABLE:
        kind = boolean if field.type is bool else field.type
        change.add_argument("--" + field.name.replace("_", "-"), type=kind, default=argparse.SUPPRESS, metavar="VALUE")
    _add_platforms(verbs)


def _add_platforms(verbs: Any) -> None:
    words = group(verbs, "platforms", "hostnames that a project's pages and links may have")
    for name, act, text in (
        ("add", _add_platform, "allow a hostname, or *.suffix"),
        ("remove", _remove_platform, "forbid it again"),
    ):
        made = verb(words, name, act, text)
        made.add_argument("project")
        made.add_argument("hostname", type=_hostname)


def _project_id(text: str) -> str:
    if not _PROJECT.fullmatch(text):
        raise argparse.ArgumentTypeError("1 to 36 of a-z A-Z 0-9 . _ -, a letter or digit first")
    return text


def _hostname(text: str) -> str:
    text = text.lower()
    if not _HOSTNAME.fullmatch(text) or len(text) > 253:
        raise argparse.ArgumentTypeError("a hostname such as app.example.com or *.example.com, without scheme or port")
    return text


async def _create(arguments: argparse.Namespace, settings: Settings) -> object:
    async with database(settings) as pool:
        await projects.create(pool, arguments.id, name=arguments.name or arguments.id)
        return asdict(await find_project(pool, arguments.id))


async def _list(_arguments: argparse.Namespace, settings: Settings) -> object:
    async with database(settings) as pool:
        return [asdict(project) for project in await projects.every(pool)]


async def _show(arguments: argparse.Namespace, settings: Settings) -> object:
    async with database(settings) as pool:
        return asdict(await find_project(pool, arguments.id))


async def _set(arguments: argparse.Namespace, settings: Settings) -> object:
    names = {field.name for field in CHANGEABLE}
    changes = {name: value for name, value in vars(arguments).items() if name in names}
    async with database(settings) as pool:
        if not await projects.change(pool, arguments.id, **changes):
            raise NoSuchThing(f"no project {arguments.id}")
        return asdict(await find_project(pool, arguments.id))


async def _add_platform(arguments: argparse.Namespace, settings: Settings) -> object:
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        await projects.add_platform(pool, arguments.project, hostname=arguments.hostname)
        return asdict(await find_project(pool, arguments.project))


async def _remove_platform(arguments: argparse.Namespace, settings: Settings) -> object:
    async with database(settings) as pool:
        if not await projects.remove_platform(pool, arguments.project, hostname=arguments.hostname):
            raise NoSuchThing(f"{arguments.project} has no platform {arguments.hostname}")
        return asdict(await find_project(pool, arguments.project))
