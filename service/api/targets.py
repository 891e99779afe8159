"""Push targets of the member: devices that register for the app's own messages. None is sent from here."""

from aiohttp import web

from service import ids
from service.accounts import members
from service.accounts import targets as rules
from service.clientinfo import user_agents
from service.errors import TargetExists, TargetLimit, TargetNotFound
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.fields import ident
from service.http.request_body import Body, read
from service.http.routing import contract, limited, member
from service.http.target_fields import Identifier, NewTargetId, ProviderId
from service.rate_limiter import HOUR
from service.store import events, targets
from service.store.events import Event
from service.store.targets import NewTarget, Target

_NAME = 128


class CreatePushTarget(Body):
    targetId: NewTargetId  # noqa: N815 - the contract's spelling
    identifier: Identifier
    providerId: ProviderId | None = None  # noqa: N815 - the contract's spelling


@member.post("/v1/account/targets/push")
@limited(60, HOUR, by="user")
@contract(takes=CreatePushTarget, gives=schemas.TARGET, status=201, raises=(TargetExists, TargetLimit))
async def create_push_target(ctx: RequestContext) -> web.Response:
    """Register the device of this session; the target ends with the session.

    A device that another user had registered is this user's from now on.
    """
    body = await read(ctx, CreatePushTarget)
    new = NewTarget(
        id=ids.given(body.targetId),
        provider_type="push",
        identifier=body.identifier,
        provider_id=body.providerId or None,
        name=_device(ctx),
        session_id=ctx.member.session_id,
    )
    async with ctx.unit_of_work() as tx:
        await targets.claim(tx, ctx.project.id, provider_type="push", identifier=new.identifier)
        user = await members.lock(ctx, tx)
        created = await rules.register(tx, user, new)
        await events.record(tx, ctx.project.id, event=Event.TARGET_CREATE, user_id=user.id, by=ctx.client)
    return _response(ctx, created, 201)


class UpdatePushTarget(Body):
    identifier: Identifier


@member.put("/v1/account/targets/{targetId}/push")
@limited(60, HOUR, by="user", shared="create_push_target")
@contract(takes=UpdatePushTarget, gives=schemas.TARGET, raises=(TargetNotFound, TargetExists))
async def update_push_target(ctx: RequestContext) -> web.Response:
    """Set the new token of a device, as after its push service has changed it."""
    body, target_id = await read(ctx, UpdatePushTarget), ident(ctx, "targetId")
    async with ctx.unit_of_work() as tx:
        await targets.claim(tx, ctx.project.id, provider_type="push", identifier=body.identifier)
        user = await members.lock(ctx, tx)
        changed = await rules.change(
            tx, user, target_id, provider_type="push", identifier=body.identifier, name=_device(ctx)
        )
        await events.record(tx, ctx.project.id, event=Event.TARGET_UPDATE, user_id=user.id, by=ctx.client)
    return _response(ctx, changed)


@member.delete("/v1/account/targets/{targetId}/push")
@limited(60, HOUR, by="user", shared="create_push_target")
@contract(raises=(TargetNotFound,))
async def delete_push_target(ctx: RequestContext) -> web.Response:
    """Delete the target of a device, of another session of the member's too."""
    target_id = ident(ctx, "targetId")
    async with ctx.unit_of_work() as tx:
        user = await members.lock(ctx, tx)
        await rules.remove(tx, user, target_id, provider_type="push")
        await events.record(tx, ctx.project.id, event=Event.TARGET_DELETE, user_id=user.id, by=ctx.client)
    return responses.nothing()


def _device(ctx: RequestContext) -> str:
    """Return brand and model of the client's device, as far as its user agent tells."""
    device = user_agents.parse(ctx.client.user_agent)
    return f"{device.device_brand} {device.device_model}".strip()[:_NAME]


def _response(ctx: RequestContext, found: Target, status: int = 200) -> web.Response:
    return responses.json(schemas.TARGET.render(ctx.api_version, found), status)
