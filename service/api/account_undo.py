"""Undo of a change to an account by the link of a notice, for an owner who did not make it.

All sessions end, the password is void, no later link works, and the address that the notice was mailed to is the
account's again. Second factors that came since the notice go, and those that went come back; all go where the maker of
the account may be another person than the mailbox's reader. The page then asks its reader for a new password, as the
link of a recovery would.
"""

from aiohttp import web

from service.accounts import issued_tokens, outgoing_mail, ownership
from service.crypto.secret import Secret
from service.errors import TokenInvalid, UserBlocked
from service.http import form_pages, html_pages, mailed_links
from service.http.context import RequestContext
from service.http.link_proof import LinkProof
from service.http.mailed_links import MailedLink
from service.http.request_body import read
from service.http.routing import contract, limited, public
from service.rate_limiter import HOUR
from service.store import events, sessions, token_lookups, token_revocations, token_secrets, tokens, user_emails
from service.store.events import Event
from service.store.tokens import Kind, Token, UndoLink
from service.store.unit_of_work import UnitOfWork
from service.store.users import User


@public.get("/auth/disavowal", page=True)
async def show_account_undo(ctx: RequestContext) -> web.Response:
    """Ask whether to end all sessions and void the password."""
    return await form_pages.confirmation_page(ctx, "disavowal", Kind.ACCOUNT_UNDO)


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
    return await form_pages.confirmation_page(ctx, "email_undo", Kind.EMAIL_UNDO)


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
    found = await token_lookups.find_by_secret(
        ctx.pool, ctx.project.id, kind=kind, user_id=body.userId, secret=body.secret.reveal(), ring=ring
    )
    if found is None:
        raise TokenInvalid
    try:
        return await _restore_email(ctx, found)
    except UserBlocked:
        await token_lookups.refund_attempt(ctx.pool, found)
        raise


async def _restore_email(ctx: RequestContext, found: Token) -> web.Response:
    async with ctx.unit_of_work() as tx:
        user = await user_emails.claim(tx, ctx.project.id, user_id=found.user_id or "", email=found.email)
        token = await tokens.redeem_undo_link(tx, found)
        if user is None or token is None:
            raise TokenInvalid
        if user.status == "blocked":
            raise UserBlocked
        is_owners = await _is_owners(tx, user, token)
        await sessions.close_all(tx, user)
        now = await user_emails.secure(tx, user, email=token.email)
        await token_revocations.revoke_all(tx, now, by_address=now.email_verified)
        await token_revocations.revoke_undo_links(tx, now, since=token.created_at)
        if is_owners:
            await ownership.restore_factors(tx, now, since=token.created_at)
        else:
            await ownership.remove_factors(tx, now)
        if user.email not in (None, now.email) and user.email_verified:
            # The address that the account loses was verified: its owner is told, and gets no link.
            await outgoing_mail.enqueue(ctx, tx, letter="email_changed", to=user)
        await events.record(tx, ctx.project.id, event=Event.DISAVOWAL, user_id=user.id, by=ctx.client)
        way_in = await _issue_recovery(ctx, tx, now) if now.email == token.email else None
    mailed_links.forget(ctx)
    return _secured_page(ctx, way_in, restored=now.email not in (None, user.email))


async def _is_owners(tx: UnitOfWork, user: User, link: UndoLink) -> bool:
    """Tell whether earlier factors may be the owner's: a squatter's could be, where only a link proved the address.

    It counts how the address was proved when the notice was mailed: a squatter may have proved another one since. A
    link of an earlier release does not tell; then the account does, while it still has that address.
    """
    if link.proved_by_holder is not None:
        return link.proved_by_holder
    is_same = (user.email, user.email_version) == (link.email, link.email_version)
    return is_same and await user_emails.is_proved_by_holder(tx, user)


async def _issue_recovery(ctx: RequestContext, tx: UnitOfWork, user: User) -> Token:
    """Issue the token of a recovery that is not mailed: the link of a notice has proved the same mailbox."""
    seconds = ctx.project.recovery_seconds
    return await issued_tokens.issue_to_user(ctx, tx, kind=Kind.RECOVERY, user=user, seconds=seconds)


def _secured_page(ctx: RequestContext, recovery: Token | None, *, restored: bool) -> web.Response:
    """Ask for a new password; without a recovery another account has the address, and nothing can be done here."""
    if recovery is None:
        return html_pages.render_page(ctx, "disavowed_without_address")
    link = MailedLink(recovery, Secret(token_secrets.secret_of(ctx.services.ring, recovery, form="short")))
    return form_pages.password_page(ctx, "disavowed", link, path="/auth/recovery", restored=restored)
