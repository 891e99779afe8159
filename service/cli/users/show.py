"""List and show users."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson

from service.cli.commands import database, find_project
from service.cli.tables import Listing
from service.cli.users.commands import find_user
from service.store import user_search
from service.store.user_lists import Page, UserFilter
from service.store.users import User

if TYPE_CHECKING:
    from service.settings import Settings


async def list_users(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        after = await find_user(pool, arguments.project, arguments.after) if arguments.after else None
        page = Page(descending=arguments.newest, cursor=after, limit=arguments.limit)
        asked = UserFilter(search=arguments.search)
        listing = await user_search.bound(pool, arguments.project, wanted=asked, page=page)
        found = await user_search.find(pool, arguments.project, listing)
    return Listing([shown(user) for user in found], ("id", "email", "name", "status", "email_verified", "created_at"))


async def show_user(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        return shown(await find_user(pool, arguments.project, arguments.user))


def shown(user: User) -> dict[str, object]:
    """Return all fields but the hash."""
    facts: dict[str, object] = asdict(user)
    for hidden in ("project_id", "email_version", "password_hash"):
        del facts[hidden]
    return facts | {
        "has_password": user.password_hash is not None,
        "prefs": orjson.loads(user.prefs),
        "targets": orjson.loads(user.targets),
    }
