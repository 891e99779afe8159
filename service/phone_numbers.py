"""Phone numbers as E.164 writes them. Nothing is repaired: another spelling would be another window and account."""

import re
from collections.abc import Iterable

# All digits of a country's code and number; a leading 0 is no code.
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_PREFIX = re.compile(r"\+[1-9][0-9]{0,6}")
_SHOWN = 3


def is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def is_prefix(text: str) -> bool:
    """Tell whether a text may begin numbers: +49, or +1787 for a part of what +1 is for."""
    return _PREFIX.fullmatch(text) is not None


def is_within(number: str, prefixes: Iterable[str]) -> bool:
    return number.startswith(tuple(prefixes))


def mask(number: str) -> str:
    """Hide a number but for its country and its last digits."""
    return f"{number[:_SHOWN]}{'*' * max(len(number) - 2 * _SHOWN + 1, 0)}{number[-_SHOWN + 1 :]}"
