"""Questions before a command does what can't be undone."""

import argparse
import signal
import sys

from service.cli.commands import UsageError

_FINAL = "That can't be undone."


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do it without asking")


def ask(arguments: argparse.Namespace, question: str) -> None:
    """Ask a person at a terminal; a program is not asked. Raises UsageError for any answer but yes."""
    if not arguments.yes and sys.stdin.isatty() and _answer(f"{question} {_FINAL} [y/N] ").lower() not in ("y", "yes"):
        raise UsageError("nothing was done")


def ask_for(arguments: argparse.Namespace, question: str, *, word: str) -> None:
    """Have a word typed, for what destroys most; a program has to say --yes. Raises UsageError."""
    if arguments.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} {_FINAL} --yes does it.")
    if _answer(f"{question} {_FINAL}\nType {word} to go on: ") != word:
        raise UsageError("nothing was done")


def _answer(question: str) -> str:
    """Read a line; Ctrl-C ends the program at once, as the event loop's own handler would not."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.stderr.write(question)
        sys.stderr.flush()
        return sys.stdin.readline().strip()
    finally:
        signal.signal(signal.SIGINT, usual)
