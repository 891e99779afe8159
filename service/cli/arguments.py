"""Types of arguments: each refuses a bad value before any work, and names the accepted ones."""

import argparse
import re
from collections.abc import Callable, Sequence

# No session, link or key needs more than ten years, and no terminal more rows.
DAYS = 3650
SECONDS = DAYS * 86_400
ROWS = 10_000
_LONGEST_NAME = 128
_LOCALE = re.compile(r"[a-zA-Z]{2,3}([-_][a-zA-Z0-9]{2,8}){0,2}")


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
    """Parse a language, perhaps with its region."""
    if not _LOCALE.fullmatch(text):
        raise argparse.ArgumentTypeError("a language such as en, de or pt-BR")
    return text


def check(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Refuse text that a terminal sent in another encoding: it is no text, and no database takes it."""
    for word in words:
        if any(0xD800 <= ord(letter) <= 0xDFFF for letter in word):
            parser.error(f"argument {word!a} is not UTF-8")
