"""Pages with a form: use a link, choose a password, enter a code, ask for a new link; and the page of an error."""

from typing import Any

from aiohttp import web

from service import email_addresses
from service.errors import AccountError, ArgumentInvalid, LoginTokenInvalid, TokenInvalid
from service.http import fields, mailed_links
from service.http.context import RequestContext
from service.http.html_pages import Script, render_page
from service.http.mailed_links import MailedLink
from service.store.tokens import Kind

# Forms for a new link or code, and the pages whose readers may need one. Who disavows something needs a new password.
_REQUESTS = {
    "verification": "/auth/verification/new",
    "recovery": "/auth/recovery/new",
    "magic_url": "/auth/magic-url/new",
    "code": "/auth/code/new",
}
_RENEWED = {
    "/auth/verification": "verification",
    "/auth/recovery": "recovery",
    "/auth/disavowal": "recovery",
    "/auth/email-undo": "recovery",
    "/auth/magic-url": "magic_url",
    "/auth/magic-url/waiting": "magic_url",
    "/auth/code": "code",
}
_UNUSABLE = (TokenInvalid.type, ArgumentInvalid.type)
# Pages on which a password is chosen.
_CHOOSING = frozenset({"invitation", "recovery", "sign_up"})


def refusal_page(ctx: RequestContext, fault: AccountError) -> web.Response:
    """Render an error as a page. It names the next step, and repeats nothing that came with the request."""
    status, _message = fault.render(legacy=not ctx.api_version.modern)
    wanted = _RENEWED.get(mailed_links.path_of(ctx), "") if fault.type in _UNUSABLE and ctx.found_project else ""
    action = address_of_request(ctx, wanted) if wanted else ""
    facts: dict[str, Any] = {"reason": fault.type, "wanted": wanted, "action": action, "refused": False, "typed": ""}
    answer = render_page(ctx, "refusal", status=status, **facts)
    if fault.retry_after:
        answer.headers["Retry-After"] = str(fault.retry_after)
    return answer


async def confirmation_page(ctx: RequestContext, page: str, kind: Kind, **facts: Any) -> web.Response:
    """Render the form of the link that this browser has opened; the link itself leads to its address without secret."""
    if mailed_links.names_secret(ctx):
        return await mailed_links.hide(ctx)
    link = await mailed_links.find(ctx, kind)
    return password_page(ctx, page, link) if page in _CHOOSING else link_page(ctx, page, link, **facts)


def password_page(
    ctx: RequestContext, page: str, link: MailedLink, *, path: str = "", fault: str = "", **facts: Any
) -> web.Response:
    """Render a form for a new password, with the rules for it; `fault` names the one that was broken.

    The form goes to `path`, or to the page itself.
    """
    least, most = fields.password_bounds(ctx, by_page=True)
    facts |= {"fault": fault, "username": link.token.email, "least": least, "most": most, "rules": ctx.project}
    return link_page(ctx, page, link, path=path, status=400 if fault else 200, script="password", **facts)


def link_page(
    ctx: RequestContext,
    page: str,
    link: MailedLink,
    *,
    path: str = "",
    status: int = 200,
    script: Script | None = None,
    **facts: Any,
) -> web.Response:
    """Render a form whose button sends the link's secret and the user's input."""
    facts["action"] = mailed_links.address(ctx, path or mailed_links.path_of(ctx), locale=link.locale)
    facts["fields"] = link.fields
    return render_page(ctx, page, status=status, locale=link.locale, script=script, **facts)


def address_of_request(ctx: RequestContext, wanted: str) -> str:
    """Return the address of the form that asks for a new link or code."""
    return mailed_links.address(ctx, _REQUESTS[wanted])


def code_page(ctx: RequestContext, user_id: str, *, refused: bool = False) -> web.Response:
    """Render the form for a mailed code."""
    facts: dict[str, Any] = {
        "action": mailed_links.address(ctx, mailed_links.path_of(ctx)),
        "again": address_of_request(ctx, "code"),
        "fields": {"userId": user_id},
        "refused": refused,
    }
    return render_page(ctx, "code", status=LoginTokenInvalid.status if refused else 200, **facts)


def request_page(ctx: RequestContext, wanted: str, *, refused: bool = False) -> web.Response:
    """Render the form that asks for the address to mail a link or code to, or the word that it is done."""
    action = address_of_request(ctx, wanted)
    if "sent" in ctx.request.query and not refused:
        return render_page(ctx, "requested", wanted=wanted, again=action)
    typed = str((ctx.body or {}).get("email", ""))[: email_addresses.LONGEST] if refused else ""
    facts: dict[str, Any] = {"wanted": wanted, "action": action, "refused": refused, "typed": typed}
    return render_page(ctx, "request", status=ArgumentInvalid.status if refused else 200, **facts)
