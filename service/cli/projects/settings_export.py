"""Settings of projects in the form of the file: values as they are typed, secrets by the name of a variable."""

import argparse
import re
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from service.cli import durations, limit_windows, provider_options, providers
from service.cli.commands import database, find_project
from service.cli.projects import options, own_smtp, settings_file
from service.crypto.sealing import CannotUnseal
from service.crypto.secret import Secret
from service.db import Executor
from service.identity_providers.provider import Provider
from service.store import branding, dkim_keys, project_relays, projects, webhooks
from service.store import providers as provider_rows

if TYPE_CHECKING:
    from service.settings import Settings

_HEAD = "# Made by `projects export`. Secrets are read from the variables named here."
# Those that a file can't hold: an image, and what is secret or part of it.
_ELSEWHERE = {"logo", "mock_phones", "smtp_url"}
PLAIN = {option.name: option for option in options.OPTIONS if option.name not in _ELSEWHERE}


async def export(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        ids = arguments.ids or [project.id for project in await projects.list_all(pool)]
        for project_id in ids:
            await find_project(pool, project_id)
        found = {project_id: await current(pool, settings, project_id) for project_id in ids}
    if arguments.json:
        return {"projects": found}
    sys.stdout.write("\n".join([_HEAD, *settings_file.write({"projects": found})]) + "\n")
    return None


async def current(conn: Executor, settings: "Settings", project_id: str) -> dict[str, Any]:
    """Return a project's settings as the file has them; without the project all that a file can't know is missing."""
    project, face = await projects.find(conn, project_id), await branding.find(conn, project_id)
    if project is None or face is None:
        return {}
    facts = asdict(project) | asdict(face)
    found: dict[str, Any] = {name: _written(name, facts[name]) for name in PLAIN}
    if relay := await stored_server(conn, settings, project_id):
        url, password = own_smtp.split_password(relay)
        found["smtp_url"] = url
        if password:
            found["smtp_password"] = reference(project_id, "smtp_password")
    elif await project_relays.find(conn, project_id) is None:
        found["smtp_url"] = ""
    if project.mock_phones:
        found["mock_phones"] = reference(project_id, "mock_phones")
    signing = [key.selector for key in await dkim_keys.list_all(conn, project_id) if key.state == "active"]
    if signing:
        found["dkim_selectors"] = signing
    found |= {"hostnames": project.hostnames, "apps": project.apps}
    known = limit_windows.all_rules()
    if limits := {rule: _limit(numbers) for rule, numbers in sorted(project.limits.items()) if rule in known}:
        found["limits"] = limits
    rows = await provider_rows.list_all(conn, settings.key_ring, project_id)
    if rows:
        found["providers"] = {row.name: _provider(settings, row) for row in sorted(rows, key=lambda row: row.name)}
    if endpoints := await webhooks.page_endpoints(conn, project_id):
        found["webhooks"] = {
            each.id: {"url": each.url, "types": each.types, "enabled": each.status == "enabled"} for each in endpoints
        }
    return found


async def stored_server(conn: Executor, settings: "Settings", project_id: str) -> Secret | None:
    """Return the URL of a project's own SMTP server; None without one, and where its key is gone."""
    relay = await project_relays.find(conn, project_id)
    try:
        return project_relays.url_of(settings.key_ring, relay) if relay else None
    except CannotUnseal:
        return None


def _written(name: str, value: Any) -> Any:
    return durations.write(value) if name.endswith("_seconds") else value


def _limit(numbers: list[int]) -> str:
    return f"{numbers[0]}/{durations.write(numbers[1])}" if numbers else "off"


def _provider(settings: "Settings", provider: Provider) -> dict[str, Any]:
    facts = providers.shown(settings, provider) | {"issuer": provider.issuer}
    found: dict[str, Any] = {"enabled": provider.enabled}
    for option in provider_options.OPTIONS:
        if provider_options.applies_to(provider.profile, option.of):
            found[option.name] = "none" if facts[option.name] is None else facts[option.name]
    if provider.client_secret is not None:
        found["client_secret"] = reference(provider.project_id, provider.name, "client_secret")
    return found


def reference(*names: str) -> dict[str, str]:
    """Name the environment variable that a secret is read from."""
    return {"env": re.sub(r"[^A-Z0-9]+", "_", "_".join(names).upper())}
