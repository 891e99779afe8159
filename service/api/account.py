"""The account itself."""

from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator

from service import events, ids, tokens, users
from service.api import answers, cookies, members, new_passwords, private_sign_up, shapes
from service.api.bodies import Body, read
from service.api.calls import Call
from service.api.fields import Name, NewEmail, NewPassword, NewUserId, sized
from service.api.routes import contract, limited, member, public
from service.db import transaction
from service.errors import IdentityNotFound, PasswordPersonal, UserExists
from service.events import Event
from service.jobs import RECORD_LOG
from service.limits import HOUR
from service.users import User


class CreateAccount(Body):
    userId: NewUserId | None = None  # noqa: N815 - the contract's spelling
    email: NewEmail
    password: NewPassword
    name: Name | None = None


@public.post("/v1/account")
@limited(10, HOUR, by="ip")
@contract(takes=CreateAccount, gives=shapes.USER, status=201, raises=(UserExists, PasswordPersonal))
async def create_account(call: Call) -> web.Response:
    """Register an account. It opens no session; only where sign-up is private it sends a mail, which must be used."""
    body = await read(call, CreateAccount)
    # The hash comes before anyone looks whether the address is taken: both answers take the same time.
    about = (body.userId, body.name, body.email)
    password_hash = await new_passwords.accept(call, call.services.passwords, body.password.reveal(), about=about)
    if call.project.private_signup:
        return await private_sign_up.ask(
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
    return answers.json(answers.user(call, user), 201)


@member.get("/v1/account")
@contract(gives=shapes.USER)
async def get_account(call: Call) -> web.Response:
    """The member's own account."""
    return answers.json(answers.user(call, call.member))


class UpdateName(Body):
    name: Annotated[Name, AfterValidator(sized(1, 128))]


@member.patch("/v1/account/name")
@limited(100, HOUR, by="user")
@contract(takes=UpdateName, gives=shapes.USER)
async def update_name(call: Call) -> web.Response:
    """Set the member's name."""
    body = await read(call, UpdateName)
    async with transaction(call.pool) as tx:
        user = await users.change_name(tx, await members.lock(call, tx), name=body.name)
        event = await events.record(tx, call.project.id, event=Event.NAME_UPDATE, user_id=user.id, by=call.client)
    await call.services.bell.ring(RECORD_LOG, event)
    return answers.json(answers.user(call, user))


@member.delete("/v1/account")
@limited(10, HOUR, by="user")
async def delete_account(call: Call) -> web.Response:
    """Block the account for good. An address that its member proved stays taken: nobody takes the account over."""
    await _block(call, Event.ACCOUNT_DELETE)
    return answers.nothing()


@member.patch("/v1/account/status")
@limited(10, HOUR, by="user")
@contract(gives=shapes.USER)
async def update_status(call: Call) -> web.Response:
    """The same under its modern name; answers with the blocked account."""
    return answers.json(answers.user(call, await _block(call, Event.STATUS_UPDATE)))


async def _block(call: Call, name: Event) -> User:
    """Its sessions stay, so that their holders are told; they are good for nothing more."""
    async with transaction(call.pool) as tx:
        user = await users.close(tx, await members.lock(call, tx))
        await tokens.kill_all(tx, user, by_address=user.email_verified)
        event = await events.record(tx, call.project.id, event=name, user_id=user.id, by=call.client)
    await call.services.bell.ring(RECORD_LOG, event)
    if not call.by_jwt:
        cookies.clear(call)
    return user


@member.get("/v1/account/identities")
@contract(gives=shapes.IDENTITY_LIST)
async def list_identities(call: Call) -> web.Response:
    """No account here has an identity of another provider."""
    return answers.json({call.era.count: 0, "identities": []})


@member.delete("/v1/account/identities/{identityId}")
@contract(raises=(IdentityNotFound,))
async def delete_identity(_call: Call) -> web.Response:
    """There is none to delete."""
    raise IdentityNotFound
