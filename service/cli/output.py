"""Output of all commands: JSON for programs, tables and facts for people."""

from typing import Any

import orjson

from service.cli import tables
from service.cli.tables import Listing


def show(answer: Any, *, as_json: bool) -> None:
    """Print a command's answer: one object, or several."""
    if answer is None:
        return
    if as_json:
        rows = answer.rows if isinstance(answer, Listing) else answer
        print(orjson.dumps(rows, default=str, option=orjson.OPT_INDENT_2).decode())  # noqa: T201 - a command line prints
    else:
        print("\n".join(tables.lines(answer)))  # noqa: T201 - a command line prints
