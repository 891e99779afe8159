"""Parts of all commands: a verb with its function, a group of verbs, a pool for one command, failures."""

import argparse
import importlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal, NoReturn

if TYPE_CHECKING:
    from service.db import Executor, Pool
    from service.settings import DatastoreSettings, Settings
    from service.store.projects import Project

Command = Callable[[argparse.Namespace, "Settings"], Awaitable[object]]


class NotFound(Exception):
    """There is nothing of that name."""


class UsageError(Exception):
    """The command can't be done as it was given."""


class AlreadyExists(Exception):
    """The command would make what is there."""


class PartialFailure(Exception):
    """Part of it was done; `answer` lists what was not, `kind` gives the exit code."""

    def __init__(self, answer: object, *, kind: Literal["wrong", "exists", "refused", "missing"]) -> None:
        super().__init__()
        self.answer = answer
        self.kind = kind


class CheckFailed(Exception):
    """A check has failed; `answer` lists the findings."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer


class Parser(argparse.ArgumentParser):
    """Parser that shows all commands for an unknown or missing one; else the command explains its own error."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Refuse surplus arguments in the command's name: argparse would have the root do it, with all commands."""
        found, rest = super().parse_known_args(args, namespace)
        if rest and self._subparsers is None:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest

    def print_help(self, file: Any = None) -> None:
        """Print the help; argparse would hide that nobody reads it any more."""
        (file or sys.stdout).write(self.format_help())

    def error(self, message: str) -> NoReturn:
        if self._subparsers is None:
            super().error(message)
        self.print_help(sys.stderr)
        self.exit(2, f"\n{self.prog}: error: {message}\n")


def add_command(verbs: Any, name: str, act: Command, text: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    made.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="answer in JSON")
    made.set_defaults(act=act)
    return made


def lazily(module: str, name: str) -> Command:
    """Return a command whose module is loaded when it runs, for what takes long to load."""

    async def act(arguments: argparse.Namespace, settings: "Settings") -> object:
        return await getattr(importlib.import_module(module), name)(arguments, settings)

    return act


def add_group(verbs: Any, name: str, text: str) -> Any:
    return verbs.add_parser(name, help=text, description=text).add_subparsers(required=True, metavar="COMMAND")


def boolean(text: str) -> bool:
    if text not in ("on", "off", "yes", "no", "true", "false"):
        raise argparse.ArgumentTypeError("on or off")
    return text in ("on", "yes", "true")


@asynccontextmanager
async def database(settings: "DatastoreSettings") -> "AsyncIterator[Pool]":
    """Open a pool of one connection for one command."""
    from service.db import Pool  # noqa: PLC0415 - --help and a wrong word need no database

    pool = Pool(settings.database_url.get_secret_value(), size=1, name="accounts-cli")
    try:
        yield pool
    finally:
        await pool.close()


async def find_project(pool: "Executor", project_id: str) -> "Project":
    """Find a project. Raises NotFound."""
    from service.store import projects  # noqa: PLC0415 - as above

    project = await projects.find(pool, project_id)
    if project is None:
        raise NotFound(f"no project {project_id}")
    return project
