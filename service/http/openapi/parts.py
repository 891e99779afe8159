"""Parts that operations share: schemas, parameters, headers and ways of authentication."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from service.http import schemas
from service.http.openapi import samples
from service.http.routing import Route
from service.http.schemas import Parameter

Json = dict[str, Any]
_SCHEMES = {
    "Project": ("header", "X-Appwrite-Project", "The project's id; every request needs it"),
    "Session": ("header", "X-Appwrite-Session", "The value of the session cookie, for servers"),
    "Cookie": ("cookie", "a_session_PROJECT", "Set at sign-in; PROJECT is the project's id in lower case"),
    "FallbackCookies": (
        "header",
        "X-Fallback-Cookies",
        "What the answer at sign-in carried, where cookies are blocked",
    ),
    "Jwt": ("header", "X-Appwrite-JWT", "A JWT made by `POST /v1/account/jwts`"),
    "Key": ("header", "X-Appwrite-Key", "A server's key, with the route's scope; no limit counts it"),
}
_OF_REQUESTS = {
    "format": Parameter(
        "X-Appwrite-Response-Format",
        "The SDK's format; chooses the API version",
        {"type": "string", "pattern": r"^\d{1,4}\.\d{1,4}(\.\d{1,4})?$", "examples": ["1.9.5", "0.11.0"]},
    ),
    "locale": Parameter(
        "X-Appwrite-Locale", "Language of country names and mails", {"type": "string", "examples": ["en"]}
    ),
    "invitation": Parameter(
        "X-Invitation",
        "The code of an invitation, where the project asks for one",
        {"type": "string", "maxLength": 64, "examples": ["7k2qd-0m4vx-r8t1c-5ynzb-e3wfh"]},
    ),
}
_ID = {"type": "string", "pattern": "^[a-zA-Z0-9][a-zA-Z0-9._-]*$", "minLength": 1, "maxLength": 36}
_PATHS = (
    Parameter("sessionId", "The id of a session, or `current`", {**_ID, "examples": ["current"]}),
    Parameter("type", "The type of an authenticator: `totp`", {"type": "string", "examples": ["totp"]}),
    Parameter("challengeId", "The id of a challenge", {**_ID, "examples": ["66e1c3d2a4b5968778a9"]}),
    Parameter("passkeyId", "The id of a passkey", {**_ID, "examples": ["66e1c3d2a4b5968778a9"]}),
    Parameter("targetId", "The id of a target", {**_ID, "examples": ["66e1c3d2a4b5968778a9"]}),
    Parameter("userId", "The id of a user", {**_ID, "examples": ["66e1c3d2a4b5968778a9"]}),
    Parameter("invitationId", "The id of an invitation", {**_ID, "examples": ["66e1c3d2a4b5968778a9"]}),
    Parameter("identityId", "The id of an identity", {**_ID, "examples": ["66e1c3d2a4b5968778a9"]}),
    Parameter(
        "provider",
        "The name of a provider",
        {"type": "string", "pattern": "^[a-zA-Z0-9-]{1,64}$", "examples": ["google"]},
    ),
    Parameter("consentId", "The id of a consent", {**_ID, "examples": ["none"]}),
    Parameter("tokenId", "The id of a consent's token", {**_ID, "examples": ["none"]}),
)
ON_ALL = ("X-Request-Id",)
COUNTED = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_HEADERS = {
    "X-Request-Id": ("Names the request in our log", {"type": "string", "minLength": 1}),
    "X-RateLimit-Limit": ("Calls that the tightest window of the caller's own allows", {"type": "integer"}),
    "X-RateLimit-Remaining": ("Calls left in it", {"type": "integer"}),
    "X-RateLimit-Reset": ("Unix seconds when a place falls free", {"type": "integer"}),
    "Retry-After": ("Seconds to wait", {"type": "integer"}),
    "X-Fallback-Cookies": ("The session, where cookies may be blocked; `[]` forgets it", {"type": "string"}),
}


class _Schemas(GenerateJsonSchema):
    """Schema generator without the titles that repeat a field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False


def reference(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def parameter(place: str, described: Parameter) -> Json:
    needed = {"required": True} if place == "path" else {}
    words = {"name": described.name, "in": place, "description": described.description}
    return {**words, "schema": described.schema, **needed}


def headers(names: Iterable[str]) -> Json:
    return {"headers": {name: reference("headers", name) for name in names}}


@dataclass(frozen=True, slots=True)
class Schemas:
    """Every model once; `names` are the models' names in the document."""

    found: Json
    names: Mapping[type[Any], str]

    def reference(self, model: type[BaseModel]) -> Json:
        return reference("schemas", self.names[model])

    def sample(self, model: type[BaseModel]) -> Any:
        return samples.of(self.reference(model), self.found)


def schemas_of(routes: list[Route]) -> Schemas:
    """Collect the schemas: validation for bodies, serialization for responses."""
    models: dict[type[BaseModel], JsonSchemaMode] = {schemas.Error: "serialization"}
    for terms in (route.contract for route in routes):
        if terms.request:
            models[terms.request] = "validation"
        for model in terms.response.renderings if terms.response else ():
            models[model] = "serialization"
    names, found = models_json_schema(
        list(models.items()), ref_template="#/components/schemas/{model}", schema_generator=_Schemas
    )
    return Schemas(found["$defs"], {model: name["$ref"].rpartition("/")[2] for (model, _), name in names.items()})


def shared() -> Json:
    """List the components that don't depend on the routes."""
    return {
        "parameters": {
            **{name: parameter("header", described) for name, described in _OF_REQUESTS.items()},
            **{described.name: parameter("path", described) for described in _PATHS},
        },
        "headers": {name: {"description": text, "schema": kind} for name, (text, kind) in _HEADERS.items()},
        "securitySchemes": {
            name: {"type": "apiKey", "in": place, "name": header, "description": text}
            for name, (place, header, text) in _SCHEMES.items()
        },
    }
