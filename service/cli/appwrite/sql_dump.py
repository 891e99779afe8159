"""Rows of a dump that mariadb-dump or mysqldump has written, read line by line.

These write one statement or one row a line, and no string holds a line break: it is escaped, whatever the server's
sql_mode. So other tables are passed over unread, and anything that isn't understood is told by its line.
"""

import gzip
import re
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from service.cli.commands import UsageError

Value = str | int | None
# Bytes of one line, which may be a statement with many rows; a server takes no statement that is longer.
_LONGEST = 64 * 1_048_576
_HEAD = re.compile(rb"/\*M!999999|-- (?:MariaDB|MySQL) dump |\s*--|/\*!\d+ ")
_NAMES = re.compile(rb"/\*!40101 SET NAMES (\w+) \*/")
_CREATE = re.compile(rb"CREATE TABLE (?:IF NOT EXISTS )?`([^`]+)` \(")
_COLUMN = re.compile(rb"\s+`([^`]+)` ")
_INSERT = re.compile(rb"(?:INSERT|REPLACE)(?:\s+IGNORE)?\s+INTO `([^`]+)` (?:\(([^()]*)\) )?VALUES\s*")
_VALUE = re.compile(
    rb"(?P<null>NULL)|(?P<whole>-?\d+)(?=[,)])|(?P<other>0x[0-9A-Fa-f]*|-?\d[\d.eE+-]*)"
    rb"|(?:_binary )?'(?P<text>(?:[^'\\]++|\\.|'')*+)'",
    re.DOTALL,
)
_ESCAPED = re.compile(rb"\\(.)|''", re.DOTALL)
_MEANT = {b"0": b"\0", b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"Z": b"\x1a"}
_DONE = b"-- Dump completed"
_ADVICE = "dump it anew with mariadb-dump --default-character-set=utf8mb4"


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    table: str
    values: dict[str, Value] = field(repr=False)


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """Open a file, one that gzip has made too. Raises UsageError, for a fault while it is read too."""
    try:
        with Path(path).open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not packed:
                yield file
                return
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked  # type: ignore[misc]  # it reads bytes, as IO does
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or 'its end is missing, or damaged'}") from None


def is_one(head: bytes) -> bool:
    """Tell by its beginning whether a file is such a dump."""
    return _HEAD.match(head) is not None


def rows(path: str, suffixes: Collection[str]) -> Iterator[Row]:
    """Read the rows of tables whose names end so. Raises UsageError, in the end too: for a dump that is cut off."""
    reader = _Reader(path, tuple(suffix.encode() for suffix in suffixes))
    with opened(path) as file:
        for number, line in _lines(file):
            yield from reader.read(number, line)
    if not reader.done:
        raise UsageError(f"{path} has no last line `-- Dump completed`: it is cut off, or its comments were left out")


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield numbered lines; one that is too long comes in parts of the same number."""
    number = 1
    while line := file.readline(_LONGEST):
        yield number, line
        number += line.endswith(b"\n")


@dataclass(slots=True)
class _Reader:
    """State between two lines: the columns of tables, and the table whose rows are under way."""

    path: str
    suffixes: tuple[bytes, ...]
    columns: dict[bytes, list[str]] = field(default_factory=dict)
    defined: bytes | None = None
    table: bytes | None = None
    inserted: list[str] = field(default_factory=list)
    done: bool = False

    def read(self, number: int, line: bytes) -> Iterator[Row]:
        if self.table is not None:
            yield from self._rows(number, line, 0)
        elif self.defined is not None:
            self._define(line)
        elif found := _INSERT.match(line):
            if found[1].endswith(self.suffixes):
                self.table, self.inserted = found[1], self._columns_of(number, found)
                yield from self._rows(number, line, found.end())
        elif found := _CREATE.match(line):
            if found[1] in self.columns and found[1].endswith(self.suffixes):
                raise self._fault(number, f"{found[1].decode(errors='replace')} is there twice: dump one database")
            self.defined, self.columns[found[1]] = found[1], []
        elif (found := _NAMES.match(line)) and found[1] not in (b"utf8mb4", b"binary"):
            raise UsageError(f"{self.path}: line {number}: its texts are {found[1].decode()}; {_ADVICE}")
        else:
            self.done = line.startswith(_DONE) or (self.done and not line.strip())

    def _define(self, line: bytes) -> None:
        assert self.defined is not None  # noqa: S101 - `read` has asked
        if found := _COLUMN.match(line):
            self.columns[self.defined].append(found[1].decode(errors="replace"))
        elif line.startswith(b")"):
            self.defined = None

    def _columns_of(self, number: int, found: re.Match[bytes]) -> list[str]:
        if found[2] is not None:
            return [name.strip(" `") for name in found[2].decode(errors="replace").split(",")]
        known = self.columns.get(found[1])
        if not known:
            raise self._fault(number, "the table's columns are not told: dump it with --complete-insert")
        return known

    def _rows(self, number: int, line: bytes, at: int) -> Iterator[Row]:
        """Read all rows of a line; the statement goes on behind it if the last one ends with a comma."""
        assert self.table is not None  # noqa: S101 - `read` has asked
        table, end = self.table.decode(errors="replace"), len(line.rstrip(b"\r\n"))
        while at < end:
            values, at = self._values(number, line, at)
            yield Row(number, table, dict(zip(self.inserted, values, strict=True)))
            if line[at : at + 1] == b";":
                self.table = None
                return
            if line[at : at + 1] != b",":
                raise self._fault(number)
            at += 1

    def _values(self, number: int, line: bytes, at: int) -> tuple[list[Value], int]:
        found: list[Value] = []
        if line[at : at + 1] != b"(":
            raise self._fault(number)
        while line[at : at + 1] in (b"(", b","):
            value = _VALUE.match(line, at + 1)
            if value is None:
                raise self._fault(number)
            found.append(self._value(number, value))
            at = value.end()
        if line[at : at + 1] != b")" or len(found) != len(self.inserted):
            raise self._fault(number)
        return found, at + 1

    def _value(self, number: int, value: re.Match[bytes]) -> Value:
        match value.lastgroup:
            case "null":
                return None
            case "whole":
                return int(value["whole"])
            case "other":
                return value["other"].decode()
        text = value["text"]
        if b"\\" in text or b"''" in text:
            text = _ESCAPED.sub(lambda part: _MEANT.get(part[1], part[1]) if part[1] else b"'", text)
        try:
            return text.decode()
        except UnicodeDecodeError:
            raise self._fault(number, f"a text is not UTF-8; {_ADVICE}") from None

    def _fault(
        self, number: int, reason: str = "this is no row as mariadb-dump writes it, or is cut off"
    ) -> UsageError:
        return UsageError(f"{self.path}: line {number}: {reason}")
