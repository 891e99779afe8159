"""Letters by a project's own templates, which its operator sets with `python -m service templates`."""

from collections.abc import Mapping
from functools import lru_cache

from service import i18n
from service.db import Executor
from service.i18n import Catalogue
from service.store import template_overrides
from service.store.outbox_claims import Claim
from service.store.template_overrides import ANY, TemplateOverride
from service.template_overrides import language
from service.template_overrides.language import OverrideFault, OverrideTemplate
from service.template_overrides.values import CHANGES, Part
from worker.mail import facts as letter_facts
from worker.mail.branding import Branding

# Letters whose templates a worker keeps, each 80 kB at most, and parts that it keeps parsed, 300 kB at most.
_LETTERS, _PARSED = 256, 128


class OverrideCache:
    """Templates of the letters that were sent last, read anew when a claim names another state of its project's."""

    def __init__(self, conn: Executor) -> None:
        self._conn = conn
        self._seen: dict[tuple[str, ...], tuple[str | None, TemplateOverride | None]] = {}

    async def find(self, claim: Claim, wanted: list[str]) -> TemplateOverride | None:
        """Find the template of a claim's letter for these locales. Costs nothing where the project has none."""
        if claim.overrides is None:
            return None
        key = claim.project_id, claim.letter, *wanted
        state, override = self._seen.pop(key, (None, None))
        if state != claim.overrides:
            # The state comes with the template: it may be a newer one than the claim's.
            state, override = await template_overrides.find(
                self._conn,
                claim.project_id,
                letter=claim.letter,
                locales=template_overrides.locales_for(*wanted),
            )
        self._seen[key] = (state, override)
        if len(self._seen) > _LETTERS:
            del self._seen[next(iter(self._seen))]
        return override


def render(
    override: TemplateOverride, *, catalogue: Catalogue, branding: Branding, facts: Mapping[str, object]
) -> dict[Part, str]:
    """Render the parts that the project has of its own. Raises OverrideFault, and nothing else."""
    try:
        values = _values(override, catalogue=catalogue, branding=branding, facts=facts)
        return {
            part: _template(source, override.letter, part).render(values)
            for part, source in override.sources().items()
            if source is not None
        }
    except OverrideFault:
        raise
    except Exception as error:  # whatever it is, it must cost no mail
        raise OverrideFault(f"it can't be rendered: {type(error).__name__}") from error


def _values(
    override: TemplateOverride, *, catalogue: Catalogue, branding: Branding, facts: Mapping[str, object]
) -> dict[str, str]:
    spoken = override.locale if override.locale != ANY and i18n.has_dates(override.locale) else catalogue.language
    shape, values = letter_facts.prepare(facts, language=spoken)
    return values | ({shape.change: "yes"} if shape.change in CHANGES else {}) | {
        "language": spoken, "project": branding.name, "support_address": branding.support_address,
        "footer_text": branding.footer_text, "accent_color": branding.accent.fill, "accent_ink": branding.accent.ink,
        "logo": f"cid:{branding.logo_cid}" if branding.logo_cid else "",
    }  # fmt: skip


def _template(source: str, letter: str, part: Part) -> OverrideTemplate:
    """Parse a source once for all mails, a broken one too. Raises OverrideFault."""
    parsed = _parsed(source, letter, part)
    if isinstance(parsed, OverrideFault):
        raise OverrideFault(str(parsed))
    return parsed


@lru_cache(maxsize=_PARSED)
def _parsed(source: str, letter: str, part: Part) -> OverrideTemplate | OverrideFault:
    try:
        return language.parse(source, letter=letter, part=part)
    except OverrideFault as fault:
        return OverrideFault(str(fault))
