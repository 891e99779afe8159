"""Queries of a list of identities, in both spellings."""

from dataclasses import replace
from typing import Any

from service import email_addresses
from service.errors import CursorNotFound, QueryInvalid
from service.http import list_queries
from service.http.context import RequestContext
from service.http.list_queries import Query
from service.http.request_body import unfit_parameter
from service.http.text_rules import is_text
from service.store import identities
from service.store.identities import Identity
from service.store.identity_lists import IdentityFilter, IdentityPage

_SEARCH = 256
_EQUALS = {
    "$id": "ids",
    "userId": "users",
    "provider": "providers",
    "providerUid": "subjects",
    "providerEmail": "emails",
}
_SPANS = {"$createdAt": "created", "providerAccessTokenExpiry": "expires"}


async def read(ctx: RequestContext, *, user_id: str | None = None) -> tuple[IdentityFilter, IdentityPage]:
    """Parse the filter and the page, of one user or of all. Raises QueryInvalid, CursorNotFound, ArgumentInvalid."""
    search = _search(ctx) if user_id is None else None
    wanted, descending = IdentityFilter(user_id=user_id, search=search), False
    part, others = list_queries.split(list_queries.read(ctx))
    for query in others:
        match query:
            case Query("orderAsc" | "orderDesc" as way, "" | "$createdAt", ()):
                descending = way == "orderDesc"
            case _:
                change = _condition(query)
                list_queries.check_unset(wanted, change)
                wanted = replace(wanted, **change)
    cursor = None if part.cursor is None else await _identity(ctx, part.cursor, user_id)
    page = IdentityPage(descending=descending, cursor=cursor, before=part.before, limit=part.limit, offset=part.offset)
    return wanted, page


async def _identity(ctx: RequestContext, cursor: str, user_id: str | None) -> Identity:
    found = await identities.find_of_project(ctx.pool, ctx.project.id, identity_id=cursor)
    if found is None or user_id not in (None, found.user_id):
        raise CursorNotFound
    return found


def _search(ctx: RequestContext) -> str | None:
    text = ctx.request.query.get("search", "")
    if len(text) > _SEARCH or not is_text(text):
        fault = f"Value must be a valid string and at most {_SEARCH} chars long"
        raise unfit_parameter(ctx, "search", fault)
    return text or None


def _condition(query: Query) -> dict[str, Any]:
    """Return what a query asks of the filter; raises QueryInvalid for an unknown one."""
    match query:
        case Query("equal", field, [_, *_] as values) if field in _EQUALS:
            if not all(isinstance(value, str) for value in values):
                raise QueryInvalid("Values of this attribute are text.")
            if field == "providerEmail":
                values = tuple(email_addresses.lookup_form(value) for value in values)
            return {_EQUALS[field]: list(values)}
        case Query(method, field) if field in _SPANS and method in list_queries.PERIODS:
            start, end = list_queries.period(query)
            bounds = {f"{_SPANS[field]}_from": start, f"{_SPANS[field]}_until": end}
            return {name: at for name, at in bounds.items() if at is not None}
    raise QueryInvalid(f"The query {query.method[:32]} is not supported for this attribute.")
