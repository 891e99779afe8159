"""Commands that serve the API, and migrate the schema."""

import argparse
from typing import TYPE_CHECKING, Any

from service import db, endpoints, json_logging
from service.cli import arguments as kinds
from service.cli.command_table import COMMANDS
from service.cli.commands import UsageError, add_command
from service.store import distribution, migrations

if TYPE_CHECKING:
    from service.settings import Settings

_MOST = 64


def add(verbs: Any) -> None:
    serve = add_command(verbs, "serve", _serve, COMMANDS["serve"].text)
    serve.add_argument("--share-port", action="store_true", help="let others that are started so listen on that port")
    serve.add_argument(
        "--processes",
        metavar="N",
        type=kinds.whole(1, _MOST),
        default=1,
        help="serve by so many processes, about one a core; each has a health port, HEALTH_PORT and those behind it",
    )
    serve.set_defaults(supervise=_supervise)
    migrate = add_command(verbs, "migrate", _migrate, COMMANDS["migrate"].text)
    migrate.add_argument("--distribute", action="store_true", help="then spread the tables over Citus, by project")
    migrate.add_argument("--dry-run", action="store_true", help="with --distribute: change nothing, print the plan")


def _supervise(arguments: argparse.Namespace, settings: "Settings") -> None:
    """Serve by several processes, without an event loop of this one; it returns at once if one is enough."""
    if arguments.processes > 1:
        from service.cli import serve_processes  # noqa: PLC0415 - as below

        json_logging.configure_logging(level=settings.log_level, form=settings.log_format)
        serve_processes.run(settings, arguments.processes, share_port=arguments.share_port)


async def _serve(arguments: argparse.Namespace, settings: "Settings") -> None:
    from service.server import serve  # noqa: PLC0415 - the web stack is not loaded to list projects

    json_logging.configure_logging(level=settings.log_level, form=settings.log_format)
    await serve(settings, share_port=arguments.share_port)


async def _migrate(arguments: argparse.Namespace, settings: "Settings") -> object:
    """Migrate. Raises InvalidSettings for the address of a pooler, which would hand the session's lock to others."""
    from service.settings import InvalidSettings  # noqa: PLC0415 - --help needs no settings

    url = settings.database_url.get_secret_value()
    if endpoints.take_option(url, db.PREPARED_STATEMENTS)[1] == "off":
        raise InvalidSettings(
            ["DATABASE_URL: prepared_statements=off is for poolers; migrate at Postgres's own address"]
        )
    if arguments.dry_run:
        if not arguments.distribute:
            raise UsageError("--dry-run goes with --distribute")
        return {"plan": await distribution.rehearse(url)}
    if not arguments.distribute:
        return {"applied": await migrations.migrate(url)}
    if not await distribution.has_citus(url):
        raise UsageError("this database has no extension citus: create it first, or migrate without --distribute")
    return {"applied": await migrations.migrate(url), "distributed": await distribution.distribute(url)}
