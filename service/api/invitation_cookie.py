"""Code of an invitation, kept by a browser on its way to a provider: a navigation has no header."""

from aiohttp import web

from service.accounts import presented_invitations
from service.errors import SignUpClosed
from service.http import responses
from service.http.context import RequestContext
from service.http.routing import contract, limited, public
from service.rate_limiter import HOUR


@public.put("/v1/account/invitation")
@limited(50, HOUR, by="ip")
@contract(raises=(SignUpClosed,))
async def keep_invitation(ctx: RequestContext) -> web.Response:
    """Keep the code of X-Invitation in a cookie for an hour, for this browser's sign-in by a provider."""
    if await presented_invitations.find(ctx) is None:
        raise SignUpClosed
    presented_invitations.keep(ctx)
    return responses.nothing()
