"""Sign-in by a code that is sent to a phone.

No answer tells whether a number has an account, and no user is made before the number is proved: the client gets the
id that it asked for, or a fresh one; the code works under that id.
"""

from aiohttp import web

from service import ids
from service.accounts import issued_tokens, mailed_codes, outgoing_sms, presented_invitations, sign_up_rules
from service.api.sessions import OpenedSession, open_session, session_response
from service.errors import LoginTokenInvalid, PhoneDisabled, UserBlocked
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.fields import NewUserId, Phone, TokenSecret, UserId
from service.http.request_body import Body, read
from service.http.routing import contract, limited, public
from service.rate_limiter import HOUR
from service.store import events, sms, token_revocations, token_secrets, tokens, user_phones
from service.store.events import Event
from service.store.tokens import Kind, Token
from service.store.unit_of_work import UnitOfWork
from service.store.user_phones import NumberOwner

# Of a key that may have the code: whoever has it can sign in as any user anyway.
_SCOPE = "users.write"


class CreatePhoneToken(Body):
    userId: NewUserId  # noqa: N815 - the contract's spelling
    phone: Phone


@public.post("/v1/account/tokens/phone", "/v1/account/sessions/phone")
@limited(10, HOUR, by="phone", only="successes")
@limited(10, HOUR, by="ip")
@contract(takes=CreatePhoneToken, gives=schemas.PHONE_TOKEN, status=201, raises=(PhoneDisabled,))
async def create_phone_token(ctx: RequestContext) -> web.Response:
    """Send a code of six digits that signs in, with or without an account.

    Where a quota of SMS is used up, or the project sends none to such a number, the answer is the same.
    A server whose key may write users gets the code in `secret` too.
    """
    body = await read(ctx, CreatePhoneToken)
    outgoing_sms.check_set_up(ctx, body.phone)
    sends, ring = await outgoing_sms.may_send(ctx, body.phone), ctx.services.ring
    invitation_id = await presented_invitations.find(ctx)
    async with ctx.unit_of_work() as tx:
        token = await issued_tokens.issue_to_address(
            ctx,
            tx,
            kind=Kind.PHONE_LOGIN,
            address=body.phone,
            requested_user_id=ids.given(body.userId),
            seconds=ctx.project.otp_seconds,
            invitation_id=invitation_id,
        )
        if sends:
            await outgoing_sms.enqueue(ctx, tx, token)
    shown = token_secrets.with_public_id(ring, token)
    secret = token_secrets.secret_of(ring, token) if ctx.key is not None and _SCOPE in ctx.key.scopes else ""
    return responses.json(responses.phone_token(ctx, shown, secret=secret), 201)


class UpdatePhoneSession(Body):
    userId: UserId  # noqa: N815 - the contract's spelling
    secret: TokenSecret


@public.put("/v1/account/sessions/phone", opens_session=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(50, HOUR, by="ip", only="failures")
@contract(takes=UpdatePhoneSession, gives=schemas.SESSION, status=201, raises=(LoginTokenInvalid,))
async def update_phone_session(ctx: RequestContext) -> web.Response:
    """Sign in with a code that was sent to a phone."""
    body = await read(ctx, UpdatePhoneSession)
    found = await mailed_codes.find_token(ctx, Kind.PHONE_LOGIN, user_id=body.userId, code=body.secret)
    if found is None:
        raise LoginTokenInvalid
    return session_response(ctx, await open_by_number(ctx, found))


async def open_by_number(ctx: RequestContext, found: Token) -> OpenedSession:
    """Open a session for the user of the proved number, created now if there is none.

    The number is locked before its user and the user before the token, as everywhere; if the token is gone, no user
    has been created.
    """
    async with ctx.unit_of_work() as tx:
        user = await _lock_or_create_owner(tx, found)
        admitted = not user.created or await sign_up_rules.may_create(ctx, tx, email=None, token=found)
        if await tokens.redeem_by_address(tx, found) is None or user.recycled or not admitted:
            raise LoginTokenInvalid
        if user.status == "blocked":
            raise UserBlocked
        if user.created:
            await events.record(tx, ctx.project.id, event=Event.ACCOUNT_CREATE, user_id=user.id, by=ctx.client)
        else:
            await user_phones.verify(tx, user, by_holder=True)
        await token_revocations.revoke_of_phone(tx, user)
        await sms.record_used(tx, found)
        return await open_session(ctx, tx, user, provider="phone", first_factor="phone")


async def _lock_or_create_owner(tx: UnitOfWork, token: Token) -> NumberOwner:
    """Lock the owner, or create one; the id that was asked for is used if it is still free."""
    user_ids = [token.requested_user_id or ids.new(), ids.new()]
    user = await user_phones.create_by_number_if_absent(tx, token.project_id, user_ids=user_ids, phone=token.email)
    if user is None:
        raise LookupError
    return user
