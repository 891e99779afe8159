"""Pages of magic links that finish where they were begun: the one that asks for the number, and the one that shows it.

The first is where the link leads, on whatever device the mail is read. It signs nobody in. The second is for those who
asked for the link by our own form (link_requests.py).
"""

from aiohttp import web

from service.accounts import first_tab
from service.api import passwordless, sessions
from service.crypto.tab_secrets import AwaitedLink
from service.errors import ArgumentInvalid, LoginTokenInvalid, LoginTokenPending
from service.http import first_tab_cookie, form_pages, html_pages, mailed_links, request_body
from service.http.context import RequestContext
from service.http.fields import TypedNumber, UserId
from service.http.link_proof import LinkProof
from service.http.request_body import Body
from service.http.routing import contract, limited, public
from service.rate_limiter import HOUR
from service.store.tokens import Kind

WAITING_PAGE = "/auth/magic-url/waiting"


class EnterNumber(LinkProof):
    number: TypedNumber


@public.get("/auth/magic-url/approval", page=True)
async def show_approval(ctx: RequestContext) -> web.Response:
    """Ask for the number that the app shows where the sign-in was begun."""
    return await form_pages.confirmation_page(ctx, "approval", Kind.FIRST_TAB, refused=False)


@public.post("/auth/magic-url/approval", page=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=EnterNumber)
async def approve_magic_url(ctx: RequestContext) -> web.Response:
    """Let the browser that asked for the link sign in, by the number that it shows; a wrong one ends the link.

    What is no number of two digits ends nothing: a mail scanner that presses buttons sends none.
    """
    proof = await request_body.read(ctx, LinkProof)
    try:
        body = await request_body.read(ctx, EnterNumber)
    except ArgumentInvalid:
        link = await mailed_links.look_up(ctx, Kind.FIRST_TAB, proof)
        return form_pages.link_page(ctx, "approval", link, status=ArgumentInvalid.status, refused=True)
    is_right = await first_tab.answer(ctx, user_id=body.userId, secret=body.secret, number=body.number)
    mailed_links.forget(ctx)
    if is_right:
        return html_pages.render_page(ctx, "approved")
    return html_pages.render_page(ctx, "wrong_number", status=LoginTokenInvalid.status)


class Waiting(Body):
    userId: UserId  # noqa: N815 - the contract's spelling


@public.get(WAITING_PAGE, page=True)
async def show_waiting(ctx: RequestContext) -> web.Response:
    """Show the number to the browser that asked for the link."""
    asked = request_body.validate(ctx, Waiting, dict(ctx.request.query))
    return _waiting_page(ctx, asked.userId, pending=False)


@public.post(WAITING_PAGE, opens_session=True, page=True)
@limited(10, HOUR, by="ip", only="failures")
@contract(takes=Waiting)
async def open_waiting(ctx: RequestContext) -> web.Response:
    """Sign this browser in if the link that it asked for was approved, as PUT /v1/account/sessions/magic-url does."""
    asked = await request_body.read(ctx, Waiting)
    try:
        opened = await passwordless.open_in_first_tab(ctx, _awaited(ctx, asked.userId))
    except LoginTokenPending:
        return _waiting_page(ctx, asked.userId, pending=True)
    sessions.set_session_cookies(ctx, opened)
    return html_pages.render_page(ctx, "signed_in")


def _waiting_page(ctx: RequestContext, user_id: str, *, pending: bool) -> web.Response:
    """Render the number without a look at the token: the page is the same whatever became of it."""
    number = first_tab.awaited_number(ctx, _awaited(ctx, user_id))
    return html_pages.render_page(
        ctx,
        "waiting",
        action=mailed_links.address(ctx, WAITING_PAGE),
        again=form_pages.address_of_request(ctx, "magic_url"),
        fields={"userId": user_id},
        number=number,
        pending=pending,
    )


def _awaited(ctx: RequestContext, user_id: str) -> AwaitedLink:
    awaited = first_tab_cookie.find(ctx, user_id)
    if awaited is None:
        raise ArgumentInvalid("The browser has asked for no link, or keeps no cookies.")
    return awaited
