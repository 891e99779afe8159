"""Queries of a list of sessions."""

from service.errors import CursorNotFound, QueryInvalid
from service.http import list_queries
from service.http.context import RequestContext
from service.http.list_queries import MOST, Paging
from service.store import sessions
from service.store.sessions import Session, SessionPage
from service.store.users import User


async def read(ctx: RequestContext, owner: User) -> tuple[list[Session], int]:
    """Read the page that is asked for, and the number of all sessions. Raises QueryInvalid, CursorNotFound."""
    # Old SDKs can't ask for a second page.
    part, others = list_queries.split(list_queries.read(ctx), Paging(limit=MOST))
    if others:
        raise QueryInvalid(f"The query {others[0].method[:32]} is not supported here.")
    if part.cursor is not None and await sessions.find(ctx.pool, owner, session_id=part.cursor) is None:
        raise CursorNotFound
    after, before = (None, part.cursor) if part.before else (part.cursor, None)
    page = SessionPage(after=after, before=before, limit=part.limit, offset=part.offset)
    found = await sessions.page(ctx.pool, owner, page)
    if not list_queries.wants_total(ctx):
        return found, 0
    # A first page that is not full is the whole list: no second query.
    is_whole = page.offset == 0 and part.cursor is None and len(found) < page.limit
    return found, len(found) if is_whole else await sessions.count(ctx.pool, owner, most=list_queries.COUNTED)
