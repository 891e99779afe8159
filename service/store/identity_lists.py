"""Lists of identities: of a user, or of a whole project."""

from dataclasses import asdict, dataclass
from datetime import datetime

from service.db import Executor, Queries
from service.errors import QueryInvalid
from service.store.identities import Identity

_sql = Queries("identity_lists")
# So many identities can be looked through in some hundredths of a second.
MOST = 5000


@dataclass(frozen=True, slots=True)
class IdentityFilter:
    """Filter of a list; None does not narrow. `search` looks into ids, provider, subject and address.

    Times that end in `from` are within, those that end in `until` are not.
    """

    user_id: str | None = None
    search: str | None = None
    ids: list[str] | None = None
    users: list[str] | None = None
    providers: list[str] | None = None
    subjects: list[str] | None = None
    emails: list[str] | None = None
    created_from: datetime | None = None
    created_until: datetime | None = None
    expires_from: datetime | None = None
    expires_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class IdentityPage:
    """Part of a list: `limit` identities after the cursor, or before it, or the first ones."""

    descending: bool = False
    cursor: Identity | None = None
    before: bool = False
    limit: int = 25
    offset: int = 0


async def check_bounded(conn: Executor, project_id: str, *, wanted: IdentityFilter) -> None:
    """Raise QueryInvalid for a filter that would read every identity of a project with more than MOST."""
    if any(found is not None for found in (wanted.user_id, wanted.users, wanted.ids, wanted.emails)):
        return
    unindexed = (wanted.search, wanted.subjects, wanted.expires_from, wanted.expires_until)
    if all(found is None for found in unindexed):
        return
    if await count(conn, project_id, wanted=IdentityFilter(), most=MOST + 1) > MOST:
        raise QueryInvalid(f"This project has more than {MOST} identities: name users, ids or addresses.")


async def page(conn: Executor, project_id: str, *, wanted: IdentityFilter, page: IdentityPage) -> list[Identity]:
    """List identities by age, in either direction of paging."""
    found = await _sql.all(
        conn,
        "list_identities",
        Identity,
        project_id=project_id,
        **asdict(wanted),
        descending=page.descending != page.before,
        cursor=page.cursor.id if page.cursor else None,
        moment=page.cursor.created_at if page.cursor else None,
        limit=page.limit,
        offset=page.offset,
    )
    return found[::-1] if page.before else found


async def count(conn: Executor, project_id: str, *, wanted: IdentityFilter, most: int) -> int:
    """Count the identities, `most` at most."""
    facts = {"project_id": project_id, **asdict(wanted), "most": most}
    return int(await _sql.value(conn, "count_listed_identities", **facts))
