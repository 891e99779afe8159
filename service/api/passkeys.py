"""Passkeys of the member: each is made by a browser or a phone, in a ceremony of two requests."""

from aiohttp import web

from service import ids
from service.accounts import factors, members, ways_in
from service.accounts import passkeys as ceremonies
from service.crypto import passkey_ceremonies
from service.crypto.passkey_ceremonies import CredentialInvalid
from service.errors import (
    CursorNotFound,
    LastWayIn,
    MethodDisabled,
    PasskeyExists,
    PasskeyInvalid,
    PasskeyLimit,
    PasskeyNotFound,
    QueryInvalid,
    TokenInvalid,
)
from service.http import responses, schemas, short_lists
from service.http.context import RequestContext
from service.http.fields import Credential, Name, NewPasskeyId, NonemptyName, ident
from service.http.request_body import Body, read
from service.http.routing import contract, limited, member, requires
from service.rate_limiter import HOUR
from service.store import events, passkey_challenges, passkeys
from service.store.events import Event


class CreatePasskey(Body):
    passkeyId: NewPasskeyId | None = None  # noqa: N815 - the contract's spelling
    name: Name | None = None


@member.post("/v1/account/passkeys")
@requires("recent")
@limited(10, HOUR, by="user")
@contract(
    takes=CreatePasskey,
    gives=schemas.PASSKEY_CHALLENGE,
    status=201,
    raises=(MethodDisabled, PasskeyExists, PasskeyLimit),
)
async def create_passkey(ctx: RequestContext) -> web.Response:
    """Begin to make a passkey: `publicKey` is for `navigator.credentials.create()`, within five minutes.

    With the id of a passkey that the member has begun before, that one is begun anew.
    """
    body, party = await read(ctx, CreatePasskey), ceremonies.require(ctx)
    await passkey_ceremonies.load()
    passkey_id = ids.given(body.passkeyId)
    async with ctx.unit_of_work() as tx:
        user = await members.lock(ctx, tx)
        if await passkeys.is_taken(tx, ctx.project.id, passkey_id=passkey_id):
            raise PasskeyExists
        await passkey_challenges.delete_earlier(tx, user, passkey_id=passkey_id)
        if await passkey_challenges.count_passkeys(tx, user) >= ceremonies.MOST:
            raise PasskeyLimit
        begun = await passkey_challenges.begin_registration(
            tx, user, party=party, passkey_id=passkey_id, name=body.name or ""
        )
        if begun is None:
            raise PasskeyExists
        handle, known = await passkeys.ensure_handle(tx, user), await passkeys.list_all(tx, user)
    options = ceremonies.registration_options(ctx, user, begun, handle=handle, known=known)
    return responses.json(schemas.PASSKEY_CHALLENGE.render(ctx.api_version, begun, public_key=options), 201)


class UpdatePasskeyVerification(Body):
    credential: Credential


@member.put("/v1/account/passkeys/{passkeyId}/verification")
@requires("recent")
@limited(10, HOUR, by="user")
@contract(
    takes=UpdatePasskeyVerification,
    gives=schemas.PASSKEY,
    raises=(PasskeyNotFound, TokenInvalid, PasskeyInvalid, PasskeyExists),
)
async def update_passkey_verification(ctx: RequestContext) -> web.Response:
    """Finish a passkey with what the browser returned. Each answer uses the challenge up, a wrong one too."""
    body, passkey_id = await read(ctx, UpdatePasskeyVerification), ident(ctx, "passkeyId")
    if not await passkey_challenges.has_registration(ctx.pool, ctx.member, passkey_id=passkey_id):
        raise PasskeyNotFound
    begun = await passkey_challenges.use_registration(ctx.pool, ctx.member, passkey_id=passkey_id)
    expected = ceremonies.expected(ctx, begun)
    if begun is None:
        raise TokenInvalid
    await passkey_ceremonies.load()
    try:
        credential = passkey_ceremonies.verify_registration(body.credential, expected)
    except CredentialInvalid:
        raise PasskeyInvalid from None
    async with ctx.unit_of_work() as tx:
        user = await members.lock(ctx, tx)
        made = await passkeys.create(tx, user, passkey_id=passkey_id, name=begun.name, credential=credential)
        if made is None:
            raise PasskeyExists
        await passkey_challenges.finish_registration(tx, begun)
        await factors.record_change(ctx, tx, user, Event.PASSKEY_CREATE, "passkey_added")
    return responses.json(schemas.PASSKEY.render(ctx.api_version, made))


@member.get("/v1/account/passkeys")
@contract(
    gives=schemas.PASSKEY_LIST,
    query=(schemas.PASSKEY_QUERIES, schemas.TOTAL),
    raises=(QueryInvalid, CursorNotFound),
)
async def list_passkeys(ctx: RequestContext) -> web.Response:
    """List the member's passkeys, oldest first unless asked for otherwise."""
    return short_lists.render_passkeys(ctx, await passkeys.list_all(ctx.pool, ctx.member))


@member.get("/v1/account/passkeys/{passkeyId}")
@contract(gives=schemas.PASSKEY, raises=(PasskeyNotFound,))
async def get_passkey(ctx: RequestContext) -> web.Response:
    """Return one of the member's passkeys."""
    found = await passkeys.find(ctx.pool, ctx.member, passkey_id=ident(ctx, "passkeyId"))
    if found is None:
        raise PasskeyNotFound
    return responses.json(schemas.PASSKEY.render(ctx.api_version, found))


class UpdatePasskey(Body):
    name: NonemptyName


@member.patch("/v1/account/passkeys/{passkeyId}")
@limited(100, HOUR, by="user")
@contract(takes=UpdatePasskey, gives=schemas.PASSKEY, raises=(PasskeyNotFound,))
async def update_passkey(ctx: RequestContext) -> web.Response:
    """Set the name of a passkey, by which its user tells it from others."""
    body, passkey_id = await read(ctx, UpdatePasskey), ident(ctx, "passkeyId")
    async with ctx.unit_of_work() as tx:
        user = await members.lock(ctx, tx)
        found = await passkeys.rename(tx, user, passkey_id=passkey_id, name=body.name)
        if found is None:
            raise PasskeyNotFound
        await events.record(tx, ctx.project.id, event=Event.PASSKEY_UPDATE, user_id=user.id, by=ctx.client)
    return responses.json(schemas.PASSKEY.render(ctx.api_version, found))


@member.delete("/v1/account/passkeys/{passkeyId}")
@requires("recent")
@limited(100, HOUR, by="user")
@contract(raises=(PasskeyNotFound, LastWayIn))
async def delete_passkey(ctx: RequestContext) -> web.Response:
    """Remove a passkey, unless it is the only way into the account. It may stay on the device, and opens nothing."""
    async with ctx.unit_of_work() as tx:
        user = await members.lock(ctx, tx)
        await ceremonies.remove(tx, user, ident(ctx, "passkeyId"))
        await ways_in.check_any(tx, user)
        await factors.record_change(ctx, tx, user, Event.PASSKEY_DELETE, "passkey_removed")
    return responses.nothing()
