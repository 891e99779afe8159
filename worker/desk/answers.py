"""What the desk answers: JSON or lines on standard output, what went wrong on standard error, and an exit code."""

import argparse
import asyncio
import sys
from dataclasses import dataclass

import orjson

from service import db
from service.cli.verbs import NoSuchThing, WrongWords
from service.errors import AccountError
from service.settings import Stores, Unfit

WRONG, REFUSED, MISSING, UNFIT, AWAY = 2, 3, 4, 5, 6


@dataclass(frozen=True, slots=True)
class Said:
    """The same twice: for programs and for people."""

    data: object
    lines: list[str]
    code: int = 0


def serve(arguments: argparse.Namespace) -> int:
    """Do what was asked; the exit code."""
    try:
        said: Said = asyncio.run(arguments.act(arguments, Stores.read()))
    except Exception as error:
        code, words = _fault(error)
        if not code:
            raise
        print(words, file=sys.stderr)  # noqa: T201 - a command line prints
        return code
    print(_json(said.data) if arguments.json else "\n".join(said.lines))  # noqa: T201 - a command line prints
    return said.code


def _json(data: object) -> str:
    return orjson.dumps(data, default=str, option=orjson.OPT_INDENT_2).decode()


def _fault(error: Exception) -> tuple[int, str]:
    """Exit code and words; 0 for a fault of ours."""
    if isinstance(error, Unfit):
        return UNFIT, "\n  ".join(["the settings are unfit:", *error.faults])
    if isinstance(error, WrongWords):
        return WRONG, str(error)
    if isinstance(error, NoSuchThing):
        return MISSING, str(error)
    if isinstance(error, OSError | AccountError) or db.refusal(error):
        return AWAY, f"the database: {db.refusal(error) or error or type(error).__name__}"
    return 0, ""
