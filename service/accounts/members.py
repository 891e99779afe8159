"""Start of a member's own change: the member's row, locked, and a session that still lives."""

from service.errors import ScopeMissing, UserBlocked
from service.http.context import RequestContext
from service.store import users
from service.store.unit_of_work import UnitOfWork
from service.store.users import Member


async def lock(ctx: RequestContext, tx: UnitOfWork, *, claimed: str | None = None) -> Member:
    """Return the member as it is by now; `claimed` is an address to lock too, since the member may get it.

    The guards saw the session before the lock: it may have been ended while the act waited, by its owner from another
    device for instance. Raises ScopeMissing and UserBlocked, as they do.
    """
    member = await users.lock_member(tx, ctx.member, claimed=claimed)
    if member is None:
        raise ScopeMissing
    if member.status == "blocked":
        raise UserBlocked
    return member
