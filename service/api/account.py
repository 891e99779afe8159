"""The account itself."""

from aiohttp import web

from service import events, ids, users
from service.api import answers
from service.api.bodies import Body, Email, Name, NewPassword, NewUserId, read
from service.api.calls import Call
from service.api.routes import limited, member, public
from service.db import transaction
from service.events import Event
from service.jobs import RECORD_LOG
from service.limits import HOUR


class CreateAccount(Body):
    userId: NewUserId | None = None  # noqa: N815 - the contract's spelling
    email: Email
    password: NewPassword
    name: Name | None = None


@public.post("/v1/account")
@limited(10, HOUR, by="ip")
async def create_account(call: Call) -> web.Response:
    """Register an account. It opens no session and sends no mail."""
    body = await read(call, CreateAccount)
    user_id = ids.new() if body.userId in (None, "unique()") else body.userId
    # The hash comes before anyone looks whether the address is taken: both answers take the same time.
    password_hash = await call.services.passwords.hash(body.password)
    async with transaction(call.pool) as tx:
        user = await users.create(
            tx, call.project.id, user_id=user_id, email=body.email, name=body.name or "", password_hash=password_hash
        )
        event = await events.record(
            tx,
            call.project.id,
            event=Event.ACCOUNT_CREATE,
            user_id=user.id,
            by=call.client,
        )
    await call.services.bell.ring(RECORD_LOG, event)
    return answers.json(answers.user(call, user), 201)


@member.get("/v1/account")
async def get_account(call: Call) -> web.Response:
    """The member's own account."""
    return answers.json(answers.user(call, call.member))
