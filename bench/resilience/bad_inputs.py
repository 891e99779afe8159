"""Bad input written by hand, a list a kind of field, with the refusal due (tests/security/data/bad_inputs.json).

The answers are stated there and not read off the service: whatever a field of a kind can't be is 400,
general_argument_invalid, with the field's name in the words of the era.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "tests" / "security" / "data" / "bad_inputs.json"
# What is of another type than the kind, by the name of its list.
_OTHER_TYPES = {"prefs": "no_object", "boolean": "no_boolean", "duration": "no_number"}


@dataclass(frozen=True, slots=True)
class Bad:
    """One request, and how its message must begin."""

    method: str
    path: str
    who: str
    field: str
    modern: bool
    body: bytes
    message: str


def rows() -> Iterator[Bad]:
    """Yield every bad value of every field of every route, in both eras, beside good values of the others."""
    data = json.loads(DATA.read_text())
    for route in data["routes"]:
        good = {name: data["good"][name] for name in route["fields"]} | data["good_of"].get(route["route"], {})
        method, path = route["route"].split()
        for field, kind in route["fields"].items():
            for era in route.get("eras", ("legacy", "modern")):
                modern = era == "modern"
                message = f"Invalid `{field}` param: " if modern else f"Invalid {field}: "
                for value in _values(data, kind, modern=modern):
                    # As clients write it: what is no text in the file is escaped in the request.
                    body = json.dumps(good | {field: value}).encode()
                    yield Bad(method, path, route["who"], field, modern, body, message)


def request(row: Bad, who: dict[str, str]) -> bytes:
    """Build the request as sent; `who` holds the headers of a member or a server."""
    fields = {"Host": "localhost", "X-Appwrite-Project": "shop", "Content-Type": "application/json", **who}
    if row.modern:
        fields["X-Appwrite-Response-Format"] = "1.9.5"
    fields["Content-Length"] = str(len(row.body))
    lines = [f"{row.method} {row.path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + row.body


def fits(row: Bad, status: int, body: bytes) -> bool:
    """Return whether an answer is the one that is due."""
    found = json.loads(body)
    if (status, found["code"], found["type"]) != (400, 400, "general_argument_invalid"):
        return False
    message: str = found["message"]
    return message.startswith(row.message) or message == f'Param "{row.field}" is not optional.'


def _values(data: dict[str, Any], kind: str, *, modern: bool) -> Iterator[Any]:
    listed = data["kinds"].get(kind, {})
    for value in (*listed.get("*", ()), *listed.get("modern" if modern else "legacy", ())):
        yield _grown(value)
    if kind == "labels":
        yield from data["kinds"]["no_list"]["*"]
    else:
        others = data[_OTHER_TYPES.get(kind, "no_text")]
        # Legacy counts "" as absent.
        yield from (value for value in others if modern or value != "")


def _grown(value: Any) -> Any:
    """Expand {"repeat": ["a", 3], "then": "b"} to "aaab", at any depth."""
    match value:
        case {"repeat": [str(text), int(times)], "then": str(end)}:
            return text * times + end
        case dict():
            return {name: _grown(inner) for name, inner in value.items()}
    return value
