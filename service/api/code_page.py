"""Page that takes a mailed code and signs its browser in. Its address names the user id that the code was asked for."""

from aiohttp import web

from service.api import passwordless, sessions
from service.api.link_requests import CODE_PAGE
from service.errors import ArgumentInvalid, LoginTokenInvalid
from service.http import form_pages, html_pages, mailed_links, request_body
from service.http.context import RequestContext
from service.http.fields import TypedCode, UserId
from service.http.request_body import Body
from service.http.routing import contract, limited, public
from service.rate_limiter import HOUR


class Addressee(Body):
    userId: UserId  # noqa: N815 - the contract's spelling


class EnterCode(Addressee):
    secret: TypedCode


@public.get(CODE_PAGE, page=True)
async def show_code(ctx: RequestContext) -> web.Response:
    """Ask for the code; without a user id there is none yet, and the address to mail one to is asked for."""
    if not ctx.request.query.get("userId"):
        return mailed_links.see_other(ctx, f"{CODE_PAGE}/new")
    addressee = request_body.validate(ctx, Addressee, dict(ctx.request.query))
    return form_pages.code_page(ctx, addressee.userId)


@public.post(CODE_PAGE, opens_session=True, page=True)
@limited(10, HOUR, by="userId", only="failures", shared="create_token_session")
@limited(50, HOUR, by="ip", only="failures", shared="create_token_session")
@contract(takes=EnterCode)
async def confirm_code(ctx: RequestContext) -> web.Response:
    """Sign this browser in, as POST /v1/account/sessions/token does."""
    addressee = await request_body.read(ctx, Addressee)
    try:
        body = await request_body.read(ctx, EnterCode)
        opened = await passwordless.open_by_code(ctx, body.userId, body.secret)
    except (ArgumentInvalid, LoginTokenInvalid):
        return form_pages.code_page(ctx, addressee.userId, refused=True)
    sessions.set_session_cookies(ctx, opened)
    return html_pages.render_page(ctx, "signed_in")
