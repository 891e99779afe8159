"""API keys of a project."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from service import ids
from service.cli import arguments as kinds
from service.cli import confirmation
from service.cli.command_table import COMMANDS
from service.cli.commands import NotFound, add_command, add_group, database, find_project
from service.cli.tables import Listing
from service.scopes import SCOPES
from service.store import projects

if TYPE_CHECKING:
    from service.settings import Settings


def add(verbs: Any) -> None:
    words = add_group(verbs, "keys", COMMANDS["keys"].text)
    create = add_command(words, "create", _create, "make a key; it is shown this once")
    create.add_argument("project")
    create.add_argument("--name", type=kinds.name, required=True, help="what `keys list` calls it")
    create.add_argument(
        "--scopes",
        type=_scopes,
        required=True,
        metavar="A,B",
        help=f"what the key opens, comma-separated, of {', '.join(SCOPES)} (docs/keys.md)",
    )
    create.add_argument(
        "--days",
        type=kinds.whole(1, kinds.DAYS),
        metavar="N",
        help=f"days until it expires, 1 to {kinds.DAYS}; never if not given",
    )
    add_command(words, "list", _list, "list a project's keys").add_argument("project")
    revoke = add_command(words, "revoke", _revoke, "make a key useless at once")
    revoke.add_argument("project")
    revoke.add_argument("key", help="the key's id")
    confirmation.add(revoke)


def _scopes(text: str) -> list[str]:
    """Parse comma-separated scopes, each once and one at least."""
    given = list(dict.fromkeys(scope.strip() for scope in text.split(",") if scope.strip()))
    if not given:
        raise argparse.ArgumentTypeError(f"a key without scopes opens nothing; there are {', '.join(SCOPES)}")
    if unknown := [scope for scope in given if scope not in SCOPES]:
        raise argparse.ArgumentTypeError(f"no scope {', '.join(unknown)}; there are {', '.join(SCOPES)}")
    return given


async def _create(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        key_id = ids.new()
        key = await projects.create_api_key(
            pool, arguments.project, key_id=key_id, name=arguments.name, scopes=arguments.scopes, days=arguments.days
        )
        made = await projects.find_api_key(pool, arguments.project, secret=key)
    return {"id": key_id, "key": key, "scopes": arguments.scopes, "expires_at": made.expires_at if made else None}


async def _list(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        found = await projects.list_api_keys(pool, arguments.project)
    return Listing([asdict(key) for key in found], ("id", "name", "scopes", "created_at", "expires_at", "expired"))


async def _revoke(arguments: argparse.Namespace, settings: "Settings") -> object:
    confirmation.ask(arguments, f"Revoke the key {arguments.key} of {arguments.project}?")
    async with database(settings) as pool:
        if not await projects.revoke_api_key(pool, arguments.project, key_id=arguments.key):
            raise NotFound(f"{arguments.project} has no key {arguments.key}")
    return {"revoked": arguments.key}
