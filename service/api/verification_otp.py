"""Proof that an address is its account's own, by a mailed code: for apps that no link can open."""

from aiohttp import web

from service.accounts import mail_quotas, mailed_codes, security_phrases
from service.api import verification
from service.errors import EmailMissing, EmailVerified, VerificationTokenInvalid
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.fields import TokenSecret, UserId
from service.http.request_body import Body, read
from service.http.routing import charged, contract, limited, member, public
from service.rate_limiter import HOUR
from service.store.tokens import Kind


class CreateVerificationOtp(Body):
    phrase: bool | None = None


@member.post("/v1/account/verifications/email/otp")
@limited(10, HOUR, by="user")
@charged(mail_quotas.of_mail_to_member)
@contract(takes=CreateVerificationOtp, gives=schemas.TOKEN, status=201, raises=(EmailMissing, EmailVerified))
async def create_verification_otp(ctx: RequestContext) -> web.Response:
    """Mail the member a code of six digits that proves the account's address."""
    body = await read(ctx, CreateVerificationOtp)
    phrase = security_phrases.generate() if body.phrase else ""
    token = await verification.enqueue_to_member(ctx, Kind.VERIFICATION_OTP, letter="otp_verification", phrase=phrase)
    return responses.json(responses.token(ctx, token, user_id=ctx.member.id, phrase=phrase), 201)


class UpdateVerificationOtp(Body):
    userId: UserId  # noqa: N815 - the contract's spelling
    secret: TokenSecret


@public.put("/v1/account/verifications/email/otp")
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=UpdateVerificationOtp, gives=schemas.TOKEN, raises=(VerificationTokenInvalid,))
async def update_verification_otp(ctx: RequestContext) -> web.Response:
    """Prove the address with the code that was mailed to it."""
    body = await read(ctx, UpdateVerificationOtp)
    found = await mailed_codes.find_token(ctx, Kind.VERIFICATION_OTP, user_id=body.userId, code=body.secret)
    if found is None:
        raise VerificationTokenInvalid
    token = await verification.redeem(ctx, found)
    return responses.json(responses.token(ctx, token, user_id=token.user_id or ""))
