"""Rate limits: a project's own numbers, the usage of its windows, and resets; limit_windows.py carries them out."""

import argparse
import re
from typing import Any

from service.cli import durations
from service.cli.command_table import COMMANDS
from service.cli.commands import add_command, add_group, lazily

# It needs the web stack: routes declare the rules.
_WINDOWS = "service.cli.limit_windows"
_NUMBERS = re.compile(r"(?P<calls>[0-9]{1,6})/(?P<many>[0-9]{1,5})?(?P<unit>[smhd])")
_MOST, _LONGEST = 100_000, 31 * 86_400


def add(verbs: Any) -> None:
    words = add_group(verbs, "limits", COMMANDS["limits"].text)
    change = add_command(words, "set", lazily(_WINDOWS, "set_numbers"), "give a project numbers of its own for a rule")
    change.add_argument("project")
    change.add_argument("rule", help="as `limits show` names it")
    change.add_argument("numbers", type=numbers, help="calls and time, such as 20/1h; off, or default")
    for name, act, text in (
        ("show", lazily(_WINDOWS, "show"), "show a project's rules, or the windows of an address, a user or a client"),
        ("reset", lazily(_WINDOWS, "reset"), "empty the windows of an address, a user or a client"),
    ):
        made = add_command(words, name, act, text)
        made.add_argument("project")
        made.add_argument("--email", help="an e-mail address, in any spelling")
        made.add_argument("--phone", metavar="NUMBER", help="a phone number")
        made.add_argument("--user", help="a user's id")
        made.add_argument("--ip", help="a client's address; with --email also what the two have together")


def numbers(text: str) -> list[int] | None:
    """Parse calls and seconds; none for `off`, None for `default`."""
    if text in ("off", "default"):
        return [] if text == "off" else None
    match = _NUMBERS.fullmatch(text)
    found = [int(match["calls"]), int(match["many"] or 1) * durations.UNITS[match["unit"]]] if match else [0, 0]
    if not (1 <= found[0] <= _MOST and 1 <= found[1] <= _LONGEST):
        raise argparse.ArgumentTypeError("calls and time such as 20/1h or 100/15m; or off, or default")
    return found
