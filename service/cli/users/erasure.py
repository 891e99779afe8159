"""Erase a person: the user, and every row that names the person."""

import argparse
from typing import TYPE_CHECKING

from service import email_addresses
from service.accounts import user_erasure
from service.cli import confirmation
from service.cli.commands import NotFound, UsageError, database, find_project
from service.cli.progress import Progress
from service.cli.users.commands import admin_context, find_user
from service.db import Pool
from service.store.erasure import Person

if TYPE_CHECKING:
    from service.settings import Settings


def add(made: argparse.ArgumentParser) -> None:
    made.epilog = "What is kept, and for how long: docs/accounts.md#erasure."
    made.add_argument("--dry-run", action="store_true", help="only count what would be removed")
    made.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="a former address or number, whose mails and SMS are the person's; may be given several times",
    )
    confirmation.add(made)


async def run(arguments: argparse.Namespace, settings: "Settings") -> object:
    """Erase the person, or count what would go. A user who is gone is no error: traces are looked for all the same."""
    async with database(settings) as pool:
        person = await _person(pool, arguments)
        progress = Progress(None)

        def report(count: int) -> None:
            progress.advance(count, f"{count} rows")

        if arguments.dry_run:
            counts = await user_erasure.extent(pool, person, report)
        else:
            named = " ".join(dict.fromkeys((person.user_id, *person.recipients)))
            confirmation.ask(arguments, f"Erase {named} with every trace in {arguments.project}?")
            counts = await user_erasure.erase(admin_context(pool, arguments.project), person, report)
        progress.clear()
    return {"would_erase" if arguments.dry_run else "erased": arguments.user, **counts}


async def _person(pool: Pool, arguments: argparse.Namespace) -> Person:
    """Find out who is meant. Raises NotFound for the project, and UsageError."""
    await find_project(pool, arguments.project)
    user, known = None, [_recipient(text) for text in arguments.also]
    try:
        user = await find_user(pool, arguments.project, arguments.user)
    except NotFound:
        if "@" in arguments.user:
            known.append(email_addresses.lookup_form(arguments.user))
    if user is None:
        return Person(arguments.project, "" if "@" in arguments.user else arguments.user, tuple(known))
    known += [text for text in (user.email, user.phone) if text]
    return Person(user.project_id, user.id, tuple(known))


def _recipient(text: str) -> str:
    """Read an address or a number as mails and SMS have it. Raises UsageError."""
    if "@" in text:
        return email_addresses.lookup_form(text)
    if text.startswith("+"):
        return text
    raise UsageError(f"{text} is neither an address nor a number such as +4915112345678")
