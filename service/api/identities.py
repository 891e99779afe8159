"""Identities of other providers, which no user has. The paths are no ids of users or sessions."""

from aiohttp import web

from service.errors import IdentityNotFound
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.routing import contract, member, users_read, users_write


@member.get("/v1/account/identities")
@contract(gives=schemas.IDENTITY_LIST)
async def list_identities(ctx: RequestContext) -> web.Response:
    """Return an empty list: no account has an identity of another provider."""
    return _nothing(ctx)


@member.delete("/v1/account/identities/{identityId}")
@contract(refuses=IdentityNotFound)
async def delete_identity(_call: RequestContext) -> web.Response:
    """Refuse: there is no identity to delete."""
    raise IdentityNotFound


@users_read.get("/v1/users/identities")
@contract(gives=schemas.IDENTITY_LIST)
async def list_user_identities(ctx: RequestContext) -> web.Response:
    """Return an empty list: no user has an identity of another provider. The word is no user's id here."""
    return _nothing(ctx)


@users_write.delete("/v1/users/identities/{identityId}")
@contract(refuses=IdentityNotFound)
async def delete_user_identity(_call: RequestContext) -> web.Response:
    """Refuse: there is no identity to delete."""
    raise IdentityNotFound


def _nothing(ctx: RequestContext) -> web.Response:
    return responses.json({ctx.api_version.count: 0, "identities": []})
