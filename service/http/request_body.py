"""Request bodies: read, parsed and checked here, before any hash or query (docs/contract.md#requests)."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo

from service.errors import ArgumentInvalid, BodyEncoded, BodyTooLarge, BodyTooSlow
from service.http import form_body, headers, json_body
from service.http.api_version import ApiVersion
from service.http.context import RequestContext
from service.store.projects import Project

SIZE = 96 * 1024
_TIMEOUT = 10.0
JSON = "application/json"
# The library's own property asks a parser of mail, which takes half a second for 8 KB of quotes.
_KIND = re.compile(r"\s*([A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+)\s*(?:;|\Z)")
_KIND_SIZE = 256
# Neither JSON nor a form, or cut off.
_UNREADABLE = (ValueError, HttpProcessingError, web.RequestPayloadError)
# An unreadable body counts as an empty object too, so that the first missing parameter is named.
_JUNK: Mapping[str, Any] = MappingProxyType({})


class BodyContext(Protocol):
    """Source of the rules for a body: a request, or an operator's command."""

    @property
    def api_version(self) -> ApiVersion: ...
    @property
    def project(self) -> Project: ...


class Body(BaseModel):
    """A route's parameters, in the order in which they are checked. Unknown fields are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


Model = TypeVar("Model", bound=Body)


async def load(ctx: RequestContext) -> Mapping[str, Any]:
    """Read the body as an object, once; anything that is no object counts as an empty one.

    Raises ArgumentInvalid for what two readers could understand differently.
    """
    if ctx.body is None:
        ctx.body = await _parse(ctx.request)
    if ctx.found_project and ctx.body.get("project", "") not in ("", None, ctx.found_project.id):
        raise ArgumentInvalid("The project in the body is another one than the request names elsewhere.")
    return ctx.body


def kind_of(request: web.Request) -> str:
    """Return the media type in small letters; "" for none. Long values are not read to their end."""
    match = _KIND.match(_declared(request))
    return match[1].lower() if match else ""


def _declared(request: web.Request) -> str:
    return request.headers.get("Content-Type", "")[:_KIND_SIZE]


def _codings(request: web.Request) -> list[str]:
    return headers.joined(request, "Content-Encoding").split(",") if "Content-Encoding" in request.headers else []


async def _parse(request: web.Request) -> Mapping[str, Any]:
    if any(coding.strip().lower() not in ("", "identity") for coding in _codings(request)):
        raise BodyEncoded
    try:
        raw = await (request.read() if request.content.is_eof() else _read_in_time(request))
        if not raw:
            return {}
        kind = kind_of(request)
        return json_body.read(raw) if kind == JSON else form_body.read(raw, kind=kind, declared=_declared(request))
    except web.HTTPRequestEntityTooLarge:
        raise BodyTooLarge from None
    except TimeoutError:
        raise BodyTooSlow from None
    except OSError:  # the client is gone; this only keeps it from counting as a server error
        raise ArgumentInvalid("The request body broke off.") from None
    except _UNREADABLE:
        return _JUNK


async def _read_in_time(request: web.Request) -> bytes:
    """Wait for the rest of a body. Most have come with their head, and need no timer."""
    async with asyncio.timeout(_TIMEOUT):
        return await request.read()


async def read(ctx: RequestContext, model: type[Model]) -> Model:
    """Parse the body as the route's model; raises ArgumentInvalid for the first parameter that does not fit."""
    if isinstance(ctx.parameters, model):
        return ctx.parameters
    came = await load(ctx)
    found = validate(ctx, model, came)
    if came is _JUNK:
        raise ArgumentInvalid("The request body could not be understood.")
    return found


def validate(context: BodyContext, model: type[Model], came: Mapping[str, Any]) -> Model:
    """Check parameters from elsewhere against a model, as `read` does."""
    given = form_body.typed(came, _kinds(model)) if isinstance(came, form_body.Fields) else dict(came)
    for name, field in model.model_fields.items():
        alias = field.alias or name
        value = given.get(alias)
        # Legacy: "" and null count as absent. Modern: null does, where the parameter is optional.
        if (value is None and (not context.api_version.modern or not field.is_required())) or (
            value == "" and not context.api_version.modern
        ):
            given.pop(alias, None)
    try:
        return model.model_validate(given, context=context)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _refusal(context, str(first["loc"][0]), first["type"], first["msg"]) from None


def context_of(info: ValidationInfo) -> BodyContext:
    """Return the context of a field's check, which `validate` has passed."""
    context: BodyContext = info.context  # type: ignore[assignment] # it passes nothing else
    return context


@cache
def _kinds(model: type[Body]) -> Mapping[str, frozenset[str]]:
    """List for each field its types in the API document."""
    schema = model.model_json_schema()
    return {name: frozenset(_types(described)) for name, described in schema.get("properties", {}).items()}


def _types(described: Mapping[str, Any]) -> Iterator[str]:
    if "type" in described:
        yield described["type"]
    for one in described.get("anyOf", ()):
        yield from _types(one)


def unfit_parameter(context: BodyContext, name: str, message: str) -> ArgumentInvalid:
    """Make the error of a parameter whose value can't be taken, in the words of the client's API version."""
    place = f"`{name}` param" if context.api_version.modern else name
    return ArgumentInvalid(f"Invalid {place}: {message}")


def _refusal(context: BodyContext, name: str, kind: str, message: str) -> ArgumentInvalid:
    """Make the error of a parameter that pydantic refuses; `kind` is the type of its error."""
    if kind == "missing":
        return ArgumentInvalid(f'Param "{name}" is not optional.')
    return unfit_parameter(context, name, "Value must be a valid string" if kind == "string_type" else message)
