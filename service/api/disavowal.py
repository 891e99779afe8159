"""A disavowal, "this wasn't me": a notice's link ends what somebody else began with the account (reliability.md B13).

All sessions end, the password is void, no other link works; where the notice told of a new address, the old one is
the account's again. Whoever reads that mailbox then chooses a password by a recovery.
"""

from aiohttp import web

from service import events, sessions, tokens, users
from service.api import pages
from service.api.bodies import Body, read
from service.api.calls import Call
from service.api.fields import TokenSecret, UserId
from service.api.routes import limited, public
from service.db import transaction
from service.errors import TokenInvalid, UserBlocked
from service.events import Event
from service.jobs import RECORD_LOG
from service.limits import HOUR
from service.tokens import Kind


class Disavow(Body):
    userId: UserId  # noqa: N815 - the contract's spelling
    secret: TokenSecret


@public.get("/auth/disavowal", page=True)
async def ask_disavowal(call: Call) -> web.Response:
    """Ask whether to end all sessions and void the password."""
    return await pages.ask(call, "disavowal", Disavow)


@public.post("/auth/disavowal", page=True)
@limited(10, HOUR, by="userId")
async def confirm_disavowal(call: Call) -> web.Response:
    """End all sessions and void the password."""
    await _disavow(call, Kind.DISAVOWAL)
    return pages.show(call, "disavowed", restored=False)


@public.get("/auth/email-undo", page=True)
async def ask_email_undo(call: Call) -> web.Response:
    """Ask whether to put the old address back."""
    return await pages.ask(call, "email_undo", Disavow)


@public.post("/auth/email-undo", page=True)
@limited(10, HOUR, by="userId")
async def confirm_email_undo(call: Call) -> web.Response:
    """Put the old address back, end all sessions and void the password."""
    restored = await _disavow(call, Kind.EMAIL_UNDO)
    return pages.show(call, "disavowed", restored=restored)


async def _disavow(call: Call, kind: Kind) -> bool:
    """Whether an address was put back. Raises TokenInvalid, UserBlocked."""
    body = await read(call, Disavow)
    ring = call.services.ring
    found = await tokens.find_by_secret(
        call.pool, call.project.id, kind=kind, user_id=body.userId, secret=body.secret.reveal(), ring=ring
    )
    if found is None:
        raise TokenInvalid
    async with transaction(call.pool) as tx:
        user = await users.lock(tx, call.project.id, user_id=body.userId)
        token = await tokens.take_disavowal(tx, found)
        if user is None or token is None:
            raise TokenInvalid
        if user.status == "blocked":
            raise UserBlocked
        await sessions.close_all(tx, user)
        await users.void_password(tx, user)
        await tokens.kill_all(tx, user)
        await tokens.kill_disavowals(tx, user)
        restored = kind is Kind.EMAIL_UNDO and await users.put_email_back(tx, user, email=token.email)
        event = await events.record(tx, call.project.id, event=Event.DISAVOWAL, user_id=user.id, by=call.client)
    await call.services.bell.ring(RECORD_LOG, event)
    return restored
