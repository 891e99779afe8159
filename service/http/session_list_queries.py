"""Queries of a list of sessions."""

from dataclasses import replace

from service.errors import CursorNotFound, QueryInvalid
from service.http import list_queries
from service.http.context import RequestContext
from service.http.list_queries import FARTHEST, MOST, Query
from service.store import sessions
from service.store.sessions import Session, SessionPage
from service.store.users import User

# More are not counted.
_COUNTED = 5000


async def read(ctx: RequestContext, owner: User) -> tuple[list[Session], int]:
    """Read the page that is asked for, and the number of all sessions. Raises QueryInvalid, CursorNotFound."""
    page = SessionPage()
    for query in list_queries.read(ctx):
        match query:
            case Query("limit"):
                page = replace(page, limit=list_queries.number(query, most=MOST))
            case Query("offset"):
                page = replace(page, offset=list_queries.number(query, most=FARTHEST))
            case Query("cursorAfter", values=[str(cursor)]):
                page = replace(page, after=cursor, before=None)
            case Query("cursorBefore", values=[str(cursor)]):
                page = replace(page, after=None, before=cursor)
            case _:
                raise QueryInvalid(f"The query {query.method[:32]} is not supported here.")
    anchor = page.after or page.before
    if anchor is not None and await sessions.find(ctx.pool, owner, session_id=anchor) is None:
        raise CursorNotFound
    found = await sessions.page(ctx.pool, owner, page)
    if not list_queries.wants_total(ctx):
        return found, 0
    # A first page that is not full is the whole list: no second query.
    is_whole = page.offset == 0 and anchor is None and len(found) < page.limit
    return found, len(found) if is_whole else await sessions.count(ctx.pool, owner, most=_COUNTED)
