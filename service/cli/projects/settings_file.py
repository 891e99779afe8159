"""Settings of projects as a TOML file: the two commands, and the file's values with the line of each."""

import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.cli.commands import UsageError, add_command, lazily

Key = tuple[str, ...]
_LARGEST = 1_048_576


def add(words: Any) -> None:
    export = add_command(
        words, "export", lazily("service.cli.projects.settings_export", "export"),
        "print settings as TOML, without any secret",
    )  # fmt: skip
    export.add_argument("ids", nargs="*", metavar="id", help="all projects if not given")
    apply = add_command(
        words, "apply", lazily("service.cli.projects.settings_apply", "apply"),
        "set projects to what a TOML file says; what it doesn't name stays",
    )  # fmt: skip
    apply.add_argument("file", help="as `projects export` prints it; - for standard input")
    apply.add_argument("--dry-run", action="store_true", help="print what would change, and change nothing")


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """Values of a file, and the line of each key."""

    name: str
    values: dict[str, Any]
    lines: Mapping[Key, int]

    def place(self, key: Key) -> str:
        """Return file, line and key, for a message."""
        line = next((self.lines[key[:end]] for end in range(len(key), 0, -1) if key[:end] in self.lines), 1)
        return f"{self.name}:{line}: {'.'.join(key)}"


def read(path: str) -> SettingsFile:
    """Read a file, or standard input for `-`. Raises UsageError."""
    try:
        data = sys.stdin.buffer.read(_LARGEST + 1) if path == "-" else Path(path).read_bytes()
        if len(data) > _LARGEST:
            raise UsageError(f"{path}: longer than 1 MiB")
        text = data.decode().replace("\r\n", "\n")
        values = tomllib.loads(text)
        # A table may be named again by one below it: its first line counts.
        return SettingsFile(path, values, dict(reversed([*_lines(text)])))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as fault:
        raise UsageError(f"{path}: {fault or 'nested too deep'}") from None


def _lines(text: str) -> Iterator[tuple[Key, int]]:
    """Find the line of each key: tomllib tells none, but reads a statement at a time."""
    table: Key = ()
    statement, first = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        first = first if statement else number
        statement += f"{line}\n"
        try:
            parsed = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:  # its end is on a later line
            continue
        keys = list(_keys(parsed))
        if statement.lstrip().startswith("["):
            table = keys[-1]
            yield from ((key, first) for key in keys)
        else:
            yield from (((*table, *key), first) for key in keys)
        statement = ""


def _keys(table: Mapping[str, Any]) -> Iterator[Key]:
    for name, value in table.items():
        yield (name,)
        if isinstance(value, dict):
            yield from ((name, *key) for key in _keys(value))


def write(values: Mapping[str, Any], key: Key = ()) -> Iterator[str]:
    """Write tables of texts, numbers, switches, lists and references; the inverse of reading."""
    tables = {name: value for name, value in values.items() if isinstance(value, dict) and "env" not in value}
    if key and len(tables) < len(values):
        yield f"\n[{'.'.join(map(_name, key))}]"
    yield from (f"{_name(name)} = {_value(value)}" for name, value in values.items() if name not in tables)
    for name, value in tables.items():
        yield from write(value, (*key, name))


def _name(name: str) -> str:
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else _value(name)


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case dict():
            return f"{{ {', '.join(f'{name} = {_value(each)}' for name, each in value.items())} }}"
        case str():
            return '"' + "".join(map(_letter, value)) + '"'
    return str(value)


def _letter(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    return letter if letter.isprintable() else f"\\U{ord(letter):08X}"
