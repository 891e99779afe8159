"""What came: bodies are read, parsed and checked here, before any hash or query (contract.md 1.2)."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar

import orjson
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, ConfigDict, ValidationError

from service.api.calls import Call
from service.api.eras import Era
from service.errors import ArgumentInvalid, BodyTooLarge, BodyTooSlow
from service.projects import Project

SIZE = 96 * 1024
# Levels below a body's field, in a form as in JSON.
DEPTH = 64
_PATIENCE = 10.0
# What the form readers raise about junk: their own faults, unknown charsets and codings, broken compression.
_UNREADABLE = (ValueError, LookupError, RuntimeError, HttpProcessingError, web.RequestPayloadError)
_FIELD = re.compile(r"[^\[]+")


class Asker(Protocol):
    """Whose rules count: a call, or an operator's command."""

    @property
    def era(self) -> Era: ...
    @property
    def project(self) -> Project: ...


class Body(BaseModel):
    """A route's parameters, in the order in which they are checked. Unknown fields are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


Model = TypeVar("Model", bound=Body)


async def load(call: Call) -> Mapping[str, Any]:
    """The body as an object, read once; whatever is no object counts as an empty one."""
    if call.body is None:
        call.body = await _parse(call.request)
    return call.body


async def _parse(request: web.Request) -> Mapping[str, Any]:
    try:
        async with asyncio.timeout(_PATIENCE):
            if request.content_type != "application/json":
                form = await request.post()
                fields = [(name, value) for name, value in form.items() if isinstance(value, str)]
                # Some charsets can spell lone surrogates, which JSON can't.
                "".join(name + value for name, value in fields).encode()
                return _nested(fields)
            raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise BodyTooLarge from None
    except TimeoutError:
        raise BodyTooSlow from None
    except _UNREADABLE:
        return {}  # charsets, boundaries and encodings that nobody can read
    try:
        body = orjson.loads(raw)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Form fields as an object: prefs[a][b]=1 is {"prefs": {"a": {"b": "1"}}}."""
    tree: dict[str, Any] = {}
    for name, value in pairs:
        *path, last = _FIELD.findall(name.replace("]", "")) or [name]
        branch = tree
        for key in path[:DEPTH]:
            below = branch.setdefault(key, {})
            branch = below if isinstance(below, dict) else branch
        branch[last] = value
    return tree


async def read(call: Call, model: type[Model]) -> Model:
    """The body as the route's model; raises ArgumentInvalid for the first parameter that does not fit."""
    return fit(call, model, await load(call))


def fit(asker: Asker, model: type[Model], came: Mapping[str, Any]) -> Model:
    """The same for parameters from elsewhere."""
    given = dict(came)
    for name, field in model.model_fields.items():
        alias = field.alias or name
        value = given.get(alias)
        # Legacy: "" and null count as absent. Modern: null does, where the parameter is optional.
        if (value is None and (not asker.era.modern or not field.is_required())) or (
            value == "" and not asker.era.modern
        ):
            given.pop(alias, None)
    try:
        return model.model_validate(given, context=asker)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ArgumentInvalid(complaint(asker, str(first["loc"][0]), first["type"], first["msg"])) from None


def complaint(asker: Asker, name: str, kind: str, message: str) -> str:
    """What the client is told of one parameter, in the words of its era."""
    if kind == "missing":
        return f'Param "{name}" is not optional.'
    text = "Value must be a valid string" if kind == "string_type" else message
    return f"Invalid `{name}` param: {text}" if asker.era.modern else f"Invalid {name}: {text}"
