"""Authenticator apps of the member."""

from aiohttp import web

from service.accounts import factors, members, wrong_codes
from service.crypto import totp
from service.errors import (
    ArgumentInvalid,
    AuthenticatorNotFound,
    AuthenticatorVerified,
    FactorDisabled,
    TokenInvalid,
)
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.fields import Otp
from service.http.request_body import Body, read, unfit_parameter
from service.http.routing import contract, limited, member, requires
from service.rate_limiter import HOUR
from service.store import authenticators, sessions
from service.store.events import Event


def check_type(ctx: RequestContext) -> None:
    """Raise ArgumentInvalid for another type than the only one, which may be in any case."""
    if ctx.path["type"].lower() != "totp":
        raise unfit_parameter(ctx, "type", "Value must be one of (totp)")


@member.post("/v1/account/mfa/authenticators/{type}")
@requires("fresh_if_mfa")
@limited(10, HOUR, by="user")
@contract(gives=schemas.MFA_TYPE, raises=(ArgumentInvalid, AuthenticatorVerified, FactorDisabled))
async def create_mfa_authenticator(ctx: RequestContext) -> web.Response:
    """Make the secret of an authenticator app. It counts once a first code has come; an earlier one that waits goes."""
    check_type(ctx)
    factors.check_allowed(ctx.project, "totp")
    secret = totp.new_secret()
    async with ctx.unit_of_work() as tx:
        user = await members.lock(ctx, tx)
        if await authenticators.is_verified(tx, user):
            raise AuthenticatorVerified
        await authenticators.create(tx, ctx.services.ring, user, secret=secret)
    uri = totp.uri(secret, issuer=ctx.project.name, label=user.label)
    return responses.json({"secret": secret.reveal(), "uri": uri.reveal()})


class UpdateAuthenticator(Body):
    otp: Otp


@member.put("/v1/account/mfa/authenticators/{type}")
@requires("fresh_if_mfa")
@limited(10, HOUR, by="user")
@contract(
    takes=UpdateAuthenticator,
    gives=schemas.USER,
    raises=(ArgumentInvalid, AuthenticatorNotFound, AuthenticatorVerified, TokenInvalid),
)
async def update_mfa_authenticator(ctx: RequestContext) -> web.Response:
    """Prove that the app has the secret, by a first code. It is a second factor then, of this session too."""
    check_type(ctx)
    body = await read(ctx, UpdateAuthenticator)
    found = await authenticators.find(ctx.pool, ctx.member)
    if found is None:
        raise AuthenticatorNotFound
    if found.verified:
        raise AuthenticatorVerified
    last = await wrong_codes.charge_member(ctx, "code")
    step = factors.step_of(ctx, found, body.otp.reveal())
    if step is None:
        await factors.record_wrong_answer(ctx, last=last)
        raise TokenInvalid
    async with ctx.unit_of_work() as tx:
        user = await members.lock(ctx, tx)
        if not await authenticators.verify(tx, found, step=step):
            raise TokenInvalid
        await sessions.record_second_proof(tx, user, session_id=user.session_id, factor="totp")
        await factors.record_change(ctx, tx, user, Event.AUTHENTICATOR_CREATE, "authenticator_added")
    return responses.json(responses.user(ctx, user))


@member.delete("/v1/account/mfa/authenticators/{type}")
@requires("fresh")
@limited(10, HOUR, by="user")
@contract(raises=(ArgumentInvalid, AuthenticatorNotFound))
async def delete_mfa_authenticator(ctx: RequestContext) -> web.Response:
    """Remove the authenticator app. Second factors stay switched on, and other ones are asked for."""
    check_type(ctx)
    async with ctx.unit_of_work() as tx:
        user = await members.lock(ctx, tx)
        if not await authenticators.remove(tx, user):
            raise AuthenticatorNotFound
        await factors.record_change(ctx, tx, user, Event.AUTHENTICATOR_DELETE, "authenticator_removed")
    return responses.nothing()
