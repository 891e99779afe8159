"""The reference: sections with their routes, and the errors, from the API document. What only refuses is left out."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from service.http import openapi
from service.http.docs.snippets import Target, sdk_method, snippets
from service.http.openapi.parts import Json

_WORDS = {
    "id": "ID", "jwts": "JWTs", "mfa": "MFA", "oauth2": "OAuth2", "openapi": "API document", "otp": "by code",
    "prefs": "preferences",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """A route: its operation in the API document and what a page shows of it."""

    operation: Json
    method: str
    paths: tuple[str, ...]
    who: str
    parameters: list[Json]
    request_schema: Json | None
    sdk: str
    snippets: dict[str, str]
    answers: dict[str, list[tuple[str, Any]]]
    refusals: list[tuple[str, str]]

    @property
    def anchor(self) -> str:
        return str(self.operation["operationId"])

    @property
    def summary(self) -> str:
        return str(self.operation["summary"])


@dataclass(frozen=True, slots=True)
class Section:
    """Routes of one file of service/api, on a page of their own."""

    slug: str
    title: str
    description: str
    entries: tuple[Entry, ...]


@lru_cache(4)
def contents(address: str) -> dict[str, Section]:
    """Make the sections, by their slugs, of the service at that address."""
    document = openapi.document(address)
    found: dict[str, list[Entry]] = {tag["name"]: [] for tag in document["tags"]}
    later: dict[str, list[str]] = {}
    operations = [(path, method, each) for path, item in document["paths"].items() for method, each in item.items()]
    for path, _, operation in operations:
        if first := operation.get("x-same-as"):
            later.setdefault(first, []).append(path)
    for path, method, operation in operations:
        if "x-same-as" not in operation and "x-refuses" not in operation:
            paths = (path, *later.get(operation["operationId"], ()))
            found[operation["tags"][0]].append(_entry(document, paths, method.upper(), operation))
    return {
        section.slug: section
        for section in (_section(tag, found[tag["name"]]) for tag in document["tags"])
        if section.entries
    }


def _section(tag: Json, entries: list[Entry]) -> Section:
    name = tag["name"]
    return Section(name.replace(" ", "-"), _title(name), tag["description"], tuple(entries))


def _title(name: str) -> str:
    """Begin with a capital; abbreviations have their own."""
    title = " ".join(_WORDS.get(word, word) for word in name.split(" "))
    return title[:1].upper() + title[1:]


def _entry(document: Json, paths: tuple[str, ...], method: str, operation: Json) -> Entry:
    answers = operation["responses"]
    parameters = [_resolved(document, parameter) for parameter in operation.get("parameters", ())]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return Entry(
        operation,
        method,
        paths,
        _who(operation),
        parameters,
        _resolved(document, body["schema"]) if body else None,
        sdk_method(operation),
        snippets(Target(document["servers"][0]["url"]), paths[0], method, operation, parameters),
        {status: _examples(answer) for status, answer in answers.items() if status < "400"},
        [
            (status, type_)
            for status, answer in answers.items() if status >= "400"
            for type_ in _types(document, answer["content"]["application/json"]["schema"])
        ],
    )  # fmt: skip


def _examples(answer: Json) -> list[tuple[str, Any]]:
    """List the names and values of an answer's examples; a text is shown as it is."""
    return [
        (name, example["value"])
        for media in answer.get("content", {}).values()
        for name, example in media["examples"].items()
    ]


def _types(document: Json, schema: Json) -> list[str]:
    """List the types of errors that a response may have."""
    found: list[str] = _resolved(document, schema)["allOf"][1]["properties"]["type"]["enum"]
    return found


def _resolved(document: Json, part: Json) -> Json:
    found: Any = part
    while "$ref" in found:
        reference, found = found["$ref"], document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
    return dict(found)


def _who(operation: Json) -> str:
    ways = {name for way in operation["security"] for name in way}
    if not ways:
        return "Anybody; no project is needed"
    if "x-scope" in operation:
        return f"A server with an API key of scope `{operation['x-scope']}`"
    return "Anybody" if {"Project": []} in operation["security"] else "A member: with a session or a JWT"


def errors(address: str) -> list[Json]:
    """List status, type and message of each error, and those of legacy where they differ."""
    examples = openapi.document(address)["components"]["examples"]
    return [
        {**example["value"], "legacy": examples.get(name + "Legacy", {}).get("value")}
        for name, example in examples.items()
        if not name.endswith("Legacy")
    ]


def kind_of(schema: Json) -> str:
    """Describe a schema in a few words: `string, 6 to 256 characters`."""
    if choices := schema.get("anyOf"):
        return " or ".join(dict.fromkeys(kind_of(choice) for choice in choices if choice != {"type": "null"}))
    if "enum" in schema or "const" in schema:
        return " or ".join(orjson.dumps(value).decode() for value in schema.get("enum", [schema.get("const")]))
    kind = str(schema.get("format") or schema.get("type") or "any")
    if kind == "array":
        return f"array of {kind_of(schema.get('items', {}))}"
    least, most = schema.get("minLength", schema.get("minimum")), schema.get("maxLength", schema.get("maximum"))
    unit = "" if "maximum" in schema else " characters"
    if most is None:
        return kind
    return f"{kind}, {least} to {most}{unit}" if least is not None else f"{kind}, at most {most}{unit}"


def description_of(schema: Json) -> str:
    """Return its description, or that of the one thing it may be."""
    choices = [schema, *schema.get("anyOf", ())]
    return next((str(choice["description"]) for choice in choices if "description" in choice), "")
