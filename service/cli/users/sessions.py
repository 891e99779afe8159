"""A user's sessions and security log."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from service.accounts import user_admin
from service.cli import arguments as kinds
from service.cli.commands import database
from service.cli.tables import Listing
from service.cli.users.commands import add_user_command, admin_context, find_user
from service.store import security_log, sessions
from service.store.sessions import SessionPage

if TYPE_CHECKING:
    from service.settings import Settings

# More than a project may allow.
_ALL = SessionPage(limit=10_000)


def add(words: Any) -> None:
    add_user_command(words, "sessions", _sessions, "list a user's live sessions", of_user=True)
    ending = add_user_command(words, "end-sessions", _end_sessions, "end all of a user's sessions", of_user=True)
    ending.add_argument("--session", metavar="ID", help="only this one")
    log = add_user_command(words, "logs", _logs, "show a user's security log, newest first", of_user=True)
    rows = kinds.whole(1, kinds.ROWS)
    text = f"at most so many, 1 to {kinds.ROWS}; 25 if not given"
    log.add_argument("--limit", type=rows, default=25, metavar="N", help=text)


async def _sessions(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        found = await sessions.page(pool, await find_user(pool, arguments.project, arguments.user), _ALL)
    rows = [{name: value for name, value in asdict(session).items() if name != "project_id"} for session in found]
    return Listing(rows, ("id", "provider", "ip", "country_code", "client_name", "os_name", "created_at", "expires_at"))


async def _end_sessions(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        user = await find_user(pool, arguments.project, arguments.user)
        operator = admin_context(pool, arguments.project)
        if arguments.session:
            await user_admin.close_session(operator, user.id, session_id=arguments.session)
        else:
            await user_admin.close_sessions(operator, user.id)
        return {"user": user.id, "sessions": len(await sessions.page(pool, user, _ALL))}


async def _logs(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        user = await find_user(pool, arguments.project, arguments.user)
        found = await security_log.page(pool, user, names=None, most=arguments.limit, skipped=0)
    rows = [{name: value for name, value in asdict(entry).items() if name != "user_id"} for entry in found]
    return Listing(rows, ("at", "name", "ip", "country_code", "client_name", "os_name"))
