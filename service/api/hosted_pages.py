"""Pages of the service that mailed links lead to, where a project has no page of its own.

Mail programs and scanners open links by themselves, so GET only asks and the button's POST acts (docs/security.md
S21). The POST carries the secret in its body: the address of the answer no longer holds it.
"""

from aiohttp import web

from service.api import passwordless, sessions, verification
from service.errors import ArgumentInvalid, PasswordPersonal
from service.http import html_pages, request_body
from service.http.context import RequestContext
from service.http.fields import NewPassword
from service.http.link_proof import LinkProof
from service.http.routing import contract, limited, public
from service.rate_limiter import HOUR


@public.get("/auth/verification", page=True)
async def show_verification(ctx: RequestContext) -> web.Response:
    """Ask whether to prove the address."""
    return await html_pages.confirmation_page(ctx, "verification", LinkProof)


@public.post("/auth/verification", page=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=LinkProof)
async def confirm_verification(ctx: RequestContext) -> web.Response:
    """Prove the address, as PUT /v1/account/verification does."""
    proof = await request_body.read(ctx, LinkProof)
    await verification.confirm(ctx, user_id=proof.userId, secret=proof.secret)
    return html_pages.render_page(ctx, "verified")


class FinishSignUp(LinkProof):
    password: NewPassword


@public.get("/auth/sign-up", page=True)
async def ask_sign_up(ctx: RequestContext) -> web.Response:
    """Ask for the password of the account that a private sign-up makes."""
    return await html_pages.confirmation_page(ctx, "sign_up", LinkProof, refused=False)


@public.post("/auth/sign-up", page=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=LinkProof)
async def confirm_sign_up(ctx: RequestContext) -> web.Response:
    """Prove the address and make the account, with the password that was chosen here."""
    proof = await request_body.read(ctx, LinkProof)
    try:
        chosen = await request_body.read(ctx, FinishSignUp)
        await verification.confirm(ctx, user_id=proof.userId, secret=proof.secret, password=chosen.password)
    except (ArgumentInvalid, PasswordPersonal):  # of the password: the rest has been read
        return html_pages.form_page(ctx, "sign_up", proof, status=400, refused=True)
    return html_pages.render_page(ctx, "verified")


@public.get("/auth/magic-url", page=True)
async def show_magic_url(ctx: RequestContext) -> web.Response:
    """Ask whether to sign in."""
    return await html_pages.confirmation_page(ctx, "magic_url", LinkProof)


@public.post("/auth/magic-url", opens_session=True, page=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=LinkProof)
async def confirm_magic_url(ctx: RequestContext) -> web.Response:
    """Sign this browser in, as PUT /v1/account/sessions/magic-url does."""
    proof = await request_body.read(ctx, LinkProof)
    sessions.set_session_cookies(ctx, await passwordless.open_by_link(ctx, user_id=proof.userId, secret=proof.secret))
    return html_pages.render_page(ctx, "signed_in")
