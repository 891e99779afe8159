"""Output of a command: JSON or lines on standard output, errors on standard error, and an exit code."""

import argparse
import sys
from dataclasses import dataclass

import orjson

# Beside the codes of service.cli.exit_codes: part of the command can't be done in the present state.
REFUSED = 3


@dataclass(frozen=True, slots=True)
class CommandResult:
    """A result in two forms: for programs and for people."""

    data: object
    lines: list[str]
    code: int = 0


def serve(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    import asyncio  # noqa: PLC0415 - --help need not wait for these

    from service.cli import exit_codes  # noqa: PLC0415 - as above
    from service.settings import DatastoreSettings  # noqa: PLC0415 - as above

    settings = None
    try:
        settings = DatastoreSettings.read()
        result: CommandResult = asyncio.run(arguments.act(arguments, settings))
    except Exception as error:
        code = exit_codes.code_of(error)
        if not code:
            raise
        print(exit_codes.describe(error, code, settings), file=sys.stderr)  # noqa: T201 - a command line prints
        return code
    print(_json(result.data) if arguments.json else "\n".join(result.lines))  # noqa: T201 - a command line prints
    return result.code


def _json(data: object) -> str:
    return orjson.dumps(data, default=str, option=orjson.OPT_INDENT_2).decode()
