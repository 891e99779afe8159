"""Invitations whose code came with the request: in X-Invitation, or in a cookie where a browser goes to a provider.

Nothing here looks at accounts, and a wrong code is answered as none is: as a closed sign-up. Unknown ones count against
their network; one that has expired or is used up is no guess.
"""

from service.crypto import invitation_codes
from service.http import rate_limit_keys, rate_limits, session_cookies
from service.http.context import RequestContext
from service.rate_limiter import HOUR, Rule
from service.store import invitations

HEADER = "X-Invitation"
OF_NETWORK = Rule("invitations.network", 20, HOUR)
RULES = (OF_NETWORK,)
_KEPT_SECONDS = HOUR


async def find(ctx: RequestContext) -> str | None:
    """Return the id of the invitation that came with the request; None where there is none, or none is asked for.

    Raises TooManyRequests.
    """
    return await _find(ctx, ctx.request.headers.get(HEADER, ""))


async def find_kept(ctx: RequestContext) -> str | None:
    """Return as `find` does, also by the code that the browser has kept."""
    return await _find(ctx, ctx.request.headers.get(HEADER) or session_cookies.cookies_of(ctx).get(_name(ctx), ""))


def keep(ctx: RequestContext) -> None:
    """Have the browser keep the code of the request; its page may be another site's."""
    code = invitation_codes.parse(ctx.request.headers[HEADER])
    assert code  # noqa: S101 - it has been found
    session_cookies.set_across_sites(ctx, _name(ctx), code.reveal(), seconds=_KEPT_SECONDS, path="/v1/account")


def _name(ctx: RequestContext) -> str:
    return f"invitation_{ctx.project.id}".lower()


async def _find(ctx: RequestContext, typed: str) -> str | None:
    if ctx.project.sign_up != "invitation" or not typed:
        return None
    code = invitation_codes.parse(typed)
    # Counted before it is looked up.
    tallied = await rate_limits.charge(ctx, [] if ctx.key else rate_limit_keys.windows_of_client(ctx, OF_NETWORK))
    found = await invitations.find_by_code(ctx.pool, ctx.project.id, code) if code else None
    if found and tallied:
        await ctx.services.limits.refund(tallied.places)
    return found.id if found and found.usable else None
