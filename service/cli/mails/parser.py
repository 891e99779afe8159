"""Arguments of the mails commands."""

import argparse
from typing import Any
from uuid import UUID

from service.cli import confirmation
from service.cli.arguments import whole
from service.cli.command_table import COMMANDS
from service.cli.commands import Command, add_command, add_group, lazily
from service.cli.mails import filters, testing
from service.cli.mails.output import serve

# They need the queue.
_SHOW, _STEER = "service.cli.mails.show", "service.cli.mails.steer"
_STATUS = "count mails by state, say how each relay fares, and what happened in the last hour"
_LIMIT = "at most so many, 1 to 1000; 50 if not given"
_EXITS = """\
Exit codes: 0 done, 2 wrong words, 3 some of it can't be done as things stand, 4 there is no such thing, 5 the settings
are unfit, 6 Postgres can't be used as it is.
"""


def add(verbs: Any) -> None:
    testing.add(add_outbox(verbs))


def add_outbox(verbs: Any) -> Any:
    """Add the commands that look after the outbox alone, and return their group."""
    words = add_group(verbs, "mails", COMMANDS["mails"].text)
    listed = _verb(words, "list", lazily(_SHOW, "list_mails"), "list mails, newest first")
    filters.add(listed)
    listed.add_argument("--limit", type=whole(1, 1000), default=50, metavar="N", help=_LIMIT)
    listed.add_argument("--after", type=UUID, metavar="ID", help="those that come after this mail in the list")
    shown = _verb(words, "show", lazily(_SHOW, "show_mail"), "show a mail and all that happened to it")
    shown.add_argument("mail", type=UUID, metavar="ID")
    for made in (listed, shown):
        made.add_argument("--recipients", action="store_true", help="show addresses in full: they are personal data")
    status = _verb(
        words,
        "status",
        lazily(_SHOW, "show_status"),
        _STATUS,
    )
    status.add_argument("--project", metavar="ID", help="of this project alone")
    text = "make mails due at once; those that ended without being sent get up again if they still can"
    _add_action(words, "retry", lazily(_STEER, "retry"), text, usual="pending or failed")
    cancel = _add_action(
        words, "cancel", lazily(_STEER, "cancel"), "end mails that are still to be sent", usual="pending"
    )
    confirmation.add(cancel)
    return words


def _verb(words: Any, name: str, act: Command, text: str) -> argparse.ArgumentParser:
    made = add_command(words, name, act, text)
    made.epilog, made.formatter_class = _EXITS, argparse.RawDescriptionHelpFormatter
    made.set_defaults(serve=serve)
    return made


def _add_action(words: Any, name: str, act: Command, text: str, *, usual: str) -> argparse.ArgumentParser:
    made = _verb(words, name, act, text)
    made.add_argument("mails", type=UUID, nargs="*", metavar="ID", help="these; or options that say which")
    filters.add(made)
    made.add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")
    made.epilog = f"Options without --state mean those that are {usual}.\n\n{_EXITS}"
    return made
