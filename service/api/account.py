"""The account itself."""

from functools import partial

from aiohttp import web

from service import ids
from service.accounts import members, password_policy, private_signup, sign_up_rules
from service.errors import PasswordPersonal, SignUpClosed, UserExists
from service.http import responses, schemas, session_cookies
from service.http.context import RequestContext
from service.http.fields import Name, NewEmail, NewPassword, NewUserId, NonemptyName
from service.http.request_body import Body, read
from service.http.routing import contract, limited, member, public
from service.rate_limiter import HOUR
from service.store import account_acts, events, targets, token_revocations, users
from service.store.events import Event
from service.store.users import User


class CreateAccount(Body):
    userId: NewUserId | None = None  # noqa: N815 - the contract's spelling
    email: NewEmail
    password: NewPassword
    name: Name | None = None


@public.post("/v1/account")
@limited(10, HOUR, by="ip")
@contract(takes=CreateAccount, gives=schemas.USER, status=201, raises=(UserExists, PasswordPersonal, SignUpClosed))
async def create_account(ctx: RequestContext) -> web.Response:
    """Register an account. It opens no session; where sign-up is private it only mails a link, which must be used."""
    body = await read(ctx, CreateAccount)
    invitation_id = await sign_up_rules.admit(ctx, body.email)
    # The hash comes before the lookup of the address: both answers take the same time.
    about = (body.userId, body.name, body.email)
    password_hash = await password_policy.hash_new_password(
        ctx, ctx.services.passwords, body.password.reveal(), about=about
    )
    if ctx.project.private_signup:
        return await private_signup.start(
            ctx,
            user_id=body.userId,
            email=body.email,
            name=body.name or "",
            password_hash=password_hash,
            invitation_id=invitation_id,
        )
    if invitation_id:
        user = await _create_invited(ctx, body, password_hash, invitation_id)
        return responses.json(responses.user(ctx, user), 201)
    user_id = ids.given(body.userId)
    user = await ctx.run_alone(
        partial(
            account_acts.create_account,
            user_id=user_id,
            email=body.email,
            name=body.name or "",
            password_hash=password_hash,
            event=Event.ACCOUNT_CREATE,
            by=ctx.client,
        ),
        recall=partial(users.find, project_id=ctx.project.id, user_id=user_id),
    )
    return responses.json(responses.user(ctx, user), 201)


async def _create_invited(ctx: RequestContext, body: CreateAccount, password_hash: str, invitation_id: str) -> User:
    async with ctx.unit_of_work() as tx:
        user = await users.create(
            tx,
            ctx.project.id,
            user_id=ids.given(body.userId),
            email=body.email,
            name=body.name or "",
            password_hash=password_hash,
        )
        await events.record(tx, ctx.project.id, event=Event.ACCOUNT_CREATE, user_id=user.id, by=ctx.client)
        await sign_up_rules.use(ctx, tx, invitation_id)
    return user


@member.get("/v1/account")
@contract(gives=schemas.USER)
async def get_account(ctx: RequestContext) -> web.Response:
    """Return the member's own account."""
    return responses.json(responses.user(ctx, ctx.member))


class UpdateName(Body):
    name: NonemptyName


@member.patch("/v1/account/name")
@limited(100, HOUR, by="user")
@contract(takes=UpdateName, gives=schemas.USER)
async def update_name(ctx: RequestContext) -> web.Response:
    """Set the member's name."""
    body = await read(ctx, UpdateName)
    async with ctx.unit_of_work() as tx:
        user = await users.change_name(tx, await members.lock(ctx, tx), name=body.name)
        await events.record(tx, ctx.project.id, event=Event.NAME_UPDATE, user_id=user.id, by=ctx.client)
    return responses.json(responses.user(ctx, user))


@member.delete("/v1/account")
@limited(10, HOUR, by="user")
async def delete_account(ctx: RequestContext) -> web.Response:
    """Block the account for good. An address that its member proved stays taken: nobody takes the account over."""
    await _block(ctx, Event.ACCOUNT_DELETE)
    return responses.nothing()


@member.patch("/v1/account/status")
@limited(10, HOUR, by="user")
@contract(gives=schemas.USER)
async def update_status(ctx: RequestContext) -> web.Response:
    """Block the account as DELETE /v1/account does, under the modern name; answers with the blocked account."""
    return responses.json(responses.user(ctx, await _block(ctx, Event.STATUS_UPDATE)))


async def _block(ctx: RequestContext, name: Event) -> User:
    """Block the account. Its sessions stay and open nothing, so that their holders get the reason; targets go."""
    async with ctx.unit_of_work() as tx:
        member = await members.lock(ctx, tx)
        await targets.delete_all(tx, member)
        user = await users.close(tx, member)
        await token_revocations.revoke_all(tx, user, by_address=user.email_verified)
        await events.record(tx, ctx.project.id, event=name, user_id=user.id, by=ctx.client)
    if not ctx.by_jwt:
        session_cookies.clear(ctx)
    return user
