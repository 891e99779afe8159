"""Differences of two JSON answers, by field and kind. No value is told: it may be an address or a secret."""

from collections.abc import Iterator
from typing import Any

# Fields that two systems can't have in common (docs/moving.md): when it was touched, and what one of them tells nobody.
IGNORED = frozenset({
    "$updatedAt", "accessedAt", "password", "hash", "hashOptions", "secret", "providerAccessToken",
    "providerAccessTokenExpiry", "providerRefreshToken",
})  # fmt: skip
# Of a user's targets, whose own address and number have other ids in each system.
_OF_TARGETS = frozenset({"$id", "$createdAt"})


def differences(there: Any, here: Any, *, shape: bool, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield fields that differ, and how; with `shape` only their types and names count, not their values."""
    there, here = _without_php(there), _without_php(here)
    match there, here:
        case dict(), dict():
            for name in sorted(there.keys() | here.keys()):
                if name not in IGNORED and not (".targets[" in f".{place}" and name in _OF_TARGETS):
                    yield from _of_field(there, here, name, shape=shape, place=place)
        case list(), list():
            yield from _of_lists(there, here, shape=shape, place=place)
        case _ if _type(there) != _type(here):
            yield place or "body", f"{_type(there)} there, {_type(here)} here"
        case _ if not shape and there != here:
            yield place or "body", "other value"


def _of_field(
    there: dict[str, Any], here: dict[str, Any], name: str, *, shape: bool, place: str
) -> Iterator[tuple[str, str]]:
    path = f"{place}.{name}" if place else name
    # The user's own keys: a name of theirs may be as private as a value.
    shown = f"{place}.*" if place.rpartition(".")[2] == "prefs" else path
    if name not in here:
        yield shown, "missing here"
    elif name not in there:
        yield shown, "only here"
    else:
        yield from differences(there[name], here[name], shape=shape, place=shown)


def _of_lists(there: list[Any], here: list[Any], *, shape: bool, place: str) -> Iterator[tuple[str, str]]:
    if shape:
        there, here = there[:1], here[:1]
        if not (there and here):
            return
    elif len(there) != len(here):
        yield place or "body", f"{len(there)} there, {len(here)} here"
        return
    for one, other in zip(_sorted(there), _sorted(here), strict=True):
        yield from differences(one, other, shape=shape, place=f"{place}[]")


def _sorted(found: list[Any]) -> list[Any]:
    """Order targets, which each system lists in its own way, by type and identifier."""
    if not all(isinstance(each, dict) and "identifier" in each for each in found):
        return found
    return sorted(found, key=lambda each: (str(each.get("providerType")), str(each["identifier"])))


def _without_php(found: Any) -> Any:
    """Nothing is [] or {} in PHP, and null or an empty text in a list of facts."""
    return None if found in ("", [], {}) else found


def _type(found: Any) -> str:
    match found:
        case None:
            return "nothing"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case dict():
            return "object"
    return "list"
