"""The letters we write: templates/<letter>/{subject.txt,body.txt,body.html} in the reader's language.

English stands in the templates; templates/<language>.po holds the others, read at start as they are.
Everything is compiled, and written on trial in every language, when the shelf is opened: a broken template or
translation stops the start, not a mail. No text a user chose (name, raw user agent) may reach a letter:
anybody can have one sent to anybody.
"""

import gettext
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType

from babel.messages.pofile import PoFileError, read_po
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

TEMPLATES = Path(__file__).parent.parent / "templates"
SOURCE = "en"
FILES = ("subject.txt", "body.txt", "body.html")
LINK = re.compile(r"(?!(?:javascript|data|vbscript|file|blob):)[a-z][a-z0-9+.-]*://[!-~]+", re.IGNORECASE)
# A label of our own such as "Chrome 126.0, Windows 10": a dot only before a digit, so no host name fits.
DEVICE = re.compile(r"(?:[A-Za-z0-9 ,()+/-]|\.(?=[0-9])){1,64}")
GAP = re.compile(r"\n{3,}")  # empty blocks leave more blank lines than a letter wants
UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))
TRIAL = MappingProxyType({
    "era": "modern", "project": "Trial", "link": "https://example.com/?a=1&b=2", "lifetime_seconds": 3600,
    "expires": datetime(2026, 1, 1, tzinfo=UTC), "requested_at": datetime(2026, 1, 1, tzinfo=UTC),
    "ip": "192.0.2.1", "device": "Firefox 130.0, Linux",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Letter:
    """What one mail says: a subject of one line, and the same text twice."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One language: its code, and what {% trans %} calls for a sentence and for one with a number in it."""

    language: str
    one: Callable[..., str]
    several: Callable[..., str]


@dataclass(frozen=True, slots=True)
class Shelf:
    """All letters and languages, ready to write."""

    letters: Mapping[str, tuple[Template, Template, Template]]
    catalogues: Mapping[str, Catalogue]


def render(letter: str, /, *, locale: str, **facts: object) -> Letter:
    """Write a letter. An unknown locale gets its language ("de-AT" reads de), else English.

    Facts: `project`, `link`, `expires` (aware), `lifetime_seconds`, `era` ("legacy" or "modern": which
    subject), and for letters that say who asked: `ip`, `device` (a label of ours, never the raw header),
    `requested_at` (aware), each None or absent when unknown. Raises LookupError for a letter we don't have,
    ValueError for a link that isn't plain printable ASCII or a moment that is none, jinja2's UndefinedError
    when a fact is missing.
    """
    return write(shelf(), letter, locale=locale, facts=facts)


@cache
def shelf(folder: Path = TEMPLATES) -> Shelf:
    """Open the shelf: call it once at start so that whatever is broken is found then."""
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
    catalogues = {SOURCE: _speaking(SOURCE, {}, _germanic)}
    for path in sorted(folder.glob("*.po")):
        catalogues[path.stem.lower()] = _read(path)
    opened = Shelf(letters, catalogues)
    for name in letters:
        for language in catalogues:
            _try(opened, name, language)
    return opened


def write(opened: Shelf, letter: str, /, *, locale: str, facts: Mapping[str, object]) -> Letter:
    """Write a letter from a given shelf; see render."""
    templates = opened.letters.get(letter)
    if templates is None:
        raise LookupError(f"there is no letter {letter!r}")
    catalogue = _catalogue(opened, locale)
    ready = _prepared(facts)
    ready["language"] = catalogue.language
    ready["gettext"], ready["ngettext"] = catalogue.one, catalogue.several
    subject, text, html = (template.render(ready) for template in templates)
    return Letter(subject.strip(), GAP.sub("\n\n", text).strip() + "\n", html.strip() + "\n")


def _prepared(facts: Mapping[str, object]) -> dict[str, object]:
    """The facts as the templates want them: moments as text, a lifetime in its unit, the rest checked."""
    ready = {"ip": None, "device": None, "requested_at": None, **facts}
    link = str(ready.get("link", ""))
    if "link" in ready and LINK.fullmatch(link) is None:
        raise ValueError("a letter's link must be a plain URL")
    if "expires" in ready:
        ready["expires"] = _moment(ready["expires"])
    if ready["requested_at"] is not None:
        ready["requested_at"] = _moment(ready["requested_at"])
    ready["ip"] = _known_ip(ready["ip"])
    if DEVICE.fullmatch(str(ready["device"])) is None:
        ready["device"] = None
    if "lifetime_seconds" in ready:
        ready["amount"], ready["unit"] = _span(int(float(str(ready["lifetime_seconds"]))))
    return ready


def _moment(given: object) -> str:
    """A moment every reader understands, whatever the language and time zone; ISO text will do."""
    moment = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
    if moment.tzinfo is None:
        raise ValueError("a letter's moments must be aware")
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _known_ip(given: object) -> str | None:
    """An address only if it is one; it came from outside."""
    try:
        return None if given is None else str(ip_address(str(given)))
    except ValueError:
        return None


def _span(seconds: int) -> tuple[int, str]:
    """A lifetime in the largest unit that divides it: 604800 is 7 days, 5400 is 90 minutes."""
    for unit, size in UNITS:
        if seconds >= size and seconds % size == 0:
            return seconds // size, unit
    return max(1, seconds // 60), "minute"


def _catalogue(opened: Shelf, locale: str) -> Catalogue:
    name = locale.replace("_", "-").lower()
    known = opened.catalogues
    return known.get(name) or known.get(name.partition("-")[0]) or known[SOURCE]


def _read(path: Path) -> Catalogue:
    """A .po file as it lies there; sentences marked fuzzy or left empty stay English."""
    with path.open("rb") as file:
        try:
            catalogue = read_po(file, locale=path.stem.replace("-", "_"), abort_invalid=True)
        except PoFileError as error:
            raise ValueError(f"{path.name} is broken: {error}") from error
    sentences: dict[str, tuple[str, ...]] = {}
    for message in catalogue:
        forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
        source = message.id if isinstance(message.id, str) else message.id[0]
        if source and not message.fuzzy and forms and all(forms):
            sentences[source] = forms
    return _speaking(path.stem, sentences, gettext.c2py(catalogue.plural_expr))


def _germanic(number: int) -> int:
    """English plurals: one thing, or several."""
    return int(number != 1)


def _speaking(language: str, known: Mapping[str, tuple[str, ...]], plural: Callable[[int], int], /) -> Catalogue:
    """A language from its sentences. A translation is ours and trusted; its variables are escaped in HTML."""

    @pass_context
    def one(context: Context, sentence: str, /, **variables: object) -> str:
        return _filled(context, known.get(sentence, (sentence,))[0], variables)

    @pass_context
    def several(context: Context, sentence: str, plurals: str, number: int, /, **variables: object) -> str:
        forms = known.get(sentence)
        chosen = (sentence, plurals)[_germanic(number)] if forms is None else forms[plural(number)]
        return _filled(context, chosen, {"num": number, **variables})

    return Catalogue(language, one, several)


def _filled(context: Context, sentence: str, variables: dict[str, object]) -> str:
    """A sentence with its variables in place; escaping them here is quicker than Markup's own `%`."""
    if not context.eval_ctx.autoescape:
        return sentence % variables
    escaped = {name: escape(value) for name, value in variables.items()}
    return Markup(sentence % escaped)  # noqa: S704 - the sentence is ours, see _speaking


def _try(opened: Shelf, letter: str, language: str) -> None:
    """Write a letter on trial, for both eras, so that a missing fact or a bad placeholder shows at start."""
    for era in ("legacy", "modern"):
        for seconds in (60, 120, 3_600, 7_200, 86_400, 604_800):
            facts = {**TRIAL, "era": era, "lifetime_seconds": seconds}
            try:
                write(opened, letter, locale=language, facts=facts)
            except (LookupError, TypeError, ValueError, TemplateError) as error:
                raise ValueError(f"letter {letter!r} in {language!r} is broken: {error}") from error
