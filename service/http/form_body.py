"""Form bodies: UTF-8, one reading or none (docs/security.md S40, S46, S82).

The library's reader lets the client choose the codec, and some take time by the square of the length; it reads types
with a mail parser that does so too; and it prints the junk that it warns of.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from service.errors import ArgumentInvalid, BodyTooLarge
from service.http import json_body

_MOST = 1000
_TWICE = "The request body must not contain a field twice."
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_BOUNDARY_SIZE = 70
_DISPOSITION = re.compile(r"content-disposition:[ \t]*form-data[ \t]*(;.*)", re.IGNORECASE)
# One of a header's parameters; clients leave empty ones.
_PARAMETER = re.compile(
    r""";[ \t]*(?:(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*"""
    r"""(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s";]+)))?[ \t]*"""
)
# A part is the bytes it holds: nothing is decoded, and no part is made of others.
_CODED = re.compile(
    rb"content-encoding:|content-transfer-encoding:(?!\s*(?:7bit|8bit|binary)\s*\Z)|content-type:\s*multipart/",
    re.IGNORECASE,
)
_OTHER_CHARSET = re.compile(r""";\s*charset=(?!"?(?:utf-?8|us-ascii)"?[ \t]*(?:[;\r]|\Z))""", re.IGNORECASE)
_CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii"})


class Fields(dict[str, Any]):
    """Fields of a form, all of them text, lists and objects of text; the route's model gives the text its type."""


def read(raw: bytes, *, kind: str, declared: str) -> Fields:
    """Parse a form into an object; `declared` is the whole Content-Type. Any other kind of body has no fields.

    Raises ValueError for what is no form, ArgumentInvalid for what is ambiguous.
    """
    if kind == "application/x-www-form-urlencoded":
        return _nested(_urlencoded(raw, declared))
    if kind == "multipart/form-data":
        return _nested(_multipart(raw, declared))
    return Fields()


def _urlencoded(raw: bytes, declared: str) -> list[tuple[str, str]]:
    if _only(_parameters(declared), "charset").lower() not in _CHARSETS:
        raise ValueError
    if raw.count(b"&") >= _MOST:
        raise BodyTooLarge
    return parse_qsl(raw.rstrip().decode(), keep_blank_values=True, errors="strict")


def _multipart(raw: bytes, declared: str) -> Iterator[tuple[str, str]]:
    """Split into named parts, without files; text before the first boundary is ignored, behind the last refused."""
    boundary = _only(_parameters(declared), "boundary")
    if not 1 <= len(boundary) <= _BOUNDARY_SIZE:
        raise ValueError
    _, *parts = (b"\r\n" + raw).split(b"\r\n--" + boundary.encode())
    if not parts or parts.pop().rstrip() != b"--":
        raise ValueError
    if len(parts) > _MOST:
        raise BodyTooLarge
    for part in parts:
        head, blank, value = part.partition(b"\r\n\r\n")
        before, *lines = head.split(b"\r\n")
        coded = any(map(_CODED.match, lines)) or _OTHER_CHARSET.search(head.decode())
        if before or not blank or coded:
            raise ValueError
        given = _disposition(lines)
        if not any(name.startswith("filename") for name, _ in given):
            yield _only(given, "name"), value.decode()


def _disposition(lines: list[bytes]) -> list[tuple[str, str]]:
    """Parse the parameters of the one line that names a part."""
    (line,) = [line.decode() for line in lines if line.lower().startswith(b"content-disposition")]
    match = _DISPOSITION.fullmatch(line)
    given = _parameters(match[1]) if match else []
    names = [(name, value) for name, value in given if name.startswith("name")]
    if len(names) > 1:
        raise ArgumentInvalid(_TWICE)
    if len(names) != 1 or names[0][0] != "name" or "\\" in names[0][1]:
        raise ValueError
    return given


def _parameters(text: str) -> list[tuple[str, str]]:
    """Parse the parameters behind a header's first semicolon, names in small letters. Raises ValueError for no list."""
    found, place = [], text.find(";")
    while 0 <= place < len(text):
        match = _PARAMETER.match(text, place)
        if match is None:
            raise ValueError
        if match["name"]:
            found.append((match["name"].lower(), match["plain"] or match["quoted"] or ""))
        place = match.end()
    return found


def _only(parameters: list[tuple[str, str]], name: str) -> str:
    """Return the only value of that name, "" without any; raises ValueError for several."""
    values = [value for given, value in parameters if given == name]
    if len(values) > 1:
        raise ValueError
    return values[0] if values else ""


def typed(fields: Fields, kinds: Mapping[str, frozenset[str]]) -> dict[str, Any]:
    """Convert to the values that a JSON body would have; `kinds` are each field's types in JSON Schema's words.

    Text that is no such value stays text, and is refused as such.
    """
    return {name: _value(found, kinds.get(name, frozenset())) for name, found in fields.items()}


def _value(found: Any, kinds: frozenset[str]) -> Any:
    if isinstance(found, dict):
        return list(found.values()) if "array" in kinds and _is_list(found) else found
    if "integer" in kinds and _WHOLE.fullmatch(found):
        return int(found)
    if "boolean" in kinds:
        return _BOOLEANS.get(found, found)
    return found


def _nested(pairs: Iterable[tuple[str, str]]) -> Fields:
    """Build an object from form fields: prefs[a][b]=1 is {"prefs": {"a": {"b": "1"}}}. No spelling replaces another.

    An empty key is the next number, and below a field's own level keys counted from 0 are a list, as PHP reads both.
    """
    tree = Fields()
    for name, value in pairs:
        *path, last = _keys(name)
        if len(path) > json_body.DEPTH:
            raise ArgumentInvalid(f"The request body must not be nested deeper than {json_body.DEPTH} levels.")
        branch: dict[str, Any] = tree
        for key in path:
            branch = branch.setdefault(key or str(len(branch)), {})
            if not isinstance(branch, dict):
                raise ArgumentInvalid(_TWICE)
        last = last or str(len(branch))
        if last in branch:
            raise ArgumentInvalid(_TWICE)
        branch[last] = value
    return Fields(
        {
            name: {key: _listed(inner) for key, inner in found.items()} if isinstance(found, dict) else found
            for name, found in tree.items()
        }
    )


def _keys(name: str) -> list[str]:
    """Split `a[b][]` into a, b and an empty key; a name that begins with a bracket is one key."""
    first, *rest = name.replace("]", "").split("[")
    return [first, *rest] if first else [name]


def _listed(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    inner = {key: _listed(value) for key, value in found.items()}
    return list(inner.values()) if _is_list(inner) else inner


def _is_list(found: dict[str, Any]) -> bool:
    return list(found) == [str(number) for number in range(len(found))]
