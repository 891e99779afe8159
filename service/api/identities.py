"""Identities: accounts at other providers that sign a user in; a member's own, and all for a server with a key."""

from aiohttp import web

from service.accounts import identities, identity_admin, members, provider_tokens
from service.api.users import admin_context
from service.errors import CursorNotFound, IdentityNotFound, LastWayIn, QueryInvalid
from service.http import identity_list_queries, list_queries, responses, schemas
from service.http.context import RequestContext
from service.http.routing import contract, limited, member, requires, users_read, users_write
from service.http.schemas import Parameter
from service.rate_limiter import HOUR
from service.store import identities as identity_rows
from service.store import identity_lists
from service.store.identity_lists import IdentityFilter, IdentityPage

_SEARCH = Parameter(
    "search", "Part of an id, a provider, its id of the user, or an address", {"type": "string", "maxLength": 256}
)


@member.get("/v1/account/identities")
@contract(
    gives=schemas.IDENTITY_LIST,
    query=(schemas.IDENTITY_QUERIES, schemas.TOTAL),
    raises=(QueryInvalid, CursorNotFound),
)
async def list_identities(ctx: RequestContext) -> web.Response:
    """List the member's identities, oldest first."""
    return await _list(ctx, *await identity_list_queries.read(ctx, user_id=ctx.member.id))


@member.delete("/v1/account/identities/{identityId}")
@requires("recent")
@limited(10, HOUR, by="user")
@contract(raises=(IdentityNotFound, LastWayIn))
async def delete_identity(ctx: RequestContext) -> web.Response:
    """Remove an identity, unless the account could not be signed in to without it. Its sessions go on."""
    async with ctx.unit_of_work() as tx:
        user = await members.lock(ctx, tx)
        found = await identity_rows.find(tx, user, identity_id=_identity_id(ctx))
        if found is None or not await identities.remove(ctx, tx, user, found):
            raise IdentityNotFound
    return responses.nothing()


@users_read.get("/v1/users/identities")
@contract(
    gives=schemas.IDENTITY_LIST,
    query=(schemas.IDENTITY_QUERIES, schemas.TOTAL, _SEARCH),
    raises=(QueryInvalid, CursorNotFound),
)
async def list_user_identities(ctx: RequestContext) -> web.Response:
    """List the identities of all users, oldest first. The word is no user's id here."""
    return await _list(ctx, *await identity_list_queries.read(ctx))


@users_write.delete("/v1/users/identities/{identityId}")
@contract(raises=(IdentityNotFound,))
async def delete_user_identity(ctx: RequestContext) -> web.Response:
    """Remove an identity of any user, even the last way in."""
    await identity_admin.remove(admin_context(ctx), _identity_id(ctx))
    return responses.nothing()


async def _list(ctx: RequestContext, wanted: IdentityFilter, page: IdentityPage) -> web.Response:
    await identity_lists.check_bounded(ctx.pool, ctx.project.id, wanted=wanted)
    found = await identity_lists.page(ctx.pool, ctx.project.id, wanted=wanted, page=page)
    total = 0
    if list_queries.wants_total(ctx):
        total = await identity_lists.count(ctx.pool, ctx.project.id, wanted=wanted, most=list_queries.COUNTED)
    rows = [responses.identity(ctx, each, provider_tokens.shown(ctx, each)) for each in found]
    return responses.json({ctx.api_version.count: total, "identities": rows})


def _identity_id(ctx: RequestContext) -> str:
    """Return the id of the path; one that no identity has is not found."""
    text = ctx.path["identityId"]
    if "\0" in text or not text.isascii():
        raise IdentityNotFound
    return text
