"""`python -m service`: serve the API, migrate the database, manage projects, hostnames and API keys.

Exit codes: 0 done, 2 wrong words, 3 it exists already, 4 there is no such thing, 5 the settings are unfit,
6 the database can't be reached or is not what this code expects.
"""

import argparse
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import uvloop

from service import db, ids, journal, migrations, projects
from service.errors import AccountError
from service.projects import Project, ProjectExists
from service.settings import Settings, Unfit

EXISTS, MISSING, UNFIT, AWAY = 3, 4, 5, 6
Act = Callable[[argparse.Namespace, Settings], Awaitable[object]]
_PROJECT = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,35}")
_HOSTNAME = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\]")
# What `projects set` may change: every column but the id, the date and the hostnames.
CHANGEABLE = [field for field in fields(Project) if field.name not in ("id", "created_at", "hostnames")]


class NoSuchThing(Exception):
    """What was named is not there."""


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="python -m service", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    root.add_argument("--json", action="store_true", help="answer in JSON")
    verbs = root.add_subparsers(required=True, metavar="COMMAND")
    serve = _verb(verbs, "serve", _serve, "serve the API until told to stop")
    serve.add_argument("--share-port", action="store_true", help="let several processes listen on one port")
    _verb(verbs, "migrate", _migrate, "bring the database's schema up to date")
    _add_projects(verbs)
    _add_platforms(verbs)
    _add_keys(verbs)
    return root


def _verb(verbs: Any, name: str, act: Act, text: str) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    verb.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="answer in JSON")
    verb.set_defaults(act=act)
    return verb


def _group(verbs: Any, name: str, text: str) -> Any:
    return verbs.add_parser(name, help=text, description=text).add_subparsers(required=True, metavar="COMMAND")


def _add_projects(verbs: Any) -> None:
    group = _group(verbs, "projects", "create, list, show and change projects")
    create = _verb(group, "create", _create_project, "create a project")
    create.add_argument("id", type=_project_id, help="1 to 36 of a-z A-Z 0-9 . _ -")
    create.add_argument("--name", help="what letters call it; the id if not given")
    _verb(group, "list", _list_projects, "list all projects")
    _verb(group, "show", _show_project, "show one project").add_argument("id")
    change = _verb(group, "set", _set_project, "change a project's rules")
    change.add_argument("id")
    for field in CHANGEABLE:
        kind = _boolean if field.type is bool else field.type
        change.add_argument("--" + field.name.replace("_", "-"), type=kind, default=argparse.SUPPRESS, metavar="VALUE")


def _add_platforms(verbs: Any) -> None:
    group = _group(verbs, "platforms", "hostnames that a project's pages and links may have")
    for name, act, text in (
        ("add", _add_platform, "allow a hostname, or *.suffix"),
        ("remove", _remove_platform, "forbid it again"),
    ):
        verb = _verb(group, name, act, text)
        verb.add_argument("project")
        verb.add_argument("hostname", type=_hostname)


def _add_keys(verbs: Any) -> None:
    group = _group(verbs, "keys", "API keys of a project")
    create = _verb(group, "create", _create_key, "make a key; it is shown this once")
    create.add_argument("project")
    create.add_argument("--name", required=True)
    create.add_argument("--scopes", default="", help="comma-separated, such as users.read,users.write")
    create.add_argument("--days", type=int, help="days until it expires; never if not given")
    _verb(group, "list", _list_keys, "list a project's keys").add_argument("project")
    revoke = _verb(group, "revoke", _revoke_key, "make a key useless at once")
    revoke.add_argument("project")
    revoke.add_argument("key", help="the key's id")


def _boolean(text: str) -> bool:
    if text not in ("on", "off", "true", "false"):
        raise argparse.ArgumentTypeError("on or off")
    return text in ("on", "true")


def _project_id(text: str) -> str:
    if not _PROJECT.fullmatch(text):
        raise argparse.ArgumentTypeError("1 to 36 of a-z A-Z 0-9 . _ -, a letter or digit first")
    return text


def _hostname(text: str) -> str:
    text = text.lower()
    if not _HOSTNAME.fullmatch(text) or len(text) > 253:
        raise argparse.ArgumentTypeError("a hostname such as app.example.com or *.example.com, without scheme or port")
    return text


async def _serve(arguments: argparse.Namespace, settings: Settings) -> None:
    from service.api.server import serve  # noqa: PLC0415 - the web stack is not loaded to list projects

    journal.write_to(level=settings.log_level)
    await serve(settings, share_port=arguments.share_port)


async def _migrate(_arguments: argparse.Namespace, settings: Settings) -> object:
    return {"applied": await migrations.migrate(settings.database_url.get_secret_value())}


async def _create_project(arguments: argparse.Namespace, settings: Settings) -> object:
    async with _database(settings) as pool:
        await projects.create(pool, arguments.id, name=arguments.name or arguments.id)
        return await _found(pool, arguments.id)


async def _list_projects(_arguments: argparse.Namespace, settings: Settings) -> object:
    async with _database(settings) as pool:
        return [asdict(project) for project in await projects.every(pool)]


async def _show_project(arguments: argparse.Namespace, settings: Settings) -> object:
    async with _database(settings) as pool:
        return await _found(pool, arguments.id)


async def _set_project(arguments: argparse.Namespace, settings: Settings) -> object:
    names = {field.name for field in CHANGEABLE}
    changes = {name: value for name, value in vars(arguments).items() if name in names}
    async with _database(settings) as pool:
        if not await projects.change(pool, arguments.id, **changes):
            raise NoSuchThing(f"no project {arguments.id}")
        return await _found(pool, arguments.id)


async def _add_platform(arguments: argparse.Namespace, settings: Settings) -> object:
    async with _database(settings) as pool:
        await _found(pool, arguments.project)
        await projects.add_platform(pool, arguments.project, hostname=arguments.hostname)
        return await _found(pool, arguments.project)


async def _remove_platform(arguments: argparse.Namespace, settings: Settings) -> object:
    async with _database(settings) as pool:
        if not await projects.remove_platform(pool, arguments.project, hostname=arguments.hostname):
            raise NoSuchThing(f"{arguments.project} has no platform {arguments.hostname}")
        return await _found(pool, arguments.project)


async def _create_key(arguments: argparse.Namespace, settings: Settings) -> object:
    expires = datetime.now(UTC) + timedelta(days=arguments.days) if arguments.days else None
    scopes = [scope.strip() for scope in arguments.scopes.split(",") if scope.strip()]
    async with _database(settings) as pool:
        await _found(pool, arguments.project)
        key_id = ids.new()
        key = await projects.create_api_key(
            pool, arguments.project, key_id=key_id, name=arguments.name, scopes=scopes, expires_at=expires
        )
    return {"id": key_id, "key": key, "scopes": scopes, "expires_at": expires}


async def _list_keys(arguments: argparse.Namespace, settings: Settings) -> object:
    async with _database(settings) as pool:
        await _found(pool, arguments.project)
        return [asdict(key) for key in await projects.list_api_keys(pool, arguments.project)]


async def _revoke_key(arguments: argparse.Namespace, settings: Settings) -> object:
    async with _database(settings) as pool:
        if not await projects.revoke_api_key(pool, arguments.project, key_id=arguments.key):
            raise NoSuchThing(f"{arguments.project} has no key {arguments.key}")
    return {"revoked": arguments.key}


async def _found(pool: db.Pool, project_id: str) -> dict[str, object]:
    project = await projects.find(pool, project_id)
    if project is None:
        raise NoSuchThing(f"no project {project_id}")
    return asdict(project)


class _database:  # noqa: N801 - used as a function is
    """A pool of one connection for one command."""

    def __init__(self, settings: Settings) -> None:
        self._pool = db.Pool(settings.database_url.get_secret_value(), size=1, name="accounts-cli")

    async def __aenter__(self) -> db.Pool:
        return self._pool

    async def __aexit__(self, *_error: object) -> None:
        await self._pool.close()


def show(answer: object, *, as_json: bool) -> None:
    if answer is None:
        return
    if as_json:
        print(orjson.dumps(answer, default=str, option=orjson.OPT_INDENT_2).decode())
        return
    for number, entry in enumerate(answer if isinstance(answer, list) else [answer]):
        print("\n" * bool(number) + "\n".join(f"{name}: {_plain(value)}" for name, value in entry.items()))


def _plain(value: object) -> object:
    return (", ".join(map(str, value)) or "-") if isinstance(value, list) else value


def main(words: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(words)
    try:
        settings = Settings.read()
        answer = uvloop.run(arguments.act(arguments, settings))
    except Unfit as unfit:
        return _complain("the settings are unfit:", *unfit.faults, code=UNFIT)
    except ProjectExists as exists:
        return _complain(exists.__doc__ or "", code=EXISTS)
    except NoSuchThing as missing:
        return _complain(str(missing), code=MISSING)
    except (TimeoutError, migrations.Drift, AccountError, OSError) as error:
        return _complain(f"the database: {error or type(error).__name__}", code=AWAY)
    except Exception as error:
        if cause := db.refusal(error):
            return _complain(f"the database: {cause}", code=AWAY)
        raise
    show(answer, as_json=arguments.json)
    return 0


def _complain(*lines: str, code: int) -> int:
    print("\n  ".join(lines), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
