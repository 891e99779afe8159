"""A user's targets, for a server that holds an API key: the app's own sender reads from here where to send."""

from typing import Any

from aiohttp import web

from service import ids
from service.accounts import target_admin
from service.api.users import admin_context, find_or_raise
from service.errors import (
    CursorNotFound,
    OwnTarget,
    QueryInvalid,
    TargetExists,
    TargetLimit,
    TargetNotFound,
    UserNotFound,
)
from service.http import responses, schemas, short_lists
from service.http.context import RequestContext
from service.http.fields import Name, ident
from service.http.request_body import Body, read
from service.http.routing import contract, users_read, users_write
from service.http.target_fields import Identifier, NewTargetId, ProviderId, TargetType, check_identifier
from service.store import targets
from service.store.targets import NewTarget, Target


@users_read.get("/v1/users/{userId}/targets")
@contract(
    gives=schemas.TARGET_LIST,
    query=(schemas.TARGET_QUERIES, schemas.TOTAL),
    raises=(UserNotFound, QueryInvalid, CursorNotFound),
)
async def list_user_targets(ctx: RequestContext) -> web.Response:
    """List a user's targets: the account's own address and number, then others, oldest first."""
    return short_lists.render_targets(ctx, targets.list_of(await find_or_raise(ctx)))


class CreateUserTarget(Body):
    targetId: NewTargetId  # noqa: N815 - the contract's spelling
    providerType: TargetType  # noqa: N815 - the contract's spelling
    identifier: Identifier
    providerId: ProviderId | None = None  # noqa: N815 - the contract's spelling
    name: Name | None = None


@users_write.post("/v1/users/{userId}/targets")
@contract(takes=CreateUserTarget, gives=schemas.TARGET, status=201, raises=(UserNotFound, TargetExists, TargetLimit))
async def create_user_target(ctx: RequestContext) -> web.Response:
    """Register a target for a user; it stays until it is deleted."""
    body = await read(ctx, CreateUserTarget)
    new = NewTarget(
        id=ids.given(body.targetId),
        provider_type=body.providerType,
        identifier=check_identifier(ctx, body.providerType, body.identifier),
        provider_id=body.providerId or None,
        name=body.name or "",
    )
    created = await target_admin.create(admin_context(ctx), ident(ctx, "userId"), new)
    return responses.json(_shown(ctx, created), 201)


@users_read.get("/v1/users/{userId}/targets/{targetId}")
@contract(gives=schemas.TARGET, raises=(UserNotFound, TargetNotFound))
async def get_user_target(ctx: RequestContext) -> web.Response:
    """Return one of a user's targets."""
    return responses.json(_shown(ctx, await _find(ctx)))


class UpdateUserTarget(Body):
    identifier: Identifier | None = None
    providerId: ProviderId | None = None  # noqa: N815 - the contract's spelling
    name: Name | None = None


@users_write.patch("/v1/users/{userId}/targets/{targetId}")
@contract(takes=UpdateUserTarget, gives=schemas.TARGET, raises=(UserNotFound, TargetNotFound, TargetExists, OwnTarget))
async def update_user_target(ctx: RequestContext) -> web.Response:
    """Change a user's target."""
    body, found = await read(ctx, UpdateUserTarget), await _find(ctx)
    identifier = check_identifier(ctx, found.provider_type, body.identifier) if body.identifier else None
    changed = await target_admin.change(
        admin_context(ctx), found, identifier=identifier, provider_id=body.providerId, name=body.name
    )
    return responses.json(_shown(ctx, changed))


@users_write.delete("/v1/users/{userId}/targets/{targetId}")
@contract(raises=(UserNotFound, TargetNotFound, OwnTarget))
async def delete_user_target(ctx: RequestContext) -> web.Response:
    """Delete a user's target."""
    await target_admin.remove(admin_context(ctx), ident(ctx, "userId"), ident(ctx, "targetId"))
    return responses.nothing()


async def _find(ctx: RequestContext) -> Target:
    """Find the target that the path names, the account's own too."""
    known = targets.list_of(await find_or_raise(ctx))
    found = next((each for each in known if each.id == ident(ctx, "targetId")), None)
    if found is None:
        raise TargetNotFound
    return found


def _shown(ctx: RequestContext, found: Target) -> dict[str, Any]:
    return schemas.TARGET.render(ctx.api_version, found)
