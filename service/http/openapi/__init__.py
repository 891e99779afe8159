"""The API document, OpenAPI 3.1, made from the routes, the models of bodies and responses, and the errors."""

import inspect
from functools import lru_cache

import orjson
from aiohttp import web

from service.http import schemas
from service.http.context import RequestContext
from service.http.openapi import operations, parts, refusals
from service.http.openapi.parts import Json
from service.http.routing import ROUTES, Route, contract, without_guards
from service.http.security_headers import Response
from service.version import VERSION

_INTRODUCTION = """Accounts, sessions, recovery and verification for the official Appwrite SDKs, old and new.

Every answer exists in two API versions. The header `X-Appwrite-Response-Format` chooses: below 0.12 or absent is the
**legacy** version, 1.0 and above the **modern** one; formats between have the modern fields with Unix seconds. A
project may make modern its default. The path never decides: all paths of a route do the same.

Every request names its project, by `X-Appwrite-Project` or by `?project=`. Bodies may be JSON or forms.
Decide about errors by their `type`; `Retry-After` says in seconds when to come back."""


@lru_cache(4)
def document(address: str) -> Json:
    """Make the document of the service at that address; do not modify it."""
    routes = sorted((route for route in ROUTES if not route.page), key=_sort_key)
    components, common = parts.schemas_of(routes), refusals.shared(routes)
    paths: dict[str, Json] = {}
    for route in routes:
        for number, path in enumerate(route.paths):
            operation = operations.make(route, number, routes, components=components, common=common)
            paths.setdefault(path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Accounts", "version": VERSION, "description": _INTRODUCTION},
        "servers": [{"url": address}],
        "tags": _tags(routes),
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": components.found | refusals.schemas(routes, common),
            "examples": refusals.examples(routes),
            **parts.shared(),
        },
    }


def _sort_key(route: Route) -> tuple[str, int]:
    """Return the key that orders the document: path, then method."""
    return route.paths[0], ("GET", "POST", "PUT", "PATCH", "DELETE").index(route.method)


def _tags(routes: list[Route]) -> list[Json]:
    texts = {operations.tag(route): operations.words(inspect.getmodule(route.handler))[0] for route in routes}
    return [{"name": name, "description": text} for name, text in texts.items()]


@lru_cache(4)
def _bytes(address: str) -> bytes:
    return orjson.dumps(document(address))


@without_guards.get("/v1/openapi.json")
@contract(gives=schemas.DOCUMENT)
async def get_document(ctx: RequestContext) -> web.Response:
    """Describe the service to programs."""
    return Response(body=_bytes(ctx.services.settings.public_url), content_type="application/json")
