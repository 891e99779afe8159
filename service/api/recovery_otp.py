"""Recovery by a mailed code, for apps that no link can open. No answer tells whether an address has an account."""

from aiohttp import web

from service import ids
from service.accounts import mail_quotas, mailed_codes, outgoing_mail, security_phrases
from service.api import recovery
from service.errors import PasswordPersonal, PasswordReused, RecoveryTokenInvalid, UserNotFound
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.fields import Email, NewPassword, TokenSecret, UserId
from service.http.request_body import Body, read
from service.http.routing import charged, contract, limited, public
from service.rate_limiter import HOUR
from service.store import token_secrets
from service.store.events import Event
from service.store.tokens import Kind


class CreateRecoveryOtp(Body):
    email: Email
    phrase: bool | None = None


@public.post("/v1/account/recovery/otp")
@limited(10, HOUR, by="email", only="successes")
@limited(100, HOUR, by="ip")
@charged(mail_quotas.of_mail)
@contract(takes=CreateRecoveryOtp, gives=schemas.TOKEN, status=201, raises=(UserNotFound,))
async def create_recovery_otp(ctx: RequestContext) -> web.Response:
    """Mail the owner of an address a code of six digits for choosing a new password.

    The same rows are written for every address, and the worker finds out whose it is. The code works under the user id
    of the answer, which is the account's own nowhere but in a project that gives its users away.
    """
    body = await read(ctx, CreateRecoveryOtp)
    user = await recovery.find_revealed(ctx, body.email)
    phrase = security_phrases.generate() if body.phrase else ""
    await mail_quotas.charge_recovery_code(ctx, body.email)
    token = await outgoing_mail.enqueue_to_owner(
        ctx,
        body.email,
        letter="otp_recovery",
        kind=Kind.RECOVERY_OTP,
        event=Event.RECOVERY_CREATE,
        seconds=ctx.project.otp_seconds,
        requested_user_id=user.id if user else ids.new(),
        phrase=phrase,
    )
    shown = token_secrets.with_public_id(ctx.services.ring, token)
    return responses.json(responses.token(ctx, shown, user_id=token.requested_user_id or "", phrase=phrase), 201)


class UpdateRecoveryOtp(Body):
    userId: UserId  # noqa: N815 - the contract's spelling
    secret: TokenSecret
    password: NewPassword


@public.put("/v1/account/recovery/otp")
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=UpdateRecoveryOtp, gives=schemas.TOKEN, raises=(RecoveryTokenInvalid, PasswordPersonal, PasswordReused))
async def update_recovery_otp(ctx: RequestContext) -> web.Response:
    """Choose the new password with the mailed code. Three wrong codes kill it; a refused password costs it nothing.

    Everything else is as with a link: every session ends, the address is proved, every other link and code is dead.
    """
    body = await read(ctx, UpdateRecoveryOtp)
    found = await mailed_codes.find_token(ctx, Kind.RECOVERY_OTP, user_id=body.userId, code=body.secret)
    token = await recovery.redeem(ctx, found, body.password)
    return responses.json(responses.token(ctx, token, user_id=body.userId))
