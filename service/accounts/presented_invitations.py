"""Invitations whose code came with the request, in X-Invitation.

Nothing here looks at accounts, and a wrong code is answered as none is: as a closed sign-up. Unknown ones count against
their network; one that has expired or is used up is no guess.
"""

from service.crypto import invitation_codes
from service.http import rate_limit_keys, rate_limits
from service.http.context import RequestContext
from service.rate_limiter import HOUR, Rule, Tally
from service.store import invitations

HEADER = "X-Invitation"
OF_NETWORK = Rule("invitations.network", 20, HOUR)
RULES = (OF_NETWORK,)


async def find(ctx: RequestContext) -> str | None:
    """Return the id of the invitation that came with the request; None where there is none, or none is asked for.

    Raises TooManyRequests.
    """
    typed = ctx.request.headers.get(HEADER, "")
    if ctx.project.sign_up != "invitation" or not typed:
        return None
    code = invitation_codes.parse(typed)
    tallied = await _count(ctx)
    found = await invitations.find_by_code(ctx.pool, ctx.project.id, code) if code else None
    if found and tallied:
        await ctx.services.limits.refund(tallied.places)
    return found.id if found and found.usable else None


async def _count(ctx: RequestContext) -> Tally | None:
    """Count the code before it is looked up."""
    rules = [] if ctx.key else rate_limit_keys.project_rules(ctx.project, [OF_NETWORK])
    counted = [window for rule in rules for window in rate_limit_keys.windows_of_address(rule, ctx.client.ip)]
    if not counted:
        return None
    tally = await rate_limits.count(ctx, ctx.project.id, counted)
    rate_limits.enforce(ctx, tally)
    return tally
