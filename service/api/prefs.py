"""The member's preferences: an object of the app's own, stored as sent."""

from typing import Annotated, Any

import orjson
from aiohttp import web
from pydantic import AfterValidator, BeforeValidator, Field

from service.accounts import members
from service.errors import ArgumentInvalid
from service.http import json_body, responses, schemas
from service.http.context import RequestContext
from service.http.fields import check_prefs, empty_list_is_object
from service.http.request_body import Body, read
from service.http.routing import contract, limited, member
from service.rate_limiter import HOUR
from service.store import events, users
from service.store.events import Event

_SIZE = 65_535
Prefs = Annotated[
    dict[str, Any],
    BeforeValidator(empty_list_is_object),
    AfterValidator(check_prefs),
    Field(examples=[{"theme": "pink"}]),
]


@member.get("/v1/account/prefs")
@contract(gives=schemas.PREFERENCES)
async def get_prefs(ctx: RequestContext) -> web.Response:
    """Return the bare object, `{}` when there is nothing in it."""
    return responses.json(orjson.Fragment(ctx.member.prefs))


class UpdatePrefs(Body):
    prefs: Prefs


@member.patch("/v1/account/prefs")
@limited(1000, HOUR, by="user")
@contract(takes=UpdatePrefs, gives=schemas.USER)
async def update_prefs(ctx: RequestContext) -> web.Response:
    """Change the preferences. Legacy: the given keys change, null removes one. Modern: the object is replaced."""
    body = await read(ctx, UpdatePrefs)
    async with ctx.unit_of_work() as tx:
        member = await members.lock(ctx, tx)
        prefs = serialize(body.prefs, member.prefs, merge=not ctx.api_version.modern)
        user = await users.change_prefs(tx, member, prefs=prefs)
        await events.record(tx, ctx.project.id, event=Event.PREFS_UPDATE, user_id=user.id, by=ctx.client)
    return responses.json(responses.user(ctx, user))


def serialize(given: dict[str, Any], earlier: str, *, merge: bool) -> str:
    """Serialize for the store; raises ArgumentInvalid for too much, in the words of the API version that merges."""
    raw = json_body.write(_merged(json_body.read(earlier.encode()), given) if merge else given)
    if len(raw) > _SIZE:
        named = "Invalid prefs" if merge else "Invalid `prefs` param"
        raise ArgumentInvalid(f"{named}: Value must not be larger than {_SIZE} bytes")
    return raw.decode()


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (old | new).items() if value is not None or name not in new}
