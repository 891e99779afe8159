"""Errors of each route; most follow from its access, limits and body, and are stated here once."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from service.errors import (
    AccountError,
    ArgumentInvalid,
    BodyEncoded,
    BodyTooLarge,
    BodyTooSlow,
    ChallengeRequired,
    JwtAndCookie,
    JwtInvalid,
    KeyExpired,
    MethodNotAllowed,
    MoreFactorsRequired,
    OriginUnknown,
    Overloaded,
    ProjectNotFound,
    ReauthenticationRequired,
    RouteNotFound,
    ScopeMissing,
    SessionExists,
    TooManyRequests,
    UserBlocked,
)
from service.http.openapi.parts import COUNTED, ON_ALL, Json, headers, reference
from service.http.routing import Route
from service.version import VERSION

Refusal = type[AccountError]
Shared = Mapping[int, frozenset[str]]


def of(route: Route) -> dict[int, list[Refusal]]:
    """List a route's errors by status, in either API version."""
    found: defaultdict[int, list[Refusal]] = defaultdict(list)
    for refusal in dict.fromkeys(_all(route)):
        for status in {refusal.status, refusal.legacy_status or refusal.status}:
            found[status].append(refusal)
    return dict(sorted(found.items()))


def _all(route: Route) -> Iterator[Refusal]:
    yield from (AccountError, Overloaded)
    if route.access == "open":
        return
    # The guards run on every route, so a bad JWT is refused where none is needed.
    yield ArgumentInvalid  # a project that is named twice
    yield from (ProjectNotFound, OriginUnknown, JwtInvalid, JwtAndCookie, KeyExpired, ScopeMissing, UserBlocked)
    if route.access == "member" and route.gated:
        yield MoreFactorsRequired
    if route.proof:
        yield ReauthenticationRequired if route.proof == "recent" else ChallengeRequired
    if route.limits:
        yield TooManyRequests
    if route.opens_session:
        yield SessionExists
    if route.contract.request or any(limit.by not in ("ip", "network", "user", "project") for limit in route.limits):
        yield from (BodyTooLarge, BodyTooSlow, BodyEncoded)
    if "{" in route.paths[0]:
        yield from (RouteNotFound, MethodNotAllowed)  # a slash in an id, or none at all, makes another path of it
    yield from route.contract.raises


def shared(routes: list[Route]) -> Shared:
    """Return for each status the types that all routes with it have in common."""
    found: dict[int, list[frozenset[str]]] = defaultdict(list)
    for route in routes:
        for status, kinds in of(route).items():
            found[status].append(_types(kinds))
    return {status: frozenset.intersection(*types) for status, types in found.items()}


def schemas(routes: list[Route], common: Shared) -> Json:
    """Make one schema for each status and set of types; generated clients get a class for each, and not one a route."""
    return dict(
        sorted(
            (_schema_name(status, kinds, common), _schema(status, kinds))
            for route in routes
            for status, kinds in of(route).items()
        )
    )


def _types(kinds: list[Refusal]) -> frozenset[str]:
    return frozenset(kind.type for kind in kinds)


def _schema_name(status: int, kinds: list[Refusal], common: Shared) -> str:
    """Name a schema: `Error404UserNotFound` has that type besides those of `Error404`."""
    own = sorted(_types(kinds) - common[status]) if _types(kinds) != common[status] else []
    return f"Error{status}" + "".join(word.title() for name in own for word in name.split("_"))


def _schema(status: int, kinds: list[Refusal]) -> Json:
    # With their JSON types, and no const: generators merge this with the schema of all errors.
    exact = {
        "code": {"type": "integer", "enum": [status]},
        "type": {"type": "string", "enum": sorted(_types(kinds))},
    }
    return {"allOf": [reference("schemas", "Error"), {"type": "object", "properties": exact}]}


def response(status: int, kinds: list[Refusal], route: Route, common: Shared) -> Json:
    """Describe a refusal with exactly the types that this route gives with this status."""
    pairs = [(kind, legacy) for kind in kinds for legacy in (False, True) if kind().render(legacy=legacy)[0] == status]
    names = dict.fromkeys(_example_name(kind, legacy=legacy) for kind, legacy in pairs)
    content = {
        "schema": reference("schemas", _schema_name(status, kinds, common)),
        "examples": {name: reference("examples", name) for name in names},
    }
    sentences = dict.fromkeys(kind().render(legacy=False)[1].removesuffix(".") + "." for kind in kinds)
    extra = ("Retry-After", *COUNTED) if status == TooManyRequests.status and route.limits else ()
    return {"description": " ".join(sentences), **headers((*ON_ALL, *extra)), "content": {"application/json": content}}


def _example_name(kind: Refusal, *, legacy: bool) -> str:
    """Name an example; the API versions share it where they agree."""
    same = kind().render(legacy=True) == kind().render(legacy=False)
    return kind.__name__ + ("Legacy" if legacy and not same else "")


def examples(routes: list[Route]) -> Json:
    """Make an example of each error, in both API versions."""
    kinds = {kind for route in routes for found in of(route).values() for kind in found}
    found: Json = {}
    for kind in sorted(kinds, key=lambda kind: (kind.status, kind.__name__)):
        for legacy in (False, True):
            status, message = kind().render(legacy=legacy)
            value = {"message": message, "code": status, "type": kind.type, "version": VERSION}
            found[_example_name(kind, legacy=legacy)] = {"value": value}
    return found
