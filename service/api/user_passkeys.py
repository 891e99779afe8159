"""A user's passkeys, for a server that holds an API key."""

from aiohttp import web

from service.accounts import passkey_admin
from service.api.passkeys import UpdatePasskey
from service.api.users import admin_context, find_or_raise
from service.errors import CursorNotFound, PasskeyNotFound, QueryInvalid, UserNotFound
from service.http import responses, schemas, short_lists
from service.http.context import RequestContext
from service.http.fields import ident
from service.http.request_body import read
from service.http.routing import contract, users_read, users_write
from service.store import passkeys


@users_read.get("/v1/users/{userId}/passkeys")
@contract(
    gives=schemas.PASSKEY_LIST,
    query=(schemas.PASSKEY_QUERIES, schemas.TOTAL),
    raises=(UserNotFound, QueryInvalid, CursorNotFound),
)
async def list_user_passkeys(ctx: RequestContext) -> web.Response:
    """List a user's passkeys, oldest first unless asked for otherwise."""
    return short_lists.render_passkeys(ctx, await passkeys.list_all(ctx.pool, await find_or_raise(ctx)))


@users_read.get("/v1/users/{userId}/passkeys/{passkeyId}")
@contract(gives=schemas.PASSKEY, raises=(UserNotFound, PasskeyNotFound))
async def get_user_passkey(ctx: RequestContext) -> web.Response:
    """Return one of a user's passkeys."""
    user = await find_or_raise(ctx)
    found = await passkeys.find(ctx.pool, user, passkey_id=ident(ctx, "passkeyId"))
    if found is None:
        raise PasskeyNotFound
    return responses.json(schemas.PASSKEY.render(ctx.api_version, found))


@users_write.patch("/v1/users/{userId}/passkeys/{passkeyId}")
@contract(takes=UpdatePasskey, gives=schemas.PASSKEY, raises=(UserNotFound, PasskeyNotFound))
async def update_user_passkey(ctx: RequestContext) -> web.Response:
    """Set the name of a user's passkey."""
    body = await read(ctx, UpdatePasskey)
    found = await passkey_admin.rename(
        admin_context(ctx), ident(ctx, "userId"), passkey_id=ident(ctx, "passkeyId"), name=body.name
    )
    return responses.json(schemas.PASSKEY.render(ctx.api_version, found))


@users_write.delete("/v1/users/{userId}/passkeys/{passkeyId}")
@contract(raises=(UserNotFound, PasskeyNotFound))
async def delete_user_passkey(ctx: RequestContext) -> web.Response:
    """Remove a user's passkey, as after the loss of a device."""
    await passkey_admin.remove(admin_context(ctx), ident(ctx, "userId"), passkey_id=ident(ctx, "passkeyId"))
    return responses.nothing()
