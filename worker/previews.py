"""Letters without a mail: with invented values, and as sources of own templates."""

from datetime import UTC, datetime, timedelta

from service import i18n
from service.store.branding import Logo
from service.store.outbox_claims import Claim
from service.store.template_overrides import TemplateOverride
from service.template_overrides.values import VALUES
from worker.mail import branding, override_sources, templates
from worker.mail import facts as letter_facts
from worker.mail.templates import TRIAL, Letter

# Facts of the trial that only some letters have.
_SPECIAL = frozenset({"link", "code", "code_host", "phrase", "passkeys"})
_REQUESTED = datetime(2026, 1, 1, 9, tzinfo=UTC)


def preview(draft: Claim, override: TemplateOverride | None, *, logo: Logo | None, seconds: int) -> Letter:
    """Render a draft's letter with invented values; a link or code lives for so many seconds. Raises OverrideFault."""
    image = branding.inline_image(logo, draft.logo_digest)
    facts = invented_facts(draft, seconds)
    return templates.render(
        draft.letter, locale=draft.locale, branding=branding.of_claim(draft, image), override=override, **facts
    )


def our_sources(draft: Claim, *, seconds: int) -> Letter:
    """Return our letter as a source to begin an own one with. How long a link lives stands in it as a number."""
    opened = templates.load_templates()
    catalogue = i18n.choose(opened.catalogues, draft.locale)
    shape, _ = letter_facts.prepare(invented_facts(draft, seconds), language=catalogue.language)
    return Letter(*override_sources.make(opened.letters[draft.letter], draft.letter, catalogue, shape))


def invented_facts(draft: Claim, seconds: int) -> dict[str, object]:
    """Invent the facts of a draft's letter, all that it may have."""
    lacking = _SPECIAL - VALUES[draft.letter]
    invented = {name: value for name, value in TRIAL.items() if name not in lacking}
    return invented | {
        "recipient": draft.recipient, "lifetime_seconds": seconds, "expires": _REQUESTED + timedelta(seconds=seconds),
        "requested_at": _REQUESTED, **({"change": "recovery_code_used"} if "left" in VALUES[draft.letter] else {}),
    }  # fmt: skip
