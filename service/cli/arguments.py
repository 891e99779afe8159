"""Types of arguments: each refuses a bad value before any work, and names the accepted ones."""

import argparse
import re
from collections.abc import Callable, Sequence

from service import email_addresses, i18n
from service.cli import durations

# No session, link or key needs more than ten years, and no terminal more rows.
DAYS = 3650
SECONDS = DAYS * 86_400
ROWS = 10_000
_LONGEST_NAME = 128
# Language, script and region (RFC 5646).
_LOCALE = re.compile(r"[a-zA-Z]{2,3}([-_][a-zA-Z]{4})?([-_]([a-zA-Z]{2}|[0-9]{3}))?")
LIFETIME = f"A time such as 90s, 10m, 3h or 7d, or seconds: 1 to {SECONDS}."


def whole(least: int, most: int) -> Callable[[str], int]:
    """Parse a whole number within bounds."""

    def read(text: str) -> int:
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 12 and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"a whole number from {least} to {most}")
        return int(text)

    return read


def name(text: str) -> str:
    """Parse a name: one line, and not empty."""
    text = text.strip()
    if not (text and len(text) <= _LONGEST_NAME and text.isprintable()):
        raise argparse.ArgumentTypeError(f"1 to {_LONGEST_NAME} characters on one line")
    return text


def name_or_none(text: str) -> str:
    """Parse a name; an empty text removes an earlier one."""
    return name(text) if text.strip() else ""


def locale(text: str) -> str:
    """Parse a language that letters are in, perhaps with a region."""
    if not (_LOCALE.fullmatch(text) and i18n.is_known(text)):
        known = ", ".join(i18n.languages())
        raise argparse.ArgumentTypeError(f"one of {known}; perhaps with a region, such as de-AT")
    return text


def recipient(text: str) -> str:
    """Parse the address that a letter is sent to."""
    try:
        return email_addresses.canonical(text, special_use=True)
    except ValueError:
        raise argparse.ArgumentTypeError("an address such as ann@example.com") from None


def lifetime(text: str) -> int:
    """Parse a time such as 7d, or seconds."""
    try:
        return int(durations.parse(text)) if text[-1:].isalpha() else whole(1, SECONDS)(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"a time such as 90s, 10m, 3h or 7d, or seconds: 1 to {SECONDS}") from None


def check(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Refuse text that a terminal sent in another encoding: it is no text, and no database takes it."""
    for word in words:
        if any(0xD800 <= ord(letter) <= 0xDFFF for letter in word):
            parser.error(f"argument {word!a} is not UTF-8")
