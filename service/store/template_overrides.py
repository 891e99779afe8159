"""A project's own templates of letters, by letter and locale: sources that service/template_overrides has checked."""

from dataclasses import asdict, dataclass
from datetime import datetime

from service import i18n
from service.db import Executor, Pool, Queries, transaction
from service.template_overrides.values import MOST, Part

_sql = Queries("template_overrides")
# Locale of the templates for readers of every other language.
ANY = "*"


class TooManyOverrides(Exception):
    """The project has as many own templates as it may have."""


@dataclass(frozen=True, slots=True)
class TemplateOverride:
    """Sources of one letter in one locale; a part that is None is ours."""

    project_id: str
    letter: str
    locale: str
    subject: str | None
    body_text: str | None
    body_html: str | None
    changed_at: datetime

    def sources(self) -> dict[Part, str | None]:
        return {"subject": self.subject, "text": self.body_text, "html": self.body_html}


@dataclass(frozen=True, slots=True)
class FoundOverride:
    """State of a project's templates, as a claim has it, and the one that was looked for, if it is there."""

    state: str | None
    project_id: str | None
    letter: str | None
    locale: str | None
    subject: str | None
    body_text: str | None
    body_html: str | None
    changed_at: datetime | None


def locales_for(*wanted: str) -> list[str]:
    """List the locales whose template a reader may get, the best first: `zh-hk`, `zh-hant`, `zh`, then `*`."""
    found: list[str] = []
    for locale in wanted:
        name = locale.strip().replace("_", "-").lower()
        subtags = name.split("-")
        ours = i18n.match(name, i18n.languages()) or name
        found += [name, ours.lower(), *("-".join(subtags[:count]) for count in range(len(subtags) - 1, 0, -1))]
    return [*dict.fromkeys(found), ANY]


async def list_all(
    conn: Executor, *, project_id: str | None = None, letter: str | None = None
) -> list[TemplateOverride]:
    return await _sql.all(conn, "list_overrides", TemplateOverride, project_id=project_id, letter=letter)


async def find(
    conn: Executor, project_id: str, *, letter: str, locales: list[str]
) -> tuple[str | None, TemplateOverride | None]:
    """Find the template of the first of these locales that has one, with the state of all of the project's."""
    found = await _sql.one(conn, "find_override", FoundOverride, project_id=project_id, letter=letter, locales=locales)
    assert found is not None  # noqa: S101 - it selects from one row
    facts = asdict(found)
    state = facts.pop("state")
    return state, None if found.locale is None else TemplateOverride(**facts)


async def change(
    pool: Pool,
    project_id: str,
    *,
    letter: str,
    locale: str,
    subject: str | None = None,
    body_text: str | None = None,
    body_html: str | None = None,
) -> None:
    """Set the parts that are given; the project must be there. Raises TooManyOverrides."""
    async with transaction(pool, project_id) as tx:
        await _sql.value(tx, "lock_overrides", project_id=project_id)
        await _sql.run(
            tx,
            "set_override",
            project_id=project_id,
            letter=letter,
            locale=locale,
            subject=subject,
            body_text=body_text,
            body_html=body_html,
        )
        if await _sql.value(tx, "count_overrides", project_id=project_id) > MOST:
            raise TooManyOverrides(f"a project has at most {MOST} own templates")


async def delete(pool: Pool, project_id: str, *, letter: str, locale: str | None, part: Part | None = None) -> int:
    """Delete those of one locale, or of all, or one part of them, and return how many there were."""
    facts = {"project_id": project_id, "letter": letter, "locale": locale, "part": part}
    async with transaction(pool, project_id) as tx:
        await _sql.value(tx, "lock_overrides", project_id=project_id)
        gone = await _sql.run(tx, "delete_overrides", **facts)
        return gone + (await _sql.run(tx, "clear_part", **facts) if part else 0)
