"""Secrets of links to our own pages: from the address into a cookie, and from there into the page's form.

A mailed link has its secret in the query, where a browser would show it, keep it in its history and sync it. So its
GET answers with a redirect to the page's own address and puts the secret into a cookie of that page alone
(docs/pages.md#secrets). Nothing is used up by it, however often it is asked.
"""

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from aiohttp import web

from service import i18n
from service.crypto.secret import Secret
from service.errors import ArgumentInvalid, TokenInvalid
from service.http import request_body, request_target, session_cookies
from service.http.context import RequestContext
from service.http.link_proof import LinkProof
from service.http.security_headers import Response
from service.store import token_lookups, users
from service.store.tokens import Kind, Token

# Time to press the button. A form that is open already holds the secret itself.
_SECONDS = 15 * 60


@dataclass(frozen=True, slots=True)
class MailedLink:
    """A link that can be used; `locale` is that of its user's preferences."""

    token: Token
    secret: Secret
    user_id: str | None = None
    locale: str = ""

    @property
    def fields(self) -> dict[str, str]:
        """Fields of the form that uses the link."""
        user_id = {"userId": self.user_id} if self.user_id else {}
        return {**user_id, "secret": self.secret.reveal()}


def names_secret(ctx: RequestContext) -> bool:
    """Tell whether the link itself was opened, and not the address that it redirects to."""
    return "secret" in ctx.request.query


async def hide(ctx: RequestContext) -> web.Response:
    """Redirect to the address without the secret. Raises ArgumentInvalid for a link that is none."""
    ctx.body = dict(ctx.request.query)
    proof = await request_body.read(ctx, LinkProof)
    _set_cookie(ctx, session_cookies.encode(proof.userId or "", proof.secret.reveal()), seconds=_SECONDS)
    return see_other(ctx, path_of(ctx))


def forget(ctx: RequestContext) -> None:
    """Remove the secret of a link that has been used."""
    _set_cookie(ctx, "", seconds=0)


async def find(ctx: RequestContext, kind: Kind) -> MailedLink:
    """Find the link that this browser has opened.

    Raises ArgumentInvalid if the browser has kept none, TokenInvalid if it is used up or too old.
    """
    found = session_cookies.decode(session_cookies.cookies_of(ctx).get(_name(ctx), ""))
    if found is None:
        raise ArgumentInvalid("The link is incomplete, or the browser keeps no cookies.")
    user_id, secret = found
    return await look_up(
        ctx, kind, request_body.validate(ctx, LinkProof, {"userId": user_id or None, "secret": secret})
    )


async def look_up(ctx: RequestContext, kind: Kind, proof: LinkProof) -> MailedLink:
    """Find the live token of a link without using it. Raises TokenInvalid."""
    token = await token_lookups.find_unused(
        ctx.pool,
        ctx.project.id,
        kind=kind,
        user_id=proof.userId,
        secret=proof.secret.reveal(),
        ring=ctx.services.ring,
    )
    if token is None:
        raise TokenInvalid
    user = await users.find(ctx.pool, ctx.project.id, user_id=token.user_id) if token.user_id else None
    return MailedLink(token, proof.secret, proof.userId, i18n.preferred(user.prefs) if user else "")


def see_other(ctx: RequestContext, path: str, **query: str) -> web.Response:
    """Redirect to a page of ours, for the same project and in the same language."""
    return Response(status=303, headers={"Location": address(ctx, path, **query)})


def address(ctx: RequestContext, path: str, *, locale: str = "", **query: str) -> str:
    """Return the path with what each of our pages needs in its query."""
    language = ctx.client.locale or locale
    facts = {"project": ctx.project.id, **({"locale": language} if language else {}), **query}
    return f"{path}?{urlencode(facts)}"


def path_of(ctx: RequestContext) -> str:
    return request_target.canonical(ctx.request.path)


def _set_cookie(ctx: RequestContext, value: str, *, seconds: int) -> None:
    """Set the cookie of this page. Strict would be lost: a link in web mail is opened from another site."""
    session_cookies.set_lax(ctx, _name(ctx), quote(value, safe=""), path=path_of(ctx), seconds=seconds)


def _name(ctx: RequestContext) -> str:
    return f"link_{ctx.project.id}".lower()
