"""The documentation page: the API document for people, in one file without scripts that loads nothing."""

import re
import shlex
from base64 import b64encode
from functools import lru_cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape
from markupsafe import Markup, escape

from service.http import openapi
from service.http.context import RequestContext
from service.http.openapi.parts import Json
from service.http.routing import without_guards

_FOLDER = Path(__file__).parents[2] / "templates" / "pages" / "docs"
_STYLE = (_FOLDER / "style.css").read_text()
_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_MARKS = ((re.compile(r"`([^`]+)`"), r"<code>\1</code>"), (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"))
_COUNTED = {
    "ip": "for a client address (IPv6: a /64)",
    "network": "for a client address, its known devices too",
    "user": "for an account",
    "email": "for an <code>email</code>",
    "userId": "for a <code>userId</code>",
    "project": "for a project",
}
_SPANS = {3600: "an hour", 60: "a minute", 86_400: "a day"}


@without_guards.get("/docs", page=True)
async def show_docs(ctx: RequestContext) -> web.Response:
    """Describe the service to people."""
    return web.Response(
        body=_page(ctx.services.settings.public_url),
        content_type="text/html",
        charset="utf-8",
        headers={"Content-Security-Policy": _POLICY},
    )


@lru_cache(4)
def _page(address: str) -> bytes:
    document = openapi.document(address)
    facts = {"document": document, "chapters": _chapters(document), "errors": _errors(document), "describe": _describe}
    style = Markup(_STYLE)  # noqa: S704 - our own file
    return _TEMPLATE.render(style=style, address=address, **facts).encode()


def _chapters(document: Json) -> list[Json]:
    """List each route once, its later paths beside the first one."""
    chapters: dict[str, Json] = {tag["name"]: {**tag, "entries": {}} for tag in document["tags"]}
    found = [
        (path, method, operation) for path, item in document["paths"].items() for method, operation in item.items()
    ]
    for path, method, operation in sorted(found, key=lambda each: "x-same-as" in each[2]):
        entries = chapters[operation["tags"][0]]["entries"]
        if first := operation.get("x-same-as"):
            entries[first]["paths"].append(path)
        else:
            entries[operation["operationId"]] = _entry(document, path, method.upper(), operation)
    return [{**chapter, "entries": list(chapter["entries"].values())} for chapter in chapters.values()]


def _entry(document: Json, path: str, method: str, operation: Json) -> Json:
    answers = operation["responses"]
    parameters = [_resolved(document, parameter) for parameter in operation.get("parameters", ())]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return {
        "operation": operation,
        "method": method,
        "paths": [path],
        "who": _who(operation),
        "parameters": parameters,
        "body": _resolved(document, body["schema"]) if body else None,
        "curl": _curl(document["servers"][0]["url"] + path, method, operation, parameters),
        "answers": {status: answer for status, answer in answers.items() if status < "300"},
        "refusals": [
            (status, type_)
            for status, answer in answers.items() if status >= "300"
            for type_ in _types(document, answer["content"]["application/json"]["schema"])
        ],
    }  # fmt: skip


def _types(document: Json, schema: Json) -> list[str]:
    """List the types of errors that a response may have."""
    found: list[str] = _resolved(document, schema)["allOf"][1]["properties"]["type"]["enum"]
    return found


def _resolved(document: Json, part: Json) -> Json:
    found: Any = part
    while "$ref" in found:
        found = _at(document, found["$ref"])
    return dict(found)


def _at(document: Json, reference: str) -> Any:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def _who(operation: Json) -> str:
    ways = {name for way in operation["security"] for name in way}
    if not ways:
        return "Anybody; no project is needed"
    if "x-scope" in operation:
        return f"A server with an API key of scope `{operation['x-scope']}`"
    return "Anybody" if {"Project": []} in operation["security"] else "A member: with a session or a JWT"


def _curl(address: str, method: str, operation: Json, parameters: list[Json]) -> str:
    """Make a command for a shell; cookies.txt holds the session."""
    for parameter in parameters:
        if parameter["in"] == "path":
            address = address.replace(f"{{{parameter['name']}}}", str(parameter["schema"]["examples"][0]))
    lines = ["curl" + ("" if method == "GET" else f" -X {method}") + " " + shlex.quote(address)]
    if operation["security"]:
        lines.append("-H 'X-Appwrite-Project: shop'")
    if "x-scope" in operation:
        lines.append('-H "X-Appwrite-Key: $KEY"')
    elif operation["security"]:
        opens = "X-Fallback-Cookies" in next(iter(operation["responses"].values()))["headers"]
        lines += ["-c cookies.txt"] if opens else [] if {"Project": []} in operation["security"] else ["-b cookies.txt"]
    if body := operation.get("requestBody"):
        example = body["content"]["application/json"]["examples"]["usual"]["value"]
        lines += ["-H 'Content-Type: application/json'", "-d " + shlex.quote(orjson.dumps(example).decode())]
    return " \\\n  ".join(lines)


def _errors(document: Json) -> list[Json]:
    """List status, type and message of each error, and those of legacy where they differ."""
    examples = document["components"]["examples"]
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


def _describe(schema: Json) -> str:
    """Return its description, or that of the one thing it may be."""
    choices = [schema, *schema.get("anyOf", ())]
    return next((str(choice["description"]) for choice in choices if "description" in choice), "")


def _text(plain: str) -> Markup:
    """Render code and bold of Markdown; the descriptions have nothing else of it."""
    text = str(escape(plain))
    for pattern, tags in _MARKS:
        text = pattern.sub(tags, text)
    return Markup(text)  # noqa: S704 - escaped two lines above


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _limit(limit: Json) -> Markup:
    span = _SPANS.get(limit["seconds"], f"in {limit['seconds']} seconds")
    return Markup(f"{limit['calls']} calls {span} {_COUNTED[limit['by']]}")  # noqa: S704 - numbers and words of ours


def _reason(status: str) -> str:
    return f"{status} {HTTPStatus(int(status)).phrase}"


def _open() -> Template:
    """Compile the page when the service starts: a broken one stops the start."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"text": _text, "kind": kind_of, "json": _json, "limit": _limit, "reason": _reason}
    return environment.get_template("page.html")


_TEMPLATE = _open()
