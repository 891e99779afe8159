"""JSON bodies: objects with one reading, or none (docs/security.md S38 to S40).

orjson refuses what is no JSON in UTF-8: marks of byte order, other encodings, lone surrogates, NaN, what is beyond a
double, text behind the end. The standard library then shows what orjson hides: which keys stand twice, and how a number
is spelled.
"""

import json
from typing import Any, Self

import orjson

from service.errors import ArgumentInvalid

# Levels below a body's field, in a form as in JSON.
DEPTH = 64


def read(raw: bytes) -> dict[str, Any]:
    """Parse an object whose numbers remember their spelling; JSON that is no object counts as an empty one.

    Raises ValueError for what is no JSON, ArgumentInvalid for what is ambiguous.
    """
    found = orjson.loads(raw)
    if not isinstance(found, dict):
        return {}
    # So few brackets can't be too deep; counting them costs less than looking.
    if raw.count(b"{") + raw.count(b"[") > DEPTH and _depth(found) > DEPTH + 1:
        raise ArgumentInvalid(f"The request body must not be nested deeper than {DEPTH} levels.")
    # Texts alone, and no more quotes than theirs and their keys': no key stands twice, and there is no number.
    if raw.count(b'"') == 4 * len(found) and all(type(value) is str for value in found.values()):
        return found
    object_: dict[str, Any] = _READER.decode(raw.decode())
    return object_


def write(value: object) -> bytes:
    """Serialize as received, without the blanks: keys in their order, numbers as they were spelled."""
    return orjson.dumps(value, default=_spelling, option=orjson.OPT_PASSTHROUGH_SUBCLASS)


def _depth(value: object) -> int:
    """Count the levels of an object, no further than needed."""
    level, depth = [value], 0
    while level and depth <= DEPTH + 1:
        level = [child for found in level for child in _children(found)]
        depth += 1
    return depth


def _children(found: object) -> list[object]:
    children = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    return [child for child in children if isinstance(child, dict | list)]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    object_ = dict(pairs)
    if len(object_) < len(pairs):
        raise ArgumentInvalid("The request body must not contain a key twice.")
    return object_


def _whole(text: str) -> int | float:
    return _real(text) if text == "-0" else int(text)


def _real(text: str) -> float:
    value = float(text)
    return value if orjson.dumps(value) == text.encode() else NumberText(text)


def _spelling(found: object) -> orjson.Fragment:
    if isinstance(found, NumberText):
        return orjson.Fragment(found.text)
    raise TypeError


class NumberText(float):
    """A number whose spelling is not the shortest one: 1e5, 1.50, -0, more digits than a double holds."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        made = super().__new__(cls, text)
        made.text = text
        return made


_READER = json.JSONDecoder(object_pairs_hook=_once, parse_int=_whole, parse_float=_real)
