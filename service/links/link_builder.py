"""Links in mails: the caller's own address, with the service's parameters in its query.

It follows PHP's parse_str and http_build_query, because the official service is written in PHP and clients
rely on its treatment of their query (docs/contract.md#links). One difference is meant: a parameter whose name is a
number keeps its name, where PHP's array_merge would number it anew.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote_plus, unquote_plus

# PHP's max_input_vars and max_input_nesting_level; what is beyond them is dropped.
MAX_PARAMETERS = 1000
MAX_NESTING = 64

_LAST_INDEX = 2**63 - 1
_MANGLED = str.maketrans(" .[", "___")


def build(url: str, parameters: Mapping[str, str]) -> str:
    """Return url with parameters in its query: in place of a namesake, else at the end in their order.

    Namesakes in other capitals go: many readers of a query tell no `SECRET` from `secret`, and take the first.
    The fragment stays at the very end. redirect_policy.check judges the address, not this function.
    """
    rest, hash_sign, fragment = url.partition("#")
    base, _, query = rest.partition("?")
    tree = _parse(query)
    ours = {name.casefold() for name in parameters}
    for name in [name for name in tree.cells if name.casefold() in ours and name not in parameters]:
        del tree.cells[name]
    for name, value in parameters.items():
        tree.cells[name] = value
    pairs = "&".join(f"{name}={_encode(value)}" for name, value in _flatten(tree))
    return f"{base}?{pairs}{hash_sign}{fragment}"


def _parse(query: str) -> "_Array":
    tree = _Array()
    for pair in [pair for pair in query.split("&") if pair][:MAX_PARAMETERS]:
        name, _, value = pair.partition("=")
        _assign(tree, _keys(_decode(name)), _decode(value))
    return tree


def _keys(name: str) -> list[str | None]:
    """Split `a[b][]` into ["a", "b", None]: empty if the name is none, overlong if it is nested too deep."""
    # PHP's names are C strings, so they end at a NUL.
    head, bracket, rest = name.partition("\0")[0].lstrip(" ").partition("[")
    if not head:
        return []
    keys: list[str | None] = [head.translate(_MANGLED)]
    while bracket:
        if len(keys) > MAX_NESTING:
            return [*keys, None]
        inside, closed, rest = rest.partition("]")
        if not closed:
            # An unclosed bracket belongs to the name if it is the first one, and is dropped further on.
            return keys if len(keys) > 1 else [f"{keys[0]}_{inside.translate(_MANGLED)}"]
        keys.append(None if inside in {"", *" \t\n\r\v\f"} else inside)
        # Text after a closing bracket is ignored.
        bracket, rest = ("[", rest[1:]) if rest.startswith("[") else ("", "")
    return keys


def _assign(tree: "_Array", keys: list[str | None], value: str) -> None:
    """Put value where keys lead. A name nested too deeply takes everything with the same beginning along."""
    if len(keys) > MAX_NESTING + 1:
        tree.cells.pop(str(keys[0]), None)
        return
    array = tree
    for key in keys[:-1]:
        entered = _enter(array, key)
        if entered is None:
            return
        array = entered
    if keys:
        _put(array, keys[-1], value)


def _enter(array: "_Array", key: str | None) -> "_Array | None":
    found = None if key is None else array.cells.get(key)
    if isinstance(found, _Array):
        return found
    fresh = _Array()
    return fresh if _put(array, key, fresh) else None


def _put(array: "_Array", key: str | None, value: "str | _Array") -> bool:
    """Store value under key, or under the next free index if key is None; False if there is none left."""
    if key is None:
        if array.free > _LAST_INDEX:
            return False
        key = str(array.free)
    array.cells[key] = value
    # Only a plain decimal number counts as an index: not "07", "+7" or one beyond 64 bits.
    if key.isascii() and key.isdigit() and len(key) <= 19 and str(int(key)) == key and int(key) <= _LAST_INDEX:
        array.free = max(array.free, int(key) + 1)
    return True


def _flatten(tree: "_Array") -> Iterator[tuple[str, str]]:
    """Yield encoded names with raw values, arrays as `name%5Bkey%5D`."""
    waiting = [(_encode(name), value) for name, value in reversed(tree.cells.items())]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, str):
            yield name, value
        else:
            waiting += [(f"{name}%5B{_encode(key)}%5D", cell) for key, cell in reversed(value.cells.items())]


def _decode(text: str) -> str:
    # Bytes that aren't UTF-8 survive the way in and out again.
    return unquote_plus(text, errors="surrogateescape")


def _encode(text: str) -> str:
    # PHP's urlencode escapes the tilde, Python's doesn't.
    return quote_plus(text, errors="surrogateescape").replace("~", "%7E")


@dataclass(slots=True)
class _Array:
    """A PHP array: ordered, with the index that `[]` takes next."""

    cells: "dict[str, str | _Array]" = field(default_factory=dict)
    free: int = 0
