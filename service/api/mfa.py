"""Second factors of the member: switching them on and off, and which there are."""

from typing import Annotated

from aiohttp import web
from pydantic import Field

from service.accounts import factors, members
from service.errors import ChallengeRequired
from service.http import responses, schemas, second_factors
from service.http.context import RequestContext
from service.http.request_body import Body, read
from service.http.routing import contract, limited, member
from service.rate_limiter import HOUR
from service.store import sessions, user_mfa
from service.store.events import Event


class UpdateMfa(Body):
    mfa: Annotated[bool, Field(examples=[True])]


@member.patch("/v1/account/mfa")
@limited(10, HOUR, by="user")
@contract(takes=UpdateMfa, gives=schemas.USER, raises=(ChallengeRequired,))
async def update_mfa(ctx: RequestContext) -> web.Response:
    """Ask for a second factor from now on, or no more. Switching it off takes a challenge passed lately.

    The session that switches it on is not asked itself; the user's other sessions are, at their next call.
    """
    body = await read(ctx, UpdateMfa)
    async with ctx.unit_of_work() as tx:
        user = await members.lock(ctx, tx)
        if user.mfa and not body.mfa:
            second_factors.require(user, ctx.project, "fresh_if_mfa")
        if user.mfa == body.mfa:
            return responses.json(responses.user(ctx, user))
        changed = await user_mfa.change(tx, user, mfa=body.mfa)
        if body.mfa:
            await sessions.raise_assurance(tx, user, session_id=user.session_id)
        await factors.record_change(ctx, tx, user, Event.MFA_UPDATE, "mfa_on" if body.mfa else "mfa_off")
    return responses.json(responses.user(ctx, changed))


@member.get("/v1/account/mfa/factors", gated=False)
@contract(gives=schemas.MFA_FACTORS)
async def get_mfa_factors(ctx: RequestContext) -> web.Response:
    """Tell which factors the member can prove: for a session without its second factor, other ones than the first."""
    asked = ctx.member.assurance < second_factors.PROVED
    first = second_factors.first_proof(ctx.member) if asked else ""
    found = await factors.find(ctx.pool, ctx.project, ctx.member, settings=ctx.services.settings, first_proof=first)
    return responses.json(schemas.MFA_FACTORS.render(ctx.api_version, found))
