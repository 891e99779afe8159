"""Render letters: templates/<letter>/{subject.txt,body.txt,body.html} in the reader's language.

The templates are English, service/i18n.py has the translations. All are compiled, and rendered in English, when they
are loaded: a broken template stops the start, not a mail. A language is read and checked with its first letter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType

from jinja2 import Environment, StrictUndefined, TemplateError, select_autoescape
from markupsafe import escape

from service import i18n
from service.i18n import SOURCE, TEMPLATES, Catalogues
from service.store.template_overrides import TemplateOverride
from worker.mail import facts as letter_facts
from worker.mail import overrides, skeletons
from worker.mail.branding import Branding
from worker.mail.facts import CHANGES, OPTIONAL
from worker.mail.skeletons import Templates
from worker.mail.stylesheet import InliningLoader

FILES = ("subject.txt", "body.txt", "body.html")
TRIAL = MappingProxyType({
    "era": "modern", "recipient": "a@example.com", "zone": "UTC", "link": "https://example.com/?a=1&b=2",
    "expires": datetime(2026, 1, 1, tzinfo=UTC), "requested_at": datetime(2026, 1, 1, tzinfo=UTC),
    "ip": "192.0.2.1", "device": "Firefox 130.0, Linux", "code": "012345", "code_host": "example.com",
    "phrase": "Trial Phrase", "lifetime_seconds": 3_600, "left": 3,
    "passkeys": 2,
})  # fmt: skip
_TRIAL_BRANDS = (Branding("Trial"), Branding("Trial", "#ffcc00", "help@example.com", "Trial", "logo"))


@dataclass(frozen=True, slots=True)
class Letter:
    """Text of one mail: a subject of one line, and the body as text and as HTML."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True, eq=False)
class TemplateRegistry:
    """All letters, loaded, and all languages."""

    letters: Mapping[str, Templates]
    catalogues: Catalogues


def render(
    letter: str, /, *, locale: str, branding: Branding, override: TemplateOverride | None = None, **facts: object
) -> Letter:
    """Render a letter. An unknown locale gets its language (de for "de-AT"), else English.

    Facts: `recipient`, shown masked; `era` ("legacy" or "modern": which subject); `zone`, an IANA name, else UTC;
    where there is a secret `link` or `code`, with `expires` (aware) and `lifetime_seconds`; the requester's `ip`,
    `device` (a label of ours, never the raw header) and `requested_at` (aware); for letters that sign in `phrase`,
    and for codes `code_host`, the host that may fill it in; for a notice about security `change`, one of CHANGES, and
    the number of recovery codes `left`; for one about a password the number of `passkeys` that open the account. All of
    the last three lines may be None or absent. Raises
    LookupError for a letter we don't have or without a recipient, ValueError for a link that isn't plain printable
    ASCII, a code that isn't six digits or a moment that is none, jinja2's UndefinedError when a fact is missing,
    OverrideFault for the project's own templates.
    """
    ours = render_letter(load_templates(), letter, locale=locale, branding=branding, facts=facts)
    if override is None:
        return ours
    catalogue = i18n.choose(load_templates().catalogues, locale)
    own = overrides.render(override, catalogue=catalogue, branding=branding, facts=facts)
    return Letter(own.get("subject", ours.subject), own.get("text", ours.text), own.get("html", ours.html))


@cache
def load_templates(folder: Path = TEMPLATES) -> TemplateRegistry:
    """Load and test all templates. Called at the start, so that a broken one is found then."""
    environment = Environment(
        loader=InliningLoader(folder),
        extensions=["jinja2.ext.i18n"],
        autoescape=select_autoescape(("html",)),  # text bodies and subjects carry `&` as it is
        undefined=StrictUndefined,
        auto_reload=False,
        cache_size=-1,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # the i18n extension adds it at run time
    environment.policies["ext.i18n.trimmed"] = True
    letters: dict[str, Templates] = {}
    for path in sorted(folder.glob("*/subject.txt")):
        subject, text, html = (environment.get_template(f"{path.parent.name}/{file}") for file in FILES)
        letters[path.parent.name] = (subject, text, html)
    opened = TemplateRegistry(letters, Catalogues(folder))
    for name in letters:
        _try(opened, name)
    return opened


def render_letter(
    opened: TemplateRegistry, letter: str, /, *, locale: str, branding: Branding, facts: Mapping[str, object]
) -> Letter:
    """Render a letter from a given registry; see render."""
    if letter not in opened.letters:
        raise LookupError(f"there is no letter {letter!r}")
    catalogue = i18n.choose(opened.catalogues, locale)
    shape, values = letter_facts.prepare(facts, language=catalogue.language)
    skeleton = skeletons.cached(opened.letters[letter], catalogue, branding, shape)
    escaped = {name: str(escape(value)) for name, value in values.items()}
    return Letter(
        skeletons.fill(skeleton.subject, values),
        skeletons.fill(skeleton.text, values),
        skeletons.fill(skeleton.html, escaped),
    )


def _try(opened: TemplateRegistry, letter: str) -> None:
    """Render a letter in its shapes, so that a missing fact or a bad placeholder is found at the start."""
    catalogue = opened.catalogues[SOURCE]
    full = dict(TRIAL)
    bare = {name: value for name, value in full.items() if name not in OPTIONAL}
    shapes = [full | {"lifetime_seconds": seconds} for seconds in (60, 120, 3_600, 7_200, 86_400, 604_800)]
    shapes += [full | {"change": change} for change in CHANGES if letter == "security_changed"]
    try:
        for facts, branding in [(shape, _TRIAL_BRANDS[0]) for shape in shapes] + [
            (bare | {"era": "legacy"}, _TRIAL_BRANDS[1])
        ]:
            shape, _ = letter_facts.prepare(facts, language=catalogue.language)
            skeletons.make(opened.letters[letter], catalogue, branding, shape)
    except (LookupError, TypeError, ValueError, TemplateError) as error:
        raise ValueError(f"letter {letter!r} is broken: {error}") from error
