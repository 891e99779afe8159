"""Progress and findings of a figure on standard error, beside the table."""

import sys

from testkit.history import History
from testkit.invariants import breaches

_MOST = 40


def report(line: str) -> None:
    print(line, file=sys.stderr)


def sifted(history: History, *, but: str = "") -> tuple[list[str], list[str]]:
    """Sort a history's breaches into lost mails (I1) and the rest. Lines that end in `but` don't count."""
    found = [line for line in breaches(history) if not (but and line.endswith(but))]
    for line in found[:_MOST]:
        report(line)
    return [line for line in found if line.startswith("I1:")], [line for line in found if not line.startswith("I1:")]
