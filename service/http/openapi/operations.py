"""One route as an operation: request, responses, and links from a response to other routes."""

import inspect
import re

from pydantic import BaseModel

from service.http import schemas
from service.http.openapi import refusals
from service.http.openapi.parts import COUNTED, ON_ALL, Json, Schemas, headers, parameter, reference
from service.http.routing import Limit, Route

_FORMS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")
_AUTHENTICATION: dict[str, list[str]] = {
    "public": ["", "Session", "Cookie", "FallbackCookies", "Jwt", "Key"],
    "member": ["Session", "Cookie", "FallbackCookies", "Jwt"],
    "key": ["Key"],
}
# Routes that make accounts, or ask for what makes one.
_FOR_THE_INVITED = frozenset(
    {
        "create_account",
        "create_anonymous_session",
        "create_email_token",
        "create_id_token_session",
        "create_magic_url",
        "create_oauth2_session",
        "create_oauth2_token",
        "create_phone_token",
        "keep_invitation",
    }
)
# The id in a response becomes another route's path.
_IDS = {
    "sessionId": {schemas.SESSION: "$response.body#/$id", schemas.SESSION_LIST: "$response.body#/sessions/0/$id"},
    "userId": {schemas.USER: "$response.body#/$id"},
    "invitationId": {schemas.INVITATION: "$response.body#/$id"},
}


def make(route: Route, number: int, routes: list[Route], *, components: Schemas, common: refusals.Shared) -> Json:
    summary, text = words(route.handler)
    terms = route.contract
    parts: Json = {
        "operationId": name_of(route, number),
        "tags": [tag(route)],
        "summary": summary,
        "description": text,
        "parameters": [reference("parameters", name) for name in _parameter_names(route)]
        + [parameter("query", each) for each in terms.query],
        "responses": _responses(route, routes, components, common),
        "security": _security(route),
    }
    if terms.request:
        parts["requestBody"] = _request_body(terms.request, components)
    if route.limits:
        parts["x-rate-limits"] = [_limit(limit) for limit in route.limits]
    if route.access == "key":
        parts["x-scope"] = route.scope
    if route.proof:
        parts["x-proof"] = route.proof
    if number:
        parts["x-same-as"] = route.name
    if terms.refuses:
        parts["x-refuses"] = True
    return parts


def name_of(route: Route, number: int) -> str:
    """Make the operation's id: the handler's name, with a number at the route's later paths."""
    return f"{route.name}_{number + 1}" if number else route.name


def tag(route: Route) -> str:
    """Tag of a route: the name of its file."""
    return route.handler.__module__.rpartition(".")[2].replace("_", " ")


def words(thing: object) -> tuple[str, str]:
    """Return the first line and the whole text of a docstring."""
    text = inspect.getdoc(thing) or ""
    return text.partition("\n")[0], text


def _parameter_names(route: Route) -> list[str]:
    of_all = [] if route.access == "open" else ["format", "locale"]
    of_some = ["invitation"] if route.name in _FOR_THE_INVITED else []
    return re.findall(r"{(\w+)}", route.paths[0]) + of_all + of_some


def _security(route: Route) -> list[dict[str, list[str]]]:
    """List the alternatives for authentication; each needs a project."""
    return [{"Project": [], **({way: []} if way else {})} for way in _AUTHENTICATION.get(route.access, ())]


def _request_body(model: type[BaseModel], components: Schemas) -> Json:
    media = {"schema": components.reference(model), "examples": {"usual": {"value": components.sample(model)}}}
    needed = any(field.is_required() for field in model.model_fields.values())
    return {"required": needed, "content": dict.fromkeys(_FORMS, media)}


def _limit(limit: Limit) -> Json:
    return {"calls": limit.rule.limit, "seconds": limit.rule.window, "by": limit.by}


def _responses(route: Route, routes: list[Route], components: Schemas, common: refusals.Shared) -> Json:
    refused = {
        str(status): refusals.response(status, kinds, route, common) for status, kinds in refusals.of(route).items()
    }
    if route.contract.refuses:
        return refused
    return {str(route.contract.status): _success(route, routes, components), **refused}


def _success(route: Route, routes: list[Route], components: Schemas) -> Json:
    gives = route.contract.response
    names = ON_ALL + (COUNTED if route.limits else ()) + (("X-Fallback-Cookies",) if route.opens_session else ())
    if gives is None:
        return {"description": "Done; there is nothing to say", **headers(names)}
    found = [components.reference(model) for model in gives.renderings]
    content = {
        "schema": {"oneOf": found} if len(found) > 1 else found[0],
        "examples": {model.__name__: {"value": components.sample(model)} for model in gives.renderings},
    }
    answer = {"description": gives.modern.__doc__ or gives.modern.__name__, **headers(names)}
    answer["content"] = {gives.media: content}
    return answer | ({"links": links} if (links := _links(route, routes)) else {})


def _links(route: Route, routes: list[Route]) -> Json:
    """List the links from the ids in a response to other routes."""
    gives = route.contract.response
    known = {name: f"$request.path.{name}" for name in re.findall(r"{(\w+)}", route.paths[0])}
    known |= {name: sources[gives] for name, sources in _IDS.items() if gives in sources}
    links: Json = {}
    for other in routes:
        wanted = set(re.findall(r"{(\w+)}", other.paths[0]))
        # A server's routes lead to a server's, a member's to a member's.
        if wanted and wanted <= known.keys() and (other.access == "key") == (route.access == "key"):
            links[other.name] = {
                "operationId": other.name,
                "parameters": {name: known[name] for name in sorted(wanted)},
            }
    if route.name == "create_account":
        proof = {name: f"$request.body#/{name}" for name in ("email", "password")}
        links["create_session"] = {"operationId": "create_session", "requestBody": proof}
    return links
