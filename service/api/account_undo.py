"""Undo of a change to an account by the link of a notice, for an owner who did not make it.

All sessions end, the password is void, no later link works, and the address that the notice was mailed to is the
account's again. Its reader then chooses a password by a recovery.
"""

from aiohttp import web

from service.accounts import outgoing_mail
from service.errors import TokenInvalid, UserBlocked
from service.http import html_pages
from service.http.context import RequestContext
from service.http.link_proof import LinkProof
from service.http.request_body import read
from service.http.routing import contract, limited, public
from service.rate_limiter import HOUR
from service.store import events, sessions, tokens, users
from service.store.events import Event
from service.store.tokens import Kind, Token


@public.get("/auth/disavowal", page=True)
async def show_account_undo(ctx: RequestContext) -> web.Response:
    """Ask whether to end all sessions and void the password."""
    return await html_pages.confirmation_page(ctx, "disavowal", LinkProof)


@public.post("/auth/disavowal", page=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=LinkProof)
async def confirm_account_undo(ctx: RequestContext) -> web.Response:
    """End all sessions and void the password; an address that was changed since comes back."""
    return await _secure_account(ctx, Kind.ACCOUNT_UNDO)


@public.get("/auth/email-undo", page=True)
async def show_email_undo(ctx: RequestContext) -> web.Response:
    """Ask whether to put the old address back."""
    return await html_pages.confirmation_page(ctx, "email_undo", LinkProof)


@public.post("/auth/email-undo", page=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=LinkProof)
async def confirm_email_undo(ctx: RequestContext) -> web.Response:
    """Put the old address back, end all sessions and void the password."""
    return await _secure_account(ctx, Kind.EMAIL_UNDO)


async def _secure_account(ctx: RequestContext, kind: Kind) -> web.Response:
    """Secure the account. Raises TokenInvalid, and UserBlocked, which costs the link no attempt."""
    body = await read(ctx, LinkProof)
    ring = ctx.services.ring
    found = await tokens.find_by_secret(
        ctx.pool, ctx.project.id, kind=kind, user_id=body.userId, secret=body.secret.reveal(), ring=ring
    )
    if found is None:
        raise TokenInvalid
    try:
        return await _restore_email(ctx, found)
    except UserBlocked:
        await tokens.refund_attempt(ctx.pool, found)
        raise


async def _restore_email(ctx: RequestContext, found: Token) -> web.Response:
    async with ctx.unit_of_work() as tx:
        user = await users.claim(tx, ctx.project.id, user_id=found.user_id or "", email=found.email)
        token = await tokens.redeem_undo_link(tx, found)
        if user is None or token is None:
            raise TokenInvalid
        if user.status == "blocked":
            raise UserBlocked
        await sessions.close_all(tx, user)
        now = await users.secure(tx, user, email=token.email)
        await tokens.revoke_all(tx, now, by_address=now.email_verified)
        await tokens.revoke_undo_links(tx, now, since=token.created_at)
        if user.email not in (None, now.email) and user.email_verified:
            # The address that the account loses was verified: its owner is told, and gets no link.
            await outgoing_mail.enqueue(ctx, tx, letter="email_changed", to=user)
        await events.record(tx, ctx.project.id, event=Event.DISAVOWAL, user_id=user.id, by=ctx.client)
    return html_pages.render_page(ctx, "disavowed", restored=now.email not in (None, user.email))
