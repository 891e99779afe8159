"""Options that choose mails."""

import argparse

from service.cli import durations
from service.i18n import TEMPLATES
from service.store.outbox_admin import STATES, MailFilter

_LETTERS = sorted(path.parent.name for path in TEMPLATES.glob("*/subject.txt"))


def add(made: argparse.ArgumentParser) -> None:
    made.add_argument("--state", dest="states", action="append", choices=STATES, help="may be given several times")
    made.add_argument("--project", metavar="ID")
    made.add_argument("--letter", metavar="NAME", choices=_LETTERS, help=f"one of {', '.join(_LETTERS)}")
    made.add_argument(
        "--older-than", dest="older", type=durations.parse, metavar="AGE", help="such as 30s, 10m, 3h or 1d"
    )
    made.add_argument("--newer-than", dest="newer", type=durations.parse, metavar="AGE")


def read(arguments: argparse.Namespace) -> MailFilter:
    return MailFilter(arguments.states, arguments.project, arguments.letter, arguments.older, arguments.newer)
