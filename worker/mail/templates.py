"""Render letters: templates/<letter>/{subject.txt,body.txt,body.html} in the reader's language.

The templates are English, service/i18n.py has the translations. All are compiled and rendered in every language when
they are loaded: a broken template or translation stops the start, not a mail. No text that a user chose (name, raw
user agent) may reach a letter: any client can have one sent to any address.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    pass_context,
    select_autoescape,
)
from jinja2.runtime import Context
from markupsafe import Markup, escape

from service import i18n
from service.i18n import TEMPLATES, Catalogue

FILES = ("subject.txt", "body.txt", "body.html")
LINK = re.compile(r"(?!(?:javascript|data|vbscript|file|blob):)[a-z][a-z0-9+.-]*://[!-~]+", re.IGNORECASE)
# A label of our own such as "Chrome 126.0, Windows 10": a dot only before a digit, so no host name fits.
DEVICE = re.compile(r"(?:[A-Za-z0-9 ,()+/-]|\.(?=[0-9])){1,64}")
CODE = re.compile(r"[0-9]{6}")
PHRASE = re.compile(r"[A-Za-z]{1,20} [A-Za-z]{1,20}")  # two words of our own list
GAP = re.compile(r"\n{3,}")  # empty blocks leave blank lines
UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))
TRIAL = MappingProxyType({
    "era": "modern", "project": "Trial", "link": "https://example.com/?a=1&b=2", "lifetime_seconds": 3600,
    "expires": datetime(2026, 1, 1, tzinfo=UTC), "requested_at": datetime(2026, 1, 1, tzinfo=UTC),
    "ip": "192.0.2.1", "device": "Firefox 130.0, Linux", "code": "012345", "phrase": "Trial Phrase",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Letter:
    """Text of one mail: a subject of one line, and the body as text and as HTML."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class TemplateRegistry:
    """All letters and languages, loaded."""

    letters: Mapping[str, tuple[Template, Template, Template]]
    catalogues: Mapping[str, Catalogue]


def render(letter: str, /, *, locale: str, **facts: object) -> Letter:
    """Render a letter. An unknown locale gets its language (de for "de-AT"), else English.

    Facts: `project`, `era` ("legacy" or "modern": which subject); where there is a secret `link` or `code`, with
    `expires` (aware) and `lifetime_seconds`; for letters that name the requester `ip`, `device` (a label of ours,
    never the raw header) and `requested_at` (aware), and for those that sign in `phrase`, each None or absent when
    unknown. Raises LookupError for a letter we don't have, ValueError for a link that isn't plain printable
    ASCII, a code that isn't six digits or a moment that is none, jinja2's UndefinedError when a fact is missing.
    """
    return render_letter(load_templates(), letter, locale=locale, facts=facts)


@cache
def load_templates(folder: Path = TEMPLATES) -> TemplateRegistry:
    """Load and test all templates. Called at the start, so that a broken one is found then."""
    environment = Environment(
        loader=FileSystemLoader(folder),
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
    letters: dict[str, tuple[Template, Template, Template]] = {}
    for path in sorted(folder.glob("*/subject.txt")):
        subject, text, html = (environment.get_template(f"{path.parent.name}/{file}") for file in FILES)
        letters[path.parent.name] = (subject, text, html)
    opened = TemplateRegistry(letters, i18n.read(folder))
    for name in letters:
        for spoken in opened.catalogues:
            _try(opened, name, spoken)
    return opened


def render_letter(opened: TemplateRegistry, letter: str, /, *, locale: str, facts: Mapping[str, object]) -> Letter:
    """Render a letter from a given registry; see render."""
    templates = opened.letters.get(letter)
    if templates is None:
        raise LookupError(f"there is no letter {letter!r}")
    catalogue = i18n.choose(opened.catalogues, locale)
    ready = _prepared(facts)
    ready["language"], ready["catalogue"] = catalogue.language, catalogue
    ready["gettext"], ready["ngettext"] = _one, _several
    subject, text, html = (template.render(ready) for template in templates)
    return Letter(subject.strip(), GAP.sub("\n\n", text).strip() + "\n", html.strip() + "\n")


def _prepared(facts: Mapping[str, object]) -> dict[str, object]:
    """Prepare the facts for a template: times as text, a lifetime in its unit, the rest checked."""
    ready = {"ip": None, "device": None, "requested_at": None, "phrase": None, **facts}
    link = str(ready.get("link", ""))
    if "link" in ready and LINK.fullmatch(link) is None:
        raise ValueError("a letter's link must be a plain URL")
    if "code" in ready and CODE.fullmatch(str(ready["code"])) is None:
        raise ValueError("a letter's code must be six digits")
    if "expires" in ready:
        ready["expires"] = _moment(ready["expires"])
    if ready["requested_at"] is not None:
        ready["requested_at"] = _moment(ready["requested_at"])
    ready["ip"] = _known_ip(ready["ip"])
    if DEVICE.fullmatch(str(ready["device"])) is None:
        ready["device"] = None
    if PHRASE.fullmatch(str(ready["phrase"])) is None:
        ready["phrase"] = None
    if "lifetime_seconds" in ready:
        ready["amount"], ready["unit"] = _span(int(float(str(ready["lifetime_seconds"]))))
    return ready


def _moment(given: object) -> str:
    """Format a time, given as datetime or ISO text, in UTC."""
    moment = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
    if moment.tzinfo is None:
        raise ValueError("a letter's moments must be aware")
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _known_ip(given: object) -> str | None:
    """Return an IP address if it is one; it came from a client."""
    try:
        return None if given is None else str(ip_address(str(given)))
    except ValueError:
        return None


def _span(seconds: int) -> tuple[int, str]:
    """Convert a lifetime to the largest unit that divides it: 604800 is 7 days, 5400 is 90 minutes."""
    for unit, size in UNITS:
        if seconds >= size and seconds % size == 0:
            return seconds // size, unit
    return max(1, seconds // 60), "minute"


@pass_context
def _one(context: Context, sentence: str, /, **variables: object) -> str:
    """Translate for {% trans %}. A translation is ours and trusted; its variables are escaped in HTML."""
    catalogue: Catalogue = context["catalogue"]
    return _filled(context, catalogue.one(sentence), variables)


@pass_context
def _several(context: Context, sentence: str, plurals: str, number: int, /, **variables: object) -> str:
    """Translate a sentence with a number in it."""
    catalogue: Catalogue = context["catalogue"]
    return _filled(context, catalogue.several(sentence, plurals, number), {"num": number, **variables})


def _filled(context: Context, sentence: str, variables: dict[str, object]) -> str:
    """Fill in a sentence's variables; escaping them here is quicker than Markup's own `%`."""
    if not context.eval_ctx.autoescape:
        return sentence % variables
    escaped = {name: escape(value) for name, value in variables.items()}
    return Markup(sentence % escaped)  # noqa: S704 - the sentence is ours, see _one


def _try(opened: TemplateRegistry, letter: str, spoken: str) -> None:
    """Render a letter in both eras, so that a missing fact or a bad placeholder is found at the start."""
    for era in ("legacy", "modern"):
        for seconds in (60, 120, 3_600, 7_200, 86_400, 604_800):
            facts = {**TRIAL, "era": era, "lifetime_seconds": seconds}
            try:
                render_letter(opened, letter, locale=spoken, facts=facts)
            except (LookupError, TypeError, ValueError, TemplateError) as error:
                raise ValueError(f"letter {letter!r} in {spoken!r} is broken: {error}") from error
