"""Forms that ask for a new link or code by mail, for users whose link is used up and for apps without such a form.

They do what the API's routes do without a `url`, in the same windows, and answer the same for every address.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web

from service.accounts import first_tab
from service.api import passwordless, recovery, verification
from service.api.first_tab import WAITING_PAGE
from service.errors import ArgumentInvalid
from service.http import form_pages, mailed_links
from service.http.context import RequestContext
from service.http.fields import Email, NewEmail
from service.http.request_body import Body, read
from service.http.routing import contract, limited, public
from service.rate_limiter import HOUR
from service.store.tokens import Kind, Token

CODE_PAGE = "/auth/code"


class KnownAddress(Body):
    email: Email


class AnyAddress(Body):
    """An address that may get an account by the link or code."""

    email: NewEmail


@public.get("/auth/recovery/new", page=True)
async def show_recovery_request(ctx: RequestContext) -> web.Response:
    """Ask for the address to mail a link for a new password to."""
    return form_pages.request_page(ctx, "recovery")


@public.post("/auth/recovery/new", page=True)
@limited(10, HOUR, by="email", only="successes", shared="create_recovery")
@limited(100, HOUR, by="ip", shared="create_recovery")
@contract(takes=KnownAddress)
async def request_recovery(ctx: RequestContext) -> web.Response:
    """Mail a link for a new password, as POST /v1/account/recovery does."""
    return await _request(ctx, "recovery", KnownAddress, recovery.enqueue_link)


@public.get("/auth/verification/new", page=True)
async def show_verification_request(ctx: RequestContext) -> web.Response:
    """Ask for the address to mail a link that proves it to."""
    return form_pages.request_page(ctx, "verification")


@public.post("/auth/verification/new", page=True)
@limited(10, HOUR, by="email", only="successes")
@limited(100, HOUR, by="ip")
@contract(takes=KnownAddress)
async def request_verification(ctx: RequestContext) -> web.Response:
    """Mail the owner of an address a link that proves it; no session is needed."""
    return await _request(ctx, "verification", KnownAddress, verification.enqueue_link)


@public.get("/auth/magic-url/new", page=True)
async def show_magic_url_request(ctx: RequestContext) -> web.Response:
    """Ask for the address to mail a link that signs in to."""
    return form_pages.request_page(ctx, "magic_url")


@public.post("/auth/magic-url/new", page=True)
@limited(10, HOUR, by="email", only="successes", shared="create_magic_url")
@limited(100, HOUR, by="ip", shared="create_magic_url")
@contract(takes=AnyAddress)
async def request_magic_url(ctx: RequestContext) -> web.Response:
    """Mail a link that signs in, as POST /v1/account/tokens/magic-url does."""
    return await _request(ctx, "magic_url", AnyAddress, passwordless.enqueue_link)


@public.get("/auth/code/new", page=True)
async def show_code_request(ctx: RequestContext) -> web.Response:
    """Ask for the address to mail a code that signs in to."""
    return form_pages.request_page(ctx, "code")


@public.post("/auth/code/new", page=True)
@limited(10, HOUR, by="email", only="successes", shared="create_email_token")
@limited(100, HOUR, by="ip", shared="create_email_token")
@contract(takes=AnyAddress)
async def request_code(ctx: RequestContext) -> web.Response:
    """Mail a code that signs in, as POST /v1/account/tokens/email does, and go on to the page that takes it."""
    return await _request(ctx, "code", AnyAddress, passwordless.enqueue_code)


async def _request(
    ctx: RequestContext,
    page: str,
    model: type[KnownAddress] | type[AnyAddress],
    enqueue: Callable[[RequestContext, str], Awaitable[Token]],
) -> web.Response:
    """Enqueue the mail, and redirect: a page that is loaded again sends no other one."""
    try:
        body = await read(ctx, model)
    except ArgumentInvalid:
        return form_pages.request_page(ctx, page, refused=True)
    token = await enqueue(ctx, body.email)
    if page == "code":
        return mailed_links.see_other(ctx, CODE_PAGE, userId=token.requested_user_id or "")
    if token.kind == Kind.FIRST_TAB:
        first_tab.hand_out(ctx, token)
        return mailed_links.see_other(ctx, WAITING_PAGE, userId=token.requested_user_id or "")
    return mailed_links.see_other(ctx, mailed_links.path_of(ctx), sent="1")
