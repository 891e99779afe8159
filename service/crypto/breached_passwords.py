"""Common passwords from a list in the package, and breached ones from an operator's file."""

import hashlib
import logging
import os
import re
import runpy
from bisect import bisect_right
from importlib.util import find_spec
from pathlib import Path

log = logging.getLogger(__name__)
# Substitutes for letters, and how many characters people add to a word.
_DISGUISES = str.maketrans("@4310$57!", "aaeiosstl")
_ADDED, _SHORTEST = 2, 6
# Words of a page.
_PAGE = 32

_LINE = re.compile(rb"[0-9A-Fa-f]{40}:[0-9]+\r?\n")
_PREFIX = re.compile(r"[0-9A-Fa-f]{5}(\.txt)?")
# A line has 40 characters of hash, a colon, a count and a line end. A range's file has about 40 KiB.
_LONGEST, _BLOCK, _RANGE = 64, 4096, 2**20


def _load() -> list[str]:
    """Load 30,000 of them in lower case, sorted.

    Of the library only the file with its lists is run, and one of its lists is kept: all of it takes 14 MB a process.
    """
    library = find_spec("zxcvbn")
    if library is None or library.origin is None:
        raise ModuleNotFoundError("zxcvbn")
    lists = runpy.run_path(str(Path(library.origin).with_name("frequency_lists.py")))["FREQUENCY_LISTS"]
    return sorted(lists["passwords"])


def _paged(words: list[str]) -> tuple[list[str], list[str]]:
    """Lay words out in pages, a word a line; return the first word of each, too. A set would take megabytes."""
    firsts = words[::_PAGE]
    return firsts, ["\n".join(["", *words[place : place + _PAGE], ""]) for place in range(0, len(words), _PAGE)]


_FIRSTS, _PAGES = _paged(_load())


def _is_listed(word: str) -> bool:
    """Look into the one page that may have it; before the first of all is no page."""
    page = bisect_right(_FIRSTS, word)
    return page > 0 and f"\n{word}\n" in _PAGES[page - 1]


def is_common(password: str) -> bool:
    """Detect a common password, in capitals or disguised (p@ssw0rd), with at most two characters added."""
    word = password.casefold()
    for form in {word, word.translate(_DISGUISES)}:
        ends = [len(form) - added for added in range(_ADDED + 1)]
        if any(_is_listed(form[:end]) for end in ends if end >= _SHORTEST or end == len(form)):
            return True
    return False


class BreachedPasswords:
    """Breached passwords by SHA-1, in the format of Have I Been Pwned's downloader. All lookups are local.

    Either one file of lines `HASH:COUNT`, sorted, or a folder with a file for each first five characters whose lines
    are `REST:COUNT`. Reads a few KiB a password. Raises ValueError, or OSError, for
    a path where neither is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if path.is_dir():
            fit = any(_PREFIX.fullmatch(entry.name) for entry in path.iterdir())
        else:
            with path.open("rb") as file:
                fit = _LINE.match(file.read(_LONGEST)) is not None
        if not fit:
            raise ValueError(f"{path} holds no ranges of breached passwords")

    def contain(self, password: str) -> bool:
        """Look a password up, blocking for a few reads of a disk. An unreadable file refuses no password."""
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
        try:
            return self._in_folder(digest) if self._path.is_dir() else self._in_file(digest)
        except OSError as error:
            log.warning(
                "The breached passwords can't be read; a password was accepted without them",
                extra={"event": "breached_passwords.unreadable", "cause": type(error).__name__},
            )
            return False

    def _in_folder(self, digest: bytes) -> bool:
        prefix, rest = digest[:5].decode(), digest[5:]
        for name in (f"{prefix}.txt", prefix, f"{prefix.lower()}.txt", prefix.lower()):
            path = self._path / name
            if path.is_file():
                with path.open("rb") as file:
                    return _counted(file.read(_RANGE), rest)
        return False

    def _in_file(self, digest: bytes) -> bool:
        """Search the file by halves until one block is left that the line must be in."""
        with self._path.open("rb") as file:
            low, high = 0, file.seek(0, os.SEEK_END)
            while high - low > _BLOCK:
                middle = (low + high) // 2
                file.seek(middle)
                _, _, line = file.read(2 * _LONGEST).partition(b"\n")
                if line[:40].upper() <= digest:
                    low = middle
                else:
                    high = middle
            file.seek(max(low - 1, 0))
            return _counted(file.read(high - low + 2 * _LONGEST), digest)


def _counted(lines: bytes, name: bytes) -> bool:
    """Find a line with this name and a count: the service pads its ranges with names that have none."""
    for line in lines.upper().splitlines():
        found, _, count = line.strip().partition(b":")
        if found == name:
            return int(count or b"0") > 0
    return False
