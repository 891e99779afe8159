"""A user's second factors, for a server that holds an API key: the way out for a user who has lost one."""

from typing import Annotated

from aiohttp import web
from pydantic import Field

from service.accounts import factor_admin, factors
from service.api.mfa_authenticators import check_type
from service.api.mfa_recovery_codes import SHOWN_ONCE, hash_all
from service.api.users import admin_context, find_or_raise, user_response
from service.crypto import recovery_codes as codes
from service.errors import (
    ArgumentInvalid,
    AuthenticatorNotFound,
    RecoveryCodesExist,
    RecoveryCodesNotFound,
    TokenInvalid,
    UserNotFound,
)
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.fields import ident
from service.http.request_body import Body, read
from service.http.routing import contract, users_read, users_write
from service.store import recovery_codes


class UpdateUserMfa(Body):
    mfa: Annotated[bool, Field(examples=[False])]


@users_write.patch("/v1/users/{userId}/mfa")
@contract(takes=UpdateUserMfa, gives=schemas.MANAGED_USER, raises=(UserNotFound,))
async def update_user_mfa(ctx: RequestContext) -> web.Response:
    """Ask a user for a second factor from now on, in every session, or no more."""
    body = await read(ctx, UpdateUserMfa)
    return user_response(ctx, await factor_admin.change_mfa(admin_context(ctx), ident(ctx, "userId"), mfa=body.mfa))


@users_read.get("/v1/users/{userId}/mfa/factors")
@contract(gives=schemas.MFA_FACTORS, raises=(UserNotFound,))
async def get_user_mfa_factors(ctx: RequestContext) -> web.Response:
    """Tell which factors a user can prove."""
    found = await factors.find(ctx.pool, ctx.project, await find_or_raise(ctx), settings=ctx.services.settings)
    return responses.json(schemas.MFA_FACTORS.render(ctx.api_version, found))


@users_write.delete("/v1/users/{userId}/mfa/authenticators/{type}")
@contract(raises=(ArgumentInvalid, UserNotFound, AuthenticatorNotFound))
async def delete_user_mfa_authenticator(ctx: RequestContext) -> web.Response:
    """Remove a user's authenticator app, as after the loss of a phone."""
    check_type(ctx)
    await factor_admin.remove_authenticator(admin_context(ctx), ident(ctx, "userId"))
    return responses.nothing()


@users_read.get("/v1/users/{userId}/mfa/recovery-codes")
@contract(raises=(UserNotFound,), refuses=RecoveryCodesNotFound)
async def get_user_mfa_recovery_codes(ctx: RequestContext) -> web.Response:
    """Refuse: only hashes of the codes are kept."""
    await find_or_raise(ctx)
    raise RecoveryCodesNotFound(SHOWN_ONCE)


@users_write.patch("/v1/users/{userId}/mfa/recovery-codes")
@contract(gives=schemas.MFA_RECOVERY_CODES, raises=(UserNotFound, RecoveryCodesExist))
async def create_user_mfa_recovery_codes(ctx: RequestContext) -> web.Response:
    """Make recovery codes for a user who has none. They are shown this once."""
    return await _replace(ctx, had=False)


@users_write.put("/v1/users/{userId}/mfa/recovery-codes")
@contract(gives=schemas.MFA_RECOVERY_CODES, raises=(UserNotFound, RecoveryCodesNotFound))
async def update_user_mfa_recovery_codes(ctx: RequestContext) -> web.Response:
    """Make new recovery codes in the place of a user's earlier ones."""
    return await _replace(ctx, had=True)


async def _replace(ctx: RequestContext, *, had: bool) -> web.Response:
    user = await find_or_raise(ctx)
    if bool(await recovery_codes.count(ctx.pool, user)) != had:
        raise RecoveryCodesNotFound if had else RecoveryCodesExist
    made = codes.generate()
    hashes = await hash_all(ctx.services.passwords, made)
    await factor_admin.replace_recovery_codes(admin_context(ctx), user.id, hashes=hashes, had=had)
    return responses.json({"recoveryCodes": [codes.shown(code) for code in made]})


@users_read.get("/v1/users/{userId}/mfa/challenges/{challengeId}")
@contract(gives=schemas.MFA_CHALLENGE_SECRET, raises=(UserNotFound, TokenInvalid))
async def get_user_mfa_challenge(ctx: RequestContext) -> web.Response:
    """Return the code of a challenge of the custom factor, for the app's server to deliver; once a minute."""
    challenge, code = await factor_admin.read_challenge(
        admin_context(ctx), ident(ctx, "userId"), challenge_id=ident(ctx, "challengeId"), ring=ctx.services.ring
    )
    return responses.json(schemas.MFA_CHALLENGE_SECRET.render(ctx.api_version, challenge, code=code.reveal()))
