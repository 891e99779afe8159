"""Branding: what a project's letters and pages show of it. The operator sets it; no client can."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from service.db import Executor, Queries
from service.store.aging_cache import AgingCache

_sql = Queries("branding")
LARGEST_LOGO = 65_536


@dataclass(frozen=True, slots=True)
class Branding:
    """A project's branding; an empty text is one that the project has not set.

    `accent_color` is `#rrggbb`. `logo_digest` names a version of the logo, for LogoCache.
    """

    project_id: str
    name: str
    reply_to: str = ""
    support_address: str = ""
    app_url: str = ""
    accent_color: str = ""
    footer_text: str = ""
    logo_type: str | None = None
    logo_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Logo:
    """An image, image/png or image/svg+xml, that `projects set` has checked."""

    media_type: str
    data: bytes = field(repr=False)


async def find(conn: Executor, project_id: str) -> Branding | None:
    """Find a project's branding; None without the project."""
    return await _sql.one(conn, "find_branding", Branding, project_id=project_id)


async def list_all(conn: Executor) -> list[Branding]:
    return await _sql.all(conn, "list_branding", Branding)


async def change(conn: Executor, project_id: str, **changes: Any) -> None:
    """Set columns by name; the project must be there."""
    await _sql.run(conn, "create_branding", project_id=project_id)
    await _sql.run(conn, "change_branding", project_id=project_id, changes=changes)


async def set_logo(conn: Executor, project_id: str, *, logo: Logo | None) -> None:
    """Set or remove the logo; the project must be there."""
    await _sql.run(conn, "create_branding", project_id=project_id)
    facts = (logo.media_type, logo.data) if logo else (None, None)
    await _sql.run(conn, "set_logo", project_id=project_id, media_type=facts[0], data=facts[1])


class BrandingCache(AgingCache[Branding]):
    """Cache of branding without the images, so that a page costs no query for it."""

    def __init__(self, conn: Executor) -> None:
        super().__init__(partial(find, conn))


class LogoCache:
    """Cache of the logos used last. A digest always stands for the same bytes, so they don't age."""

    _MOST = 32

    def __init__(self, conn: Executor) -> None:
        self._conn = conn
        self._seen: dict[tuple[str, str], Logo] = {}

    async def find(self, project_id: str, digest: str) -> Logo | None:
        """Find this version of a project's logo; None if the project has another one by now, or none."""
        key = project_id, digest
        logo = self._seen.pop(key, None) or await _sql.one(
            self._conn, "find_logo", Logo, project_id=project_id, digest=digest
        )
        if logo:
            self._seen[key] = logo
            if len(self._seen) > self._MOST:
                del self._seen[next(iter(self._seen))]
        return logo
