"""Projects, and their platforms: hosts of pages, and apps."""

import argparse
import re
from dataclasses import asdict, fields
from typing import Any

from service.cli import arguments as kinds
from service.cli import project_values
from service.cli.commands import NotFound, UsageError, add_command, add_group, boolean, database, find_project
from service.db import Pool
from service.links import redirect_policy
from service.settings import Settings
from service.store import projects
from service.store.projects import Project

_PROJECT = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,35}")
# Columns that `projects set` may change: every one but the id, the date, the platforms and the limits.
CHANGEABLE = [
    field for field in fields(Project) if field.name not in ("id", "created_at", "limits", "hostnames", "apps")
]
_LIFETIME = kinds.whole(1, kinds.SECONDS)
# Type and purpose of each. The schema bounds the numbers too.
_RULES: dict[str, tuple[Any, str]] = {
    "name": (kinds.name, "what letters call it"),
    "sender_name": (kinds.name_or_none, "the name that letters come from; empty for the project's"),
    "sender_address": (project_values.sender_address, "the address that letters come from; empty for MAIL_FROM"),
    "locale": (kinds.locale, "language of letters to who asks for none, such as en or de"),
    "verification_url": (
        project_values.verification_url,
        "where links of verification letters lead; empty for a page of the service",
    ),
    "modern_by_default": (boolean, "on or off: answer clients that name no response format as today's"),
    "reveal_unknown_users": (boolean, "on or off: tell who has an account, for conformance runs only"),
    "plain_http": (boolean, "on or off: let links lead to http:// pages of other machines"),
    "password_min": (kinds.whole(0, 64), "characters that a new password has at least, 0 to 64; 0 for the API's own"),
    "password_max": (kinds.whole(32, 256), "characters that a new password has at most, 32 to 256"),
    "session_seconds": (_LIFETIME, "how long a session lives"),
    "recovery_seconds": (_LIFETIME, "how long a recovery link lives"),
    "verification_seconds": (_LIFETIME, "how long a verification link lives"),
    "magic_url_seconds": (_LIFETIME, "how long a magic URL lives"),
    "otp_seconds": (_LIFETIME, "how long a code lives"),
    "limits_dry_run": (boolean, "on or off: count, but refuse no request"),
    "notify_new_device": (boolean, "on or off: tell members by mail of a sign-in from a new device"),
    "private_signup": (boolean, "on or off: sign-up does not tell whether an address has an account"),
    "password_blocklist": (boolean, "on or off: refuse common passwords"),
    "password_personal_data": (boolean, "on or off: refuse passwords made of the user's own name or address"),
    "password_history": (kinds.whole(0, 32), "earlier passwords that a new one must not be, 0 to 32"),
    "special_use_domains": (boolean, "on or off: take addresses at .local, .internal, .test and names without a dot"),
}


def add(verbs: Any) -> None:
    words = add_group(verbs, "projects", "create, list, show and change projects")
    create = add_command(words, "create", _create, "create a project")
    create.add_argument("id", type=_project_id, help="1 to 36 of a-z A-Z 0-9 . _ -")
    create.add_argument("--name", type=kinds.name, help="what letters call it; the id if not given")
    add_command(words, "list", _list, "list all projects")
    add_command(words, "show", _show, "show one project").add_argument("id")
    change = add_command(words, "set", _set, "change a project's rules")
    change.add_argument("id")
    for field in CHANGEABLE:
        kind, text = _RULES[field.name]
        if kind is _LIFETIME:
            text += f", in seconds: 1 to {kinds.SECONDS}"
        option = "--" + field.name.replace("_", "-")
        change.add_argument(option, type=kind, default=argparse.SUPPRESS, metavar="VALUE", help=text)
    _add_platforms(verbs)


def _add_platforms(verbs: Any) -> None:
    words = add_group(verbs, "platforms", "who a project's clients are: hosts of its pages and links, and its apps")
    for name, act, text in (
        ("add", _add_platform, "allow a hostname or *.suffix, or an app"),
        ("remove", _remove_platform, "forbid it again"),
    ):
        made = add_command(words, name, act, text)
        made.add_argument("project")
        made.add_argument("platform", help="a hostname, *.suffix; with --kind app an app's id, or its own origin")
        made.add_argument("--kind", choices=("web", "app"), default="web", help="web if not given")


def _project_id(text: str) -> str:
    if not _PROJECT.fullmatch(text):
        raise argparse.ArgumentTypeError("1 to 36 of a-z A-Z 0-9 . _ -, a letter or digit first")
    return text


async def _create(arguments: argparse.Namespace, settings: Settings) -> object:
    async with database(settings) as pool:
        await projects.create(pool, arguments.id, name=arguments.name or arguments.id)
        return asdict(await find_project(pool, arguments.id))


async def _list(_arguments: argparse.Namespace, settings: Settings) -> object:
    async with database(settings) as pool:
        return [asdict(project) for project in await projects.list_all(pool)]


async def _show(arguments: argparse.Namespace, settings: Settings) -> object:
    async with database(settings) as pool:
        return asdict(await find_project(pool, arguments.id))


async def _set(arguments: argparse.Namespace, settings: Settings) -> object:
    names = {field.name for field in CHANGEABLE}
    changes = {name: value for name, value in vars(arguments).items() if name in names}
    if not changes:
        raise UsageError("nothing to change; `projects set --help` lists the rules")
    async with database(settings) as pool:
        rules = asdict(await find_project(pool, arguments.id)) | changes
        if rules["password_min"] > rules["password_max"]:
            raise UsageError("no password could be as long as --password-min and as short as --password-max")
        if changes.keys() & {"verification_url", "plain_http"}:
            _refuse_open_page(rules)
        if not await projects.change(pool, arguments.id, **changes):
            raise NotFound(f"no project {arguments.id}")
        return asdict(await find_project(pool, arguments.id))


def _refuse_open_page(project: dict[str, Any]) -> None:
    """Refuse a page over plain http: the secret in a mail's link travels to it."""
    if redirect_policy.is_open(project["verification_url"]) and not project["plain_http"]:
        raise UsageError("--verification-url is https, unless the project has --plain-http on")


async def _add_platform(arguments: argparse.Namespace, settings: Settings) -> object:
    platform = _platform(arguments)
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        if arguments.kind == "app":
            await projects.add_app(pool, arguments.project, app=platform)
        else:
            await projects.add_platform(pool, arguments.project, hostname=platform)
        return asdict(await find_project(pool, arguments.project))


async def _remove_platform(arguments: argparse.Namespace, settings: Settings) -> object:
    """Remove a platform, also one in the form of earlier releases, which would not be accepted now."""
    async with database(settings) as pool:
        if not await _remove(pool, arguments):
            raise NotFound(f"{arguments.project} has no platform {arguments.platform}")
        return asdict(await find_project(pool, arguments.project))


async def _remove(pool: Pool, arguments: argparse.Namespace) -> bool:
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
        return project_values.platform(arguments.platform, arguments.kind)
    except ValueError as fault:
        raise UsageError(str(fault)) from None
