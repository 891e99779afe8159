"""Pages of the service that mailed links lead to, where a project has no page of its own.

Mail programs and scanners open links by themselves, so GET only asks and the button's POST acts (docs/security.md
S21). The link's secret leaves the address at once (mailed_links.py); the POST carries it in its body.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web

from service.api import passwordless, recovery, sessions, verification
from service.errors import ArgumentInvalid, PasswordPersonal, PasswordReused
from service.http import form_pages, html_pages, mailed_links
from service.http.context import RequestContext
from service.http.fields import PagePassword
from service.http.link_proof import LinkProof
from service.http.request_body import read
from service.http.routing import contract, limited, public
from service.rate_limiter import HOUR
from service.store.tokens import Kind, Token


@public.get("/auth/verification", page=True)
async def show_verification(ctx: RequestContext) -> web.Response:
    """Ask whether to prove the address."""
    return await form_pages.confirmation_page(ctx, "verification", Kind.VERIFICATION)


@public.post("/auth/verification", page=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=LinkProof)
async def confirm_verification(ctx: RequestContext) -> web.Response:
    """Prove the address, as PUT /v1/account/verification does."""
    proof = await read(ctx, LinkProof)
    await verification.confirm(ctx, user_id=proof.userId, secret=proof.secret)
    mailed_links.forget(ctx)
    return html_pages.render_page(ctx, "verified")


class ChoosePassword(LinkProof):
    password: PagePassword


@public.get("/auth/sign-up", page=True)
async def ask_sign_up(ctx: RequestContext) -> web.Response:
    """Ask for the password of the account that a private sign-up makes."""
    return await form_pages.confirmation_page(ctx, "sign_up", Kind.VERIFICATION)


@public.post("/auth/sign-up", page=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=LinkProof)
async def confirm_sign_up(ctx: RequestContext) -> web.Response:
    """Prove the address and make the account, with the password that was chosen here."""
    return await _choose_password(ctx, "sign_up", Kind.VERIFICATION, verification.confirm, done="verified")


@public.get("/auth/invitation", page=True)
async def ask_invited(ctx: RequestContext) -> web.Response:
    """Ask for the password of the account that an invited person makes."""
    return await form_pages.confirmation_page(ctx, "invitation", Kind.VERIFICATION)


@public.post("/auth/invitation", page=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=LinkProof)
async def confirm_invited(ctx: RequestContext) -> web.Response:
    """Make the account of an invited address, with the password that was chosen here."""
    return await _choose_password(ctx, "invitation", Kind.VERIFICATION, verification.confirm, done="verified")


@public.get("/auth/recovery", page=True)
async def show_recovery(ctx: RequestContext) -> web.Response:
    """Ask for a new password."""
    return await form_pages.confirmation_page(ctx, "recovery", Kind.RECOVERY)


@public.post("/auth/recovery", page=True)
@limited(10, HOUR, by="userId", only="failures", shared="update_recovery")
@limited(100, HOUR, by="ip", only="failures", shared="update_recovery")
@contract(takes=LinkProof)
async def confirm_recovery(ctx: RequestContext) -> web.Response:
    """Choose the new password, as PUT /v1/account/recovery does."""
    return await _choose_password(ctx, "recovery", Kind.RECOVERY, recovery.set_password, done="recovered")


@public.get("/auth/magic-url", page=True)
async def show_magic_url(ctx: RequestContext) -> web.Response:
    """Ask whether to sign in."""
    return await form_pages.confirmation_page(ctx, "magic_url", Kind.MAGIC_URL)


@public.post("/auth/magic-url", opens_session=True, page=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=LinkProof)
async def confirm_magic_url(ctx: RequestContext) -> web.Response:
    """Sign this browser in, as PUT /v1/account/sessions/magic-url does."""
    proof = await read(ctx, LinkProof)
    opened = await passwordless.open_by_link(ctx, user_id=proof.userId, secret=proof.secret)
    mailed_links.forget(ctx)
    sessions.set_session_cookies(ctx, opened)
    return html_pages.render_page(ctx, "signed_in")


async def _choose_password(
    ctx: RequestContext, page: str, kind: Kind, use: Callable[..., Awaitable[Token]], *, done: str
) -> web.Response:
    """Use a link with the password that was typed, and show the page `done`; ask again if it breaks a rule."""
    if fault := await _use_with_password(ctx, use):
        link = await mailed_links.look_up(ctx, kind, await read(ctx, LinkProof))
        return form_pages.password_page(ctx, page, link, fault=fault)
    mailed_links.forget(ctx)
    return html_pages.render_page(ctx, done)


async def _use_with_password(ctx: RequestContext, use: Callable[..., Awaitable[Token]]) -> str:
    """Use a link with the password that was typed; return the rule that the password breaks, "" if it was taken."""
    await read(ctx, LinkProof)  # a link that is none is no fault of the password
    try:
        body = await read(ctx, ChoosePassword)
    except ArgumentInvalid:
        return "length"
    try:
        await use(ctx, user_id=body.userId, secret=body.secret, password=body.password)
    except PasswordPersonal:
        return "personal"
    except PasswordReused:
        return "reused"
    except ArgumentInvalid:
        return "common"
    return ""
