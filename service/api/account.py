"""The account itself."""

from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator

from service import ids
from service.accounts import members, password_policy, private_signup
from service.db import transaction
from service.errors import IdentityNotFound, PasswordPersonal, UserExists
from service.http import responses, schemas, session_cookies
from service.http.context import Call
from service.http.fields import Name, NewEmail, NewPassword, NewUserId, sized
from service.http.request_body import Body, read
from service.http.routing import contract, limited, member, public
from service.queue import RECORD_LOG
from service.rate_limiter import HOUR
from service.store import events, tokens, users
from service.store.events import Event
from service.store.users import User


class CreateAccount(Body):
    userId: NewUserId | None = None  # noqa: N815 - the contract's spelling
    email: NewEmail
    password: NewPassword
    name: Name | None = None


@public.post("/v1/account")
@limited(10, HOUR, by="ip")
@contract(takes=CreateAccount, gives=schemas.USER, status=201, raises=(UserExists, PasswordPersonal))
async def create_account(call: Call) -> web.Response:
    """Register an account. It opens no session; only where sign-up is private it sends a mail, which must be used."""
    body = await read(call, CreateAccount)
    # The hash comes before anyone looks whether the address is taken: both answers take the same time.
    about = (body.userId, body.name, body.email)
    password_hash = await password_policy.accept(call, call.services.passwords, body.password.reveal(), about=about)
    if call.project.private_signup:
        return await private_signup.ask(
            call, user_id=body.userId, email=body.email, name=body.name or "", password_hash=password_hash
        )
    async with transaction(call.pool) as tx:
        user = await users.create(
            tx,
            call.project.id,
            user_id=ids.given(body.userId),
            email=body.email,
            name=body.name or "",
            password_hash=password_hash,
        )
        event = await events.record(tx, call.project.id, event=Event.ACCOUNT_CREATE, user_id=user.id, by=call.client)
    await call.services.bell.ring(RECORD_LOG, event)
    return responses.json(responses.user(call, user), 201)


@member.get("/v1/account")
@contract(gives=schemas.USER)
async def get_account(call: Call) -> web.Response:
    """The member's own account."""
    return responses.json(responses.user(call, call.member))


class UpdateName(Body):
    name: Annotated[Name, AfterValidator(sized(1, 128))]


@member.patch("/v1/account/name")
@limited(100, HOUR, by="user")
@contract(takes=UpdateName, gives=schemas.USER)
async def update_name(call: Call) -> web.Response:
    """Set the member's name."""
    body = await read(call, UpdateName)
    async with transaction(call.pool) as tx:
        user = await users.change_name(tx, await members.lock(call, tx), name=body.name)
        event = await events.record(tx, call.project.id, event=Event.NAME_UPDATE, user_id=user.id, by=call.client)
    await call.services.bell.ring(RECORD_LOG, event)
    return responses.json(responses.user(call, user))


@member.delete("/v1/account")
@limited(10, HOUR, by="user")
async def delete_account(call: Call) -> web.Response:
    """Block the account for good. An address that its member proved stays taken: nobody takes the account over."""
    await _block(call, Event.ACCOUNT_DELETE)
    return responses.nothing()


@member.patch("/v1/account/status")
@limited(10, HOUR, by="user")
@contract(gives=schemas.USER)
async def update_status(call: Call) -> web.Response:
    """The same under its modern name; answers with the blocked account."""
    return responses.json(responses.user(call, await _block(call, Event.STATUS_UPDATE)))


async def _block(call: Call, name: Event) -> User:
    """Its sessions stay, so that their holders are told; they are good for nothing more."""
    async with transaction(call.pool) as tx:
        user = await users.close(tx, await members.lock(call, tx))
        await tokens.kill_all(tx, user, by_address=user.email_verified)
        event = await events.record(tx, call.project.id, event=name, user_id=user.id, by=call.client)
    await call.services.bell.ring(RECORD_LOG, event)
    if not call.by_jwt:
        session_cookies.clear(call)
    return user


@member.get("/v1/account/identities")
@contract(gives=schemas.IDENTITY_LIST)
async def list_identities(call: Call) -> web.Response:
    """No account here has an identity of another provider."""
    return responses.json({call.era.count: 0, "identities": []})


@member.delete("/v1/account/identities/{identityId}")
@contract(raises=(IdentityNotFound,))
async def delete_identity(_call: Call) -> web.Response:
    """There is none to delete."""
    raise IdentityNotFound
