"""Query parameters of a sign-in by a provider: those of its start, and what the provider sends back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from service.errors import BadRequest
from service.http.context import RequestContext
from service.http.request_body import unfit_parameter

_SCOPES, _SCOPE, _STATE = 100, 4096, 256
_PRINTABLE = re.compile(r"[ -~]*")
# What a provider may send back. Each is handed on as it came; Apple's `user` has the name.
_RETURNED = {"code": 2048, "state": 2048, "error": 256, "error_description": 1024, "iss": 1024, "user": 1024}


@dataclass(frozen=True, slots=True)
class Returned:
    """Answer of a provider; "" for what it left out, but None for `iss`."""

    code: str
    state: str
    error: str
    description: str
    iss: str | None
    user: str


def one(ctx: RequestContext, name: str) -> str:
    """Return a parameter, "" without it. Raises ArgumentInvalid where it is named twice."""
    values = ctx.request.query.getall(name, [])
    if len(values) > 1:
        raise unfit_parameter(ctx, name, "Value must be given once")
    return values[0] if values else ""


def scopes(ctx: RequestContext) -> list[str]:
    """Return the scopes that are asked for; one value may hold several, as a provider's own parameter does."""
    given = [text for name, text in ctx.request.query.items() if name.partition("[")[0] == "scopes"]
    if len(given) > _SCOPES or any(len(text) > _SCOPE or not _PRINTABLE.fullmatch(text) for text in given):
        text = f"Value must be at most {_SCOPES} items of printable ASCII, each at most {_SCOPE} chars"
        raise unfit_parameter(ctx, "scopes", text)
    found = [word for text in given for word in text.split()]
    if any('"' in word or "\\" in word for word in found):
        raise unfit_parameter(ctx, "scopes", "Value must not contain quotes or backslashes")
    return list(dict.fromkeys(found))


def app_state(ctx: RequestContext) -> str:
    """Return the app's own state, which it gets back at the end."""
    text = one(ctx, "state")
    if len(text) > _STATE or not _PRINTABLE.fullmatch(text):
        fault = f"Value must be printable ASCII and at most {_STATE} chars"
        raise unfit_parameter(ctx, "state", fault)
    return text


def handed_on(given: Mapping[str, object]) -> dict[str, str]:
    """Choose what a callback hands on; the rest is of no use, and nobody says what it would do."""
    found = {name: value for name in _RETURNED if isinstance(value := given.get(name), str) and value}
    if len(found.get("iss", "")) > _RETURNED["iss"]:
        # Not left out: it is not the issuer, and must not be taken for none.
        found["iss"] = "-"
    return {name: value for name, value in found.items() if len(value) <= _RETURNED[name]}


def handed_on_query(ctx: RequestContext) -> dict[str, str]:
    """Choose from a query, as above. Raises BadRequest for a parameter twice (RFC 6749, 3.1)."""
    query = ctx.request.query
    if any(len(query.getall(name, [])) > 1 for name in _RETURNED):
        raise BadRequest
    return handed_on(query)


def returned(ctx: RequestContext) -> Returned:
    """Read what a provider has sent back. Raises BadRequest for what two readers could understand differently."""
    found = handed_on_query(ctx)
    return Returned(
        code=found.get("code", ""),
        state=found.get("state", ""),
        error=found.get("error", ""),
        description=found.get("error_description", ""),
        iss=found.get("iss"),
        user=found.get("user", ""),
    )
