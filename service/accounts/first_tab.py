"""Magic links that finish in the browser where they were begun (docs/accounts.md).

The mailed link signs nobody in. It leads to a page that asks for the number which the app shows where it was asked for.
The right number approves: then the browser that asked can open its session, once. The first wrong one ends the link.
Who waits is told of the approval and of the end of the link's time, and of nothing else: a link may die earlier by what
happens to an account, and that must not tell that there is one.
"""

import hmac
import logging

from service.crypto import tab_secrets
from service.crypto.secret import Secret
from service.crypto.tab_secrets import AwaitedLink
from service.errors import LoginTokenInvalid, LoginTokenPending
from service.http import first_tab_cookie, rate_limit_keys, rate_limits
from service.http.context import RequestContext
from service.rate_limiter import Rule, Window
from service.store import token_approvals, token_lookups
from service.store.tokens import Kind, Token

log = logging.getLogger(__name__)
# An app asks every two seconds or so. People behind one address may wait at the same time.
OF_LINK, OF_ADDRESS = Rule("polls.link", 60, 60), Rule("polls.ip", 600, 60)
RULES = (OF_LINK, OF_ADDRESS)
# In the place of a secret: the one that the browser has in its cookie.
IN_COOKIE = Secret("first-tab")


def kind_of_link(ctx: RequestContext) -> Kind:
    return Kind.FIRST_TAB if ctx.project.magic_links == "first-tab" else Kind.MAGIC_URL


def number_of(ctx: RequestContext, token: Token) -> str:
    return tab_secrets.number(ctx.services.ring[token.kid], token.project_id, token.id)


def hand_out(ctx: RequestContext, token: Token) -> Secret:
    """Give the browser its secret in a cookie. A server calls for many browsers: it gets it to keep for one of them."""
    secret = tab_secrets.make(
        ctx.services.ring,
        token.project_id,
        user_id=token.requested_user_id or "",
        token_id=token.id,
        ends_at=token.expires_at,
    )
    if ctx.key is None:
        first_tab_cookie.remember(ctx, secret)
    return secret


def presented(ctx: RequestContext, *, user_id: str, secret: Secret) -> AwaitedLink | None:
    """Return the link of who waits, whose secret came in the cookie or in its own place; None if there is none."""
    if secret == IN_COOKIE:
        return first_tab_cookie.find(ctx, user_id)
    return first_tab_cookie.read(ctx, secret, user_id)


async def find_approved(ctx: RequestContext, awaited: AwaitedLink) -> Token | None:
    """Find the approved token that a browser waits for. Raises LoginTokenPending, LoginTokenInvalid, TooManyRequests.

    None if it was used since it was seen to be approved.
    """
    await _charge(ctx, awaited.token_id)
    approval = await token_approvals.find(ctx.pool, ctx.project.id, token_id=awaited.token_id, ends_at=awaited.ends_at)
    if approval.over:
        raise LoginTokenInvalid
    if not approval.approved:
        raise LoginTokenPending
    return await token_approvals.find_approved(ctx.pool, ctx.project.id, token_id=awaited.token_id)


def awaited_number(ctx: RequestContext, awaited: AwaitedLink) -> str:
    """Return the number of the link that a browser waits for, whether it is still there or not."""
    return tab_secrets.number(ctx.services.ring[awaited.kid], ctx.project.id, awaited.token_id)


async def _charge(ctx: RequestContext, token_id: str) -> None:
    if ctx.key is not None:
        return
    counted = [Window(rule, token_id, own=True) for rule in rate_limit_keys.project_rules(ctx.project, [OF_LINK])]
    await rate_limits.charge(ctx, counted + rate_limit_keys.windows_of_client(ctx, OF_ADDRESS))


async def answer(ctx: RequestContext, *, user_id: str | None, secret: Secret, number: str) -> bool:
    """Approve a link by the right number, or end it by a wrong one; tell which. Raises LoginTokenInvalid."""
    token = await token_lookups.find_by_secret(
        ctx.pool,
        ctx.project.id,
        kind=Kind.FIRST_TAB,
        user_id=user_id,
        secret=secret.reveal(),
        ring=ctx.services.ring,
    )
    if token is None:
        raise LoginTokenInvalid
    is_right = hmac.compare_digest(number_of(ctx, token).encode(), number.encode())
    act = token_approvals.approve if is_right else token_approvals.end_unapproved
    if not await act(ctx.pool, token):
        raise LoginTokenInvalid
    if not is_right:
        log.warning(
            "A wrong number ended a link that was to sign in another browser",
            extra={"event": "first_tab.number_wrong", "project": ctx.project.id, "token": token.id},
        )
    return is_right
